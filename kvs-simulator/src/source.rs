//! What a stream is made of: chunks from a file, and when they come.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kvs_mkv::{
    ChunkWriter, Completion, End, Event, FileCluster, FileSegment, Fragment, FragmentNumber, Limits, Splitter,
};

use crate::files;

/// How often a file is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// So many times, at least once.
    Times(u64),
    /// Without end.
    Forever,
}

/// When fragments come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// All are there from the start; of those that have no end, or are more than a stream holds
    /// ([`Limits::stream_fragments`](crate::Limits::stream_fragments)), as many as are asked for.
    Max,
    /// As their own time says.
    Realtime,
    /// So many a second.
    FragmentsPerSecond(f64),
}

/// A stream and the file it plays.
#[derive(Debug, Clone)]
pub struct StreamSource {
    /// Name of the stream.
    pub name: String,
    /// A recording of GetMedia, or any MKV.
    pub file: PathBuf,
    /// How often.
    pub repeat: Repeat,
    /// When.
    pub pace: Pace,
}

/// Why a file cannot be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It cannot be read.
    #[error("{file}: {error}")]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is no MKV this crate understands.
    #[error("{file}: {error}")]
    Media {
        /// The file.
        file: PathBuf,
        /// Why.
        error: kvs_mkv::Error,
    },
    /// There is nothing to play.
    #[error("{file}: it holds no Cluster, so there is nothing to play")]
    NoMedia {
        /// The file.
        file: PathBuf,
    },
}

/// The chunks of a file.
#[derive(Debug, Default)]
pub(crate) struct Media {
    pub(crate) chunks: Vec<Arc<Template>>,
    /// Chunks of a recording that are not whole, with their bytes.
    pub(crate) not_whole: Vec<NotWhole>,
    /// What one play of the file takes.
    pub(crate) period: Duration,
}

/// A chunk of a recording that is not whole.
#[derive(Debug, Clone)]
pub(crate) struct NotWhole {
    pub(crate) number: Option<FragmentNumber>,
    pub(crate) bytes: Bytes,
}

/// A chunk whose AWS tags can be put in anew.
#[derive(Debug)]
pub(crate) struct Template {
    /// Before the leading AWS tags, between them and the trailing ones, behind those.
    pub(crate) parts: [Bytes; 3],
    /// When it begins and how long it takes, counted from the start of the file.
    pub(crate) begins: Duration,
    pub(crate) takes: Duration,
    /// As it was recorded, when it was.
    pub(crate) recorded: Option<Recorded>,
}

/// A chunk of a recording with what its tags say.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) bytes: Bytes,
    pub(crate) number: FragmentNumber,
    pub(crate) token: String,
    pub(crate) server_millis: i64,
    pub(crate) producer_millis: i64,
    pub(crate) millis_behind_now: i64,
}

impl Template {
    /// A chunk that a producer sent.
    pub(crate) fn sent(parts: [Bytes; 3]) -> Self {
        Self { parts, begins: Duration::ZERO, takes: Duration::ZERO, recorded: None }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }
}

/// Whoever writes chunks here.
pub(crate) fn writer() -> ChunkWriter {
    ChunkWriter::new("kvs-simulator")
}

impl Media {
    pub(crate) fn read(file: &Path) -> Result<Self, SourceError> {
        let bytes = files::read(file, files::MEDIA_MAX_BYTES)
            .map_err(|error| SourceError::Read { file: file.to_owned(), error })?;
        let bytes = Bytes::from(bytes);
        let media = match Self::from_recording(&bytes) {
            Ok(Some(media)) => Ok(media),
            // Not a recording: its first chunk has not the service's tags, or not where the service puts them.
            Ok(None) => Self::from_mkv(&bytes),
            Err(error) => Err(error),
        };
        let media = media.map_err(|error| SourceError::Media { file: file.to_owned(), error })?;
        if media.chunks.is_empty() && media.not_whole.is_empty() {
            return Err(SourceError::NoMedia { file: file.to_owned() });
        }
        Ok(media)
    }

    /// `None`: the first chunk is none of a recording.
    pub(crate) fn from_recording(bytes: &Bytes) -> Result<Option<Self>, kvs_mkv::Error> {
        let mut splitter = Splitter::new(Limits::default(), Completion::Token);
        let mut rest: &[u8] = bytes;
        let mut media = Self::default();
        let mut recorded = Vec::new();
        loop {
            match splitter.push(&mut rest) {
                Ok(Some(Event::Fragment(fragment))) => recorded.push(fragment),
                Ok(Some(Event::Unfinished(fragment))) => media
                    .not_whole
                    .push(NotWhole { number: Some(fragment.number), bytes: Bytes::copy_from_slice(&fragment.payload) }),
                Ok(Some(Event::Error(_))) => {}
                Ok(None) => break,
                Err(_) if recorded.is_empty() => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        if let Ok(End::Cut { number: Some(number), received_bytes }) = splitter.finish() {
            let bytes = bytes.slice(bytes.len() - received_bytes..);
            media.not_whole.push(NotWhole { number: Some(number), bytes });
        }
        if recorded.is_empty() && media.not_whole.is_empty() {
            return Ok(None);
        }
        let mut begins = Duration::ZERO;
        for fragment in recorded {
            let takes = Duration::from_nanos(fragment.duration_ns()).min(Duration::from_secs(60));
            media.chunks.push(Arc::new(recorded_template(fragment, begins, takes)));
            begins += takes;
        }
        media.period = begins;
        Ok(Some(media))
    }

    /// Any other file: each of its clusters as it is, under the head of its Segment.
    fn from_mkv(bytes: &[u8]) -> Result<Self, kvs_mkv::Error> {
        // A file of the user's own: as large as it is.
        let limits = Limits {
            fragment_size_bytes: usize::MAX,
            header_size_bytes: bytes.len(),
            frames: bytes.len(),
            tags: bytes.len(),
            tracks: bytes.len(),
            ..Limits::default()
        };
        let mut media = Self::default();
        for segment in FileSegment::read_all(bytes, limits)? {
            let head = Bytes::from(segment.head);
            let mut clusters = segment.clusters.into_iter().peekable();
            while let Some(cluster) = clusters.next() {
                let takes = takes(&cluster, clusters.peek());
                let parts = [head.clone(), Bytes::from(cluster.bytes), Bytes::new()];
                media.chunks.push(Arc::new(Template { parts, begins: media.period, takes, recorded: None }));
                media.period += takes;
            }
        }
        Ok(media)
    }
}

/// How long it is from a cluster to the next one, or to its own end where none follows or time goes back.
fn takes(cluster: &FileCluster, next: Option<&FileCluster>) -> Duration {
    let until = |end_ns: i64| u64::try_from(end_ns.saturating_sub(cluster.timestamp_ns)).unwrap_or(0);
    let to_next = next.map_or(0, |next| until(next.timestamp_ns));
    let to_end = || cluster.span_ns.map_or(0, |(_, end_ns)| until(end_ns));
    Duration::from_nanos(if to_next > 0 { to_next } else { to_end() })
}

fn recorded_template(fragment: Fragment, begins: Duration, takes: Duration) -> Template {
    let bytes = Bytes::copy_from_slice(&fragment.payload);
    let leading = fragment.leading_tags.clone();
    let trailing = fragment.trailing_tags.clone().unwrap_or(bytes.len()..bytes.len());
    let millis = |timestamp: Option<kvs_mkv::Timestamp>| timestamp.map_or(0, kvs_mkv::Timestamp::millis);
    Template {
        parts: [
            bytes.slice(..leading.start),
            bytes.slice(leading.end.min(trailing.start)..trailing.start),
            bytes.slice(trailing.end..),
        ],
        begins,
        takes,
        recorded: Some(Recorded {
            server_millis: millis(fragment.server_timestamp),
            producer_millis: millis(fragment.producer_timestamp),
            millis_behind_now: fragment.millis_behind_now.unwrap_or(0),
            token: fragment.continuation_token.as_deref().unwrap_or_default().to_owned(),
            number: fragment.number,
            bytes,
        }),
    }
}
