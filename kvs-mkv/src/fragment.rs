//! What the splitter hands out.

use std::ops::Range;
use std::sync::Arc;

use crate::block::Frame;
use crate::number::FragmentNumber;
use crate::payload::Payload;
use crate::tag::{Tag, TagSpan};
use crate::timestamp::Timestamp;
use crate::track::Track;

/// One fragment of a stream: a whole MKV document, and what is read out of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fragment {
    /// The service's number of the fragment.
    pub number: FragmentNumber,
    /// When the service received it.
    pub server_timestamp: Option<Timestamp>,
    /// When the producer says it was made: as given, so it may count from zero, or lie ahead.
    pub producer_timestamp: Option<Timestamp>,
    /// How far behind the live edge the session was at this fragment, in milliseconds.
    pub millis_behind_now: Option<i64>,
    /// Where to go on after this fragment: opaque. GetMediaForFragmentList sends none.
    pub continuation_token: Option<Box<str>>,
    /// Whether the service marked the fragment's end. `false` only for [`crate::Event::Unfinished`].
    pub complete: bool,
    /// The tracks; shared between fragments as long as they stay the same.
    pub tracks: Arc<[Track]>,
    /// The clusters in the order of the chunk: usually one, none for a chunk without media.
    pub clusters: Vec<Cluster>,
    /// All frames, in the order of the chunk.
    pub frames: Vec<Frame>,
    /// The chunk's own bytes.
    pub payload: Payload,
    /// Where in the payload the Tags element with the fragment number lies.
    pub leading_tags: Range<usize>,
    /// Where in the payload the Tags element with the continuation token lies.
    pub trailing_tags: Option<Range<usize>>,
    pub(crate) tags: Vec<TagSpan>,
}

/// A cluster within a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cluster {
    /// Its timestamp × TimestampScale, in nanoseconds. May begin anew, or be the time since 1970.
    pub timestamp_ns: i64,
    /// Where its element begins in the payload, in bytes.
    pub offset: usize,
    /// Index of its first frame in [`Fragment::frames`].
    pub first_frame: usize,
}

/// Any MKV file: what a producer has, without the service's tags. See [`crate::Splitter::read_document`].
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The tracks.
    pub tracks: Arc<[Track]>,
    /// The clusters.
    pub clusters: Vec<Cluster>,
    /// All frames, in the order of the file.
    pub frames: Vec<Frame>,
    pub(crate) bytes: Payload,
    pub(crate) tags: Vec<TagSpan>,
}

impl Document {
    /// The file's tags.
    pub fn tags(&self) -> impl Iterator<Item = Tag<'_>> {
        self.tags.iter().map(|span| span.read(&self.bytes))
    }

    /// From the earliest frame to the end of the latest, in nanoseconds; 0 without frames.
    pub fn duration_ns(&self) -> u64 {
        span_ns(&self.tracks, &self.frames).map_or(0, |(start, end)| end.saturating_sub(start).unsigned_abs())
    }

    /// The frames of a cluster, by its index in [`Document::clusters`], with their data.
    pub fn cluster_frames(&self, index: usize) -> impl Iterator<Item = (&Frame, &[u8])> {
        let first = self.clusters.get(index).map_or(self.frames.len(), |cluster| cluster.first_frame);
        let end = self.clusters.get(index + 1).map_or(self.frames.len(), |cluster| cluster.first_frame);
        self.frames[first..end].iter().map(|frame| (frame, data_of(&self.bytes, frame)))
    }
}

fn data_of<'a>(bytes: &'a [u8], frame: &Frame) -> &'a [u8] {
    let end = frame.offset.saturating_add(frame.size_bytes).min(bytes.len());
    bytes.get(frame.offset..end).unwrap_or_default()
}

/// The service ended the session with an error, told within the media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorReport {
    /// The fragment that could not be read, when it is named. It was not handed out and has to be pulled again.
    pub fragment_number: Option<FragmentNumber>,
    /// `AWS_KINESISVIDEO_ERROR_ID`: 3002, 4000, 4500 to 4506, 5000.
    pub error_id: Option<u32>,
    /// `AWS_KINESISVIDEO_ERROR_CODE`, or `_EXCEPTION_ERROR_CODE`, as text.
    pub error_code: Option<String>,
    /// `AWS_KINESISVIDEO_EXCEPTION_MESSAGE`.
    pub message: Option<String>,
}

/// What had been read of a chunk that is not valid. See [`crate::Splitter::take_broken`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Broken {
    /// The fragment's number, if it stands before what is not valid or in another element of the chunk's head.
    pub number: Option<FragmentNumber>,
    /// When the service received the fragment.
    pub server_timestamp: Option<Timestamp>,
    /// When the producer says it was made.
    pub producer_timestamp: Option<Timestamp>,
    /// Where the chunk begins, in bytes since the start of the stream.
    pub offset: u64,
}

impl Fragment {
    /// The tags the producer sent, in the order they first came; of several with one name (about one track) the last.
    pub fn tags(&self) -> impl Iterator<Item = Tag<'_>> {
        self.tags.iter().map(|span| span.read(&self.payload))
    }

    /// Data of a frame of this fragment.
    pub fn frame_data(&self, frame: &Frame) -> &[u8] {
        data_of(&self.payload, frame)
    }

    /// Presentation time of the earliest frame, in nanoseconds.
    pub fn start_ns(&self) -> Option<i64> {
        self.frames.iter().map(|frame| frame.timestamp_ns).min()
    }

    /// From the earliest frame to the end of the latest, in nanoseconds; 0 without frames.
    ///
    /// How long the last frame takes is what its block says, else what its track says, else the step between the
    /// track's last two frames.
    pub fn duration_ns(&self) -> u64 {
        span_ns(&self.tracks, &self.frames).map_or(0, |(start, end)| end.saturating_sub(start).unsigned_abs())
    }
}

/// When the earliest of the frames begins, and when the latest is over; see [`Fragment::duration_ns`].
pub(crate) fn span_ns(tracks: &[Track], frames: &[Frame]) -> Option<(i64, i64)> {
    let start = frames.iter().map(|frame| frame.timestamp_ns).min()?;
    let end = tracks.iter().filter_map(|track| track_end_ns(track, frames)).max();
    let last = frames.iter().map(|frame| frame.timestamp_ns).max();
    Some((start, end.max(last).unwrap_or(start)))
}

fn track_end_ns(track: &Track, frames: &[Frame]) -> Option<i64> {
    let mut last: Option<&Frame> = None;
    let mut before_last_ns = None;
    for frame in frames.iter().filter(|frame| frame.track == track.number) {
        match last {
            Some(latest) if frame.timestamp_ns <= latest.timestamp_ns => {
                before_last_ns = before_last_ns.max(Some(frame.timestamp_ns));
            }
            _ => {
                before_last_ns = last.map(|latest| latest.timestamp_ns);
                last = Some(frame);
            }
        }
    }
    let last = last?;
    let step = before_last_ns.map(|before| last.timestamp_ns.saturating_sub(before).unsigned_abs());
    let length = last.duration_ns.or(track.default_duration_ns).or(step).unwrap_or(0);
    Some(last.timestamp_ns.saturating_add_unsigned(length))
}
