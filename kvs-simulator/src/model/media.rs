//! The media of a file, read into the chunks that a stream is made of.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kvs_mkv::{
    ChunkWriter, Completion, End, Event, FileCluster, FileSegment, Fragment, FragmentNumber, Limits, Splitter,
};

use crate::files;

/// Why a file cannot be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The file cannot be read.
    #[error("{file}: {source}")]
    Read {
        /// The file.
        file: PathBuf,
        /// Why it cannot be read.
        source: std::io::Error,
    },
    /// The file is not valid MKV.
    #[error("{file}: {source}")]
    Media {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: kvs_mkv::Error,
    },
    /// The file has no Cluster.
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
    /// The unterminated chunks of a recording.
    pub(crate) unterminated: Vec<Unterminated>,
    /// How long playing the file once takes.
    pub(crate) period: Duration,
}

/// A chunk of a recording without its closing tags: the recording was cut there.
#[derive(Debug, Clone)]
pub(crate) struct Unterminated {
    pub(crate) number: Option<FragmentNumber>,
    pub(crate) bytes: Bytes,
}

/// A chunk into which AWS tags can be inserted.
#[derive(Debug)]
pub(crate) struct Template {
    /// The bytes before the leading AWS tags, between them and the trailing ones, and after those.
    pub(crate) parts: [Bytes; 3],
    /// Time from the start of the file to the start of the chunk's media.
    pub(crate) start: Duration,
    /// Duration of the chunk's media.
    pub(crate) duration: Duration,
    /// The recorded chunk, if the file is a recording.
    pub(crate) recorded: Option<Recorded>,
}

/// A chunk of a recording with the values of its AWS tags.
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
    /// Creates a template from a chunk that a producer sent.
    pub(crate) fn sent(parts: [Bytes; 3]) -> Self {
        Self { parts, start: Duration::ZERO, duration: Duration::ZERO, recorded: None }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }
}

/// Returns the writer of the simulator's chunks.
pub(crate) fn writer() -> ChunkWriter {
    ChunkWriter::new("kvs-simulator")
}

impl Media {
    /// Reads a recording of GetMedia or any MKV file.
    pub(crate) fn read(file: &Path) -> Result<Self, SourceError> {
        let bytes = files::read(file, files::MEDIA_MAX_BYTES)
            .map_err(|source| SourceError::Read { file: file.to_owned(), source })?;
        let bytes = Bytes::from(bytes);
        let media = match Self::from_recording(&bytes) {
            Ok(Some(media)) => Ok(media),
            // Not a recording: its first chunk lacks the service's tags, or has them where the service does not put them.
            Ok(None) => Self::from_mkv(&bytes),
            Err(error) => Err(error),
        };
        let media = media.map_err(|source| SourceError::Media { file: file.to_owned(), source })?;
        if media.chunks.is_empty() && media.unterminated.is_empty() {
            return Err(SourceError::NoMedia { file: file.to_owned() });
        }
        Ok(media)
    }

    /// Reads a recording of GetMedia. Returns `None` if the first chunk is not one of a recording.
    pub(crate) fn from_recording(bytes: &Bytes) -> Result<Option<Self>, kvs_mkv::Error> {
        let mut splitter = Splitter::new(Limits::default(), Completion::Token);
        let mut rest: &[u8] = bytes;
        let mut media = Self::default();
        let mut recorded = Vec::new();
        loop {
            match splitter.push(&mut rest) {
                Ok(Some(Event::Fragment(fragment))) => recorded.push(fragment),
                Ok(Some(Event::Unterminated(fragment))) => media.unterminated.push(Unterminated {
                    number: Some(fragment.number),
                    bytes: Bytes::copy_from_slice(&fragment.payload),
                }),
                Ok(Some(Event::Error(_))) => {}
                Ok(None) => break,
                Err(_) if recorded.is_empty() => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        if let Ok(End::Cut { number: Some(number), received_bytes }) = splitter.finish() {
            let bytes = bytes.slice(bytes.len() - received_bytes..);
            media.unterminated.push(Unterminated { number: Some(number), bytes });
        }
        if recorded.is_empty() && media.unterminated.is_empty() {
            return Ok(None);
        }
        for fragment in recorded {
            let duration = Duration::from_nanos(fragment.duration_ns()).min(Duration::from_secs(60));
            media.chunks.push(Arc::new(recorded_template(fragment, media.period, duration)));
            media.period += duration;
        }
        Ok(Some(media))
    }

    /// Reads any other MKV file: each cluster, unchanged, becomes a chunk with the head of its Segment.
    fn from_mkv(bytes: &[u8]) -> Result<Self, kvs_mkv::Error> {
        // The user chose the file, so only its own size bounds what it may hold.
        let mut limits = Limits::default();
        limits.fragment_size_bytes = usize::MAX;
        limits.header_size_bytes = bytes.len();
        limits.frames = bytes.len();
        limits.tags = bytes.len();
        limits.tracks = bytes.len();
        let mut media = Self::default();
        for segment in FileSegment::read_all(bytes, limits)? {
            let head = Bytes::from(segment.head);
            let mut clusters = segment.clusters.into_iter().peekable();
            while let Some(cluster) = clusters.next() {
                let duration = duration(&cluster, clusters.peek());
                let parts = [head.clone(), Bytes::from(cluster.bytes), Bytes::new()];
                media.chunks.push(Arc::new(Template { parts, start: media.period, duration, recorded: None }));
                media.period += duration;
            }
        }
        Ok(media)
    }
}

/// Returns the time from a cluster to the next one, or to its own end if none follows or the next one is earlier.
fn duration(cluster: &FileCluster, next: Option<&FileCluster>) -> Duration {
    let until = |end_ns: i64| u64::try_from(end_ns.saturating_sub(cluster.timestamp_ns)).unwrap_or(0);
    let to_next = next.map_or(0, |next| until(next.timestamp_ns));
    let to_end = || cluster.span_ns.map_or(0, |(_, end_ns)| until(end_ns));
    Duration::from_nanos(if to_next > 0 { to_next } else { to_end() })
}

fn recorded_template(fragment: Fragment, start: Duration, duration: Duration) -> Template {
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
        start,
        duration,
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
