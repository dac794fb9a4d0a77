//! The fields of a fragment's record that are written as they are: all but the sequence, which the shard's owner adds, and the
//! payload.
//!
//! **Contract.** The names are those of `schemas/fragment.avsc` and `schemas/metadata.avsc`, in that order.

mod track;
mod values;

use std::borrow::Cow;

use kvs_client::Fragment;
use kvs_mkv::TagValue;
use serde::Serialize;

use self::track::TrackFields;
use self::values::bytes;
pub(super) use self::values::long;
use super::kind::Origin;
use super::placement::ChunksPlacement;

#[derive(Serialize)]
pub(super) struct FragmentFields<'a> {
    stream_name: &'a str,
    stream_arn: Option<&'a str>,
    fragment_number: &'a str,
    server_timestamp: Option<i64>,
    producer_timestamp: Option<i64>,
    millis_behind_now: Option<i64>,
    continuation_token: Option<&'a str>,
    complete: bool,
    random_access: bool,
    discontinuity: bool,
    start_ns: Option<i64>,
    duration_ns: i64,
    first_frame_utc: Option<i64>,
    last_frame_utc: Option<i64>,
    tracks: Vec<TrackFields<'a>>,
    frames: Vec<FrameFields>,
    tags: Vec<TagFields<'a>>,
    content_type: &'a str,
    size_bytes: i64,
    payload_mode: &'a str,
    payload_uri: Option<&'a str>,
    payload_sha256: Option<&'a str>,
    payload_chunks: Option<&'a ChunksPlacement>,
}

#[derive(Serialize)]
struct FrameFields {
    track: i64,
    timestamp_ns: i64,
    duration_ns: Option<i64>,
    key: bool,
    offset: i64,
    size_bytes: i64,
}

#[derive(Serialize)]
struct TagFields<'a> {
    name: Cow<'a, str>,
    value: Cow<'a, str>,
    #[serde(serialize_with = "bytes")]
    binary: Option<Cow<'a, [u8]>>,
    track_uid: Option<i64>,
}

/// Tells when the frames of a fragment were taken. Made once for a fragment, because it looks at all of its frames.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameClock {
    /// Presentation time of the earliest frame, in nanoseconds, and when it was taken, in microseconds since 1970.
    earliest: Option<(i64, i64)>,
}

impl FrameClock {
    /// Creates the clock of a fragment: the producer timestamp is the time of its earliest frame.
    pub(super) fn of(fragment: &Fragment) -> Self {
        let taken = fragment.producer_timestamp.and_then(|timestamp| timestamp.millis().checked_mul(1_000));
        Self { earliest: fragment.start_ns().zip(taken) }
    }

    /// Returns when a frame with this presentation time was taken, in microseconds since 1970. `None` if one of the times is
    /// missing, or the result is beyond what a long can hold.
    pub(super) fn utc_micros(self, frame_ns: Option<i64>) -> Option<i64> {
        let (earliest_ns, taken) = self.earliest?;
        taken.checked_add(frame_ns?.checked_sub(earliest_ns)? / 1_000)
    }
}

impl<'a> FragmentFields<'a> {
    /// Returns the fields of a fragment that was pulled with this content type.
    pub(super) fn of(origin: &Origin<'a>, content_type: &'a str, fragment: &'a Fragment) -> Self {
        let clock = FrameClock::of(fragment);
        let millis = |timestamp: Option<kvs_client::Timestamp>| timestamp.map(kvs_client::Timestamp::millis);
        Self {
            stream_name: origin.stream_name,
            stream_arn: origin.stream_arn,
            fragment_number: fragment.number.as_str(),
            server_timestamp: millis(fragment.server_timestamp),
            producer_timestamp: millis(fragment.producer_timestamp),
            millis_behind_now: fragment.millis_behind_now,
            continuation_token: fragment.continuation_token.as_deref(),
            complete: fragment.complete,
            random_access: fragment.is_random_access(),
            discontinuity: origin.discontinuity,
            start_ns: fragment.start_ns(),
            duration_ns: long(fragment.duration_ns()),
            first_frame_utc: clock.utc_micros(fragment.start_ns()),
            last_frame_utc: clock.utc_micros(fragment.last_ns()),
            tracks: fragment.tracks.iter().map(|track| TrackFields::of(track, fragment)).collect(),
            frames: fragment.frames.iter().map(FrameFields::of).collect(),
            tags: fragment.tags().map(TagFields::of).collect(),
            content_type,
            size_bytes: long(fragment.payload.len() as u64),
            payload_mode: origin.placement.mode.name(),
            payload_uri: origin.placement.uri.as_deref(),
            payload_sha256: origin.placement.sha256.as_deref(),
            payload_chunks: origin.placement.chunks.as_ref(),
        }
    }
}

/// The fields that follow from the media alone.
pub const MEDIA_FIELDS: [&str; 12] = [
    "fragment_number",
    "server_timestamp",
    "producer_timestamp",
    "random_access",
    "start_ns",
    "size_bytes",
    "duration_ns",
    "first_frame_utc",
    "last_frame_utc",
    "frames",
    "tracks",
    "tags",
];

/// Returns what a record of these media has in its [`MEDIA_FIELDS`], as JSON has it, among other fields.
pub fn fields_of_media(media: &Fragment) -> serde_json::Value {
    let key = std::sync::Arc::new(crate::model::OffsetKey::of_stream("", ""));
    // What can be written as Avro can be written as JSON.
    serde_json::to_value(FragmentFields::of(&Origin::new(&key, "", 0), "", media)).unwrap_or_default()
}

impl FrameFields {
    fn of(frame: &kvs_mkv::Frame) -> Self {
        Self {
            track: long(frame.track),
            timestamp_ns: frame.timestamp_ns,
            duration_ns: frame.duration_ns.map(long),
            key: frame.key,
            offset: long(frame.offset as u64),
            size_bytes: long(frame.size_bytes as u64),
        }
    }
}

impl<'a> TagFields<'a> {
    fn of(tag: kvs_mkv::Tag<'a>) -> Self {
        let (value, binary) = match tag.value {
            TagValue::Text(text) => (text, None),
            TagValue::Binary(bytes) => (Cow::Borrowed(""), Some(Cow::Borrowed(bytes))),
        };
        Self { name: tag.name, value, binary, track_uid: tag.track_uid.map(|uid| uid as i64) }
    }
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
