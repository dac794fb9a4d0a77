//! What a stream is made of: chunks from a file, and when they come.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kvs_mkv::{ChunkWriter, Completion, End, Event, Fragment, FragmentNumber, FrameData, Limits, Splitter, TagValue};

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
    /// All are there from the start; of an endless stream as many as are asked for.
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
        let bytes = std::fs::read(file).map_err(|error| SourceError::Read { file: file.to_owned(), error })?;
        let recording = Self::from_recording(&Bytes::from(bytes.clone()));
        let media = match recording {
            Ok(Some(media)) => Ok(media),
            // Not a recording: no chunk of it has the service's tags.
            Ok(None) | Err(_) => Self::from_mkv(&bytes),
        };
        media.map_err(|error| SourceError::Media { file: file.to_owned(), error })
    }

    /// `None`: no chunk has a fragment number.
    pub(crate) fn from_recording(bytes: &Bytes) -> Result<Option<Self>, kvs_mkv::Error> {
        let mut splitter = Splitter::new(Limits::default(), Completion::Token);
        let mut rest: &[u8] = bytes;
        let mut media = Self::default();
        let mut recorded = Vec::new();
        loop {
            match splitter.push(&mut rest)? {
                Some(Event::Fragment(fragment)) => recorded.push(fragment),
                Some(Event::Unfinished(fragment)) => media
                    .not_whole
                    .push(NotWhole { number: Some(fragment.number), bytes: Bytes::copy_from_slice(&fragment.payload) }),
                Some(Event::Error(_)) => {}
                None => break,
            }
        }
        if let End::Cut { number: Some(number), received_bytes } = splitter.finish()? {
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

    fn from_mkv(bytes: &[u8]) -> Result<Self, kvs_mkv::Error> {
        // A file of the user's own: as large as it is.
        let limits = Limits {
            fragment_size_bytes: bytes.len(),
            header_size_bytes: bytes.len(),
            frames: bytes.len(),
            ..Limits::default()
        };
        let document = Splitter::read_document(bytes, limits)?;
        let writer = writer();
        let mut head = writer.head(&document.tracks);
        let tags: Vec<_> = document
            .tags()
            .filter_map(|tag| match tag.value {
                TagValue::Text(value) if tag.track_uid.is_none() => Some((tag.name.into_owned(), value.into_owned())),
                _ => None,
            })
            .collect();
        if !tags.is_empty() {
            let tags: Vec<_> = tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            head.extend(writer.tags(&tags));
        }
        let head = Bytes::from(head);
        let mut starts: Vec<i64> = document.clusters.iter().map(|cluster| cluster.timestamp_ns).collect();
        let ends = document.frames.iter().map(|frame| frame.timestamp_ns).max().unwrap_or(0);
        let frame_step = last_step(&document.frames.iter().map(|frame| frame.timestamp_ns).collect::<Vec<_>>());
        starts.push(ends.saturating_add(frame_step));
        let first = starts[0];
        let since_first = |at: i64| Duration::from_nanos(u64::try_from(at.saturating_sub(first)).unwrap_or(0));
        let mut media = Self::default();
        for (index, cluster) in document.clusters.iter().enumerate() {
            let frames: Vec<_> = document
                .cluster_frames(index)
                .map(|(frame, data)| FrameData {
                    track: frame.track,
                    timestamp_ns: frame.timestamp_ns,
                    key: frame.key,
                    data,
                })
                .collect();
            let written = Bytes::from(writer.cluster(cluster.timestamp_ns, &frames));
            let begins = since_first(starts[index]);
            let takes = since_first(starts[index + 1]).saturating_sub(begins);
            let parts = [head.clone(), written, Bytes::new()];
            media.chunks.push(Arc::new(Template { parts, begins, takes, recorded: None }));
        }
        media.period = since_first(starts[document.clusters.len()]);
        Ok(media)
    }
}

/// The step between the two latest of some times; 0 when there are none.
fn last_step(times: &[i64]) -> i64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.windows(2).last().map_or(0, |pair| pair[1] - pair[0])
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
