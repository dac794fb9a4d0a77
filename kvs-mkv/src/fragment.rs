//! What the splitter returns: fragments, documents and error reports.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::block::Frame;
use crate::media_type::media_type;
use crate::number::FragmentNumber;
use crate::payload::Payload;
use crate::tag::{Tag, TagSpan};
use crate::timestamp::Timestamp;
use crate::track::{Track, TrackKind};

/// One fragment of a stream: a complete MKV document, with its metadata and an index of its frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Fragment {
    /// The number that the service gave the fragment.
    pub number: FragmentNumber,
    /// When the service received the fragment.
    pub server_timestamp: Option<Timestamp>,
    /// When the fragment was made according to its producer, unchanged: it may count from zero or lie in the future.
    pub producer_timestamp: Option<Timestamp>,
    /// How far behind the live edge the session was at this fragment, in milliseconds.
    pub millis_behind_now: Option<i64>,
    /// The opaque token that continues after this fragment. GetMediaForFragmentList sends none.
    pub continuation_token: Option<Box<str>>,
    /// Whether the fragment is complete; `false` only in [`Event::Unterminated`](crate::Event::Unterminated).
    pub complete: bool,
    /// SegmentUUID of the chunk's Info, usually 16 bytes; `None` if its producer wrote none. A producer chooses one for all
    /// that it sends.
    pub segment_uid: Option<Box<[u8]>>,
    /// The tracks, shared with the preceding fragment if they are the same.
    pub tracks: Arc<[Track]>,
    /// The clusters, in chunk order: usually one, none in a chunk without media.
    pub clusters: Vec<Cluster>,
    /// All frames, in chunk order.
    pub frames: Vec<Frame>,
    /// The bytes of the chunk, unchanged.
    pub payload: Payload,
    /// Range in the payload of the Tags element with the fragment number.
    pub leading_tags: Range<usize>,
    /// Range in the payload of the Tags element with the continuation token.
    pub trailing_tags: Option<Range<usize>>,
    pub(crate) tags: Vec<TagSpan>,
}

/// A cluster within a fragment or a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cluster {
    /// The cluster's timestamp × TimestampScale, in nanoseconds. Its epoch is the producer's: a session's start, or
    /// 1970.
    pub timestamp_ns: i64,
    /// Offset of the Cluster element in the payload, in bytes.
    pub offset: usize,
    /// Index of the cluster's first frame in [`Fragment::frames`] or [`Document::frames`].
    pub first_frame: usize,
}

/// An MKV file without the service's tags, as producers have it; see
/// [`Splitter::read_document`](crate::Splitter::read_document).
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The tracks.
    pub tracks: Arc<[Track]>,
    /// The clusters.
    pub clusters: Vec<Cluster>,
    /// All frames, in file order.
    pub frames: Vec<Frame>,
    pub(crate) bytes: Payload,
    pub(crate) tags: Vec<TagSpan>,
}

impl Document {
    /// Returns the file's tags.
    pub fn tags(&self) -> impl Iterator<Item = Tag<'_>> {
        self.tags.iter().map(|span| span.read(&self.bytes))
    }

    /// Returns the time from the earliest frame to the end of the latest, in nanoseconds; 0 without frames.
    pub fn duration_ns(&self) -> u64 {
        span_ns(&self.tracks, &self.frames).map_or(0, |(start, end)| end.saturating_sub(start).unsigned_abs())
    }

    /// Returns the frames of the cluster with this index in [`Document::clusters`], each with its data.
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

/// An error that the service reported within the media, where it ends the session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ErrorReport {
    /// Number of the fragment that the service could not read, if named. That fragment has to be pulled again.
    pub fragment_number: Option<FragmentNumber>,
    /// `AWS_KINESISVIDEO_ERROR_ID`: 3002, 4000, 4500 to 4506 or 5000.
    pub error_id: Option<u32>,
    /// `AWS_KINESISVIDEO_ERROR_CODE`, or `_EXCEPTION_ERROR_CODE`, as text.
    pub error_code: Option<String>,
    /// `AWS_KINESISVIDEO_EXCEPTION_MESSAGE`.
    pub message: Option<String>,
}

/// What is known of an invalid chunk; see [`Splitter::take_broken`](crate::Splitter::take_broken).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Broken {
    /// The fragment's number, if it precedes the invalid part or stands in another element of the chunk's head.
    pub number: Option<FragmentNumber>,
    /// When the service received the fragment.
    pub server_timestamp: Option<Timestamp>,
    /// When the fragment was made according to its producer.
    pub producer_timestamp: Option<Timestamp>,
    /// Offset of the chunk, in bytes since the start of the stream.
    pub offset: u64,
    /// The chunk's bytes that had been copied, from its EBML header on. Those that follow are at the front of the input that
    /// [`Splitter::push`](crate::Splitter::push) has left. Empty if the invalid bytes are between two chunks.
    pub payload: Payload,
}

impl Fragment {
    /// Returns the producer's tags in order of first appearance. Of several tags with one name and track, the last
    /// value counts.
    pub fn tags(&self) -> impl Iterator<Item = Tag<'_>> {
        self.tags.iter().map(|span| span.read(&self.payload))
    }

    /// Returns what the frames of a track of this fragment are, `video/H264`; see [`media_type`](crate::media_type()).
    pub fn media_type(&self, track: &Track) -> Option<Cow<'_, str>> {
        media_type(track, self.tags())
    }

    /// Returns the data of a frame of this fragment.
    pub fn frame_data(&self, frame: &Frame) -> &[u8] {
        data_of(&self.payload, frame)
    }

    /// Returns the presentation time of the earliest frame, in nanoseconds; `None` without frames.
    pub fn start_ns(&self) -> Option<i64> {
        self.frames.iter().map(|frame| frame.timestamp_ns).min()
    }

    /// Returns the presentation time of the latest frame, in nanoseconds; `None` without frames.
    pub fn last_ns(&self) -> Option<i64> {
        self.frames.iter().map(|frame| frame.timestamp_ns).max()
    }

    /// Returns whether a decoder can begin with this fragment: whether its first frame of a video track, in chunk order, is a
    /// key frame. A fragment without frames of video always counts; one without any frames never does, because the next
    /// fragment decides.
    pub fn is_random_access(&self) -> bool {
        let is_video =
            |number| self.tracks.iter().any(|track| track.number == number && track.kind == TrackKind::Video);
        let first = self.frames.iter().find(|frame| is_video(frame.track));
        first.map_or(!self.frames.is_empty(), |frame| frame.key)
    }

    /// Returns the time from the earliest frame to the end of the latest, in nanoseconds; 0 without frames.
    ///
    /// The last frame's duration is its block's, otherwise its track's default, otherwise the distance between the
    /// track's last two frames.
    pub fn duration_ns(&self) -> u64 {
        span_ns(&self.tracks, &self.frames).map_or(0, |(start, end)| end.saturating_sub(start).unsigned_abs())
    }
}

/// Returns the start of the earliest frame and the end of the latest; see [`Fragment::duration_ns`].
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

#[cfg(test)]
#[path = "fragment_tests.rs"]
mod tests;
