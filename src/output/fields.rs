//! The fields of a fragment's record that are written as they are: all but the sequence, which the shard's owner adds, and the
//! payload.
//!
//! **Contract.** The names are those of `schemas/fragment.avsc` and `schemas/metadata.avsc`, in that order.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kvs_client::{Fragment, Track};
use kvs_mkv::TagValue;
use serde::{Serialize, Serializer};

use super::kind::Origin;

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
}

#[derive(Serialize)]
struct TrackFields<'a> {
    number: i64,
    uid: i64,
    kind: &'a str,
    kind_value: i64,
    codec_id: &'a str,
    #[serde(serialize_with = "bytes")]
    codec_private: Option<Cow<'a, [u8]>>,
    name: Option<&'a str>,
    language: Option<&'a str>,
    default_duration_ns: Option<i64>,
    width: Option<i64>,
    height: Option<i64>,
    sampling_frequency_hz: Option<f64>,
    channels: Option<i64>,
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

/// Returns an unsigned number as a long; numbers out of range are capped.
fn long(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Returns the time of a frame of the fragment, given its presentation time, in microseconds since 1970: the producer timestamp
/// is that of the earliest frame. `None` if one of the times is missing, or the result is beyond what a long can hold.
fn utc_micros(fragment: &Fragment, frame_ns: Option<i64>) -> Option<i64> {
    let after_ns = frame_ns?.checked_sub(fragment.start_ns()?)?;
    fragment.producer_timestamp?.millis().checked_mul(1_000)?.checked_add(after_ns / 1_000)
}

impl<'a> FragmentFields<'a> {
    /// Returns the fields of a fragment that was pulled with this content type.
    pub(super) fn of(origin: &Origin<'a>, content_type: &'a str, fragment: &'a Fragment) -> Self {
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
            first_frame_utc: utc_micros(fragment, fragment.start_ns()),
            last_frame_utc: utc_micros(fragment, fragment.last_ns()),
            tracks: fragment.tracks.iter().map(TrackFields::of).collect(),
            frames: fragment.frames.iter().map(FrameFields::of).collect(),
            tags: fragment.tags().map(TagFields::of).collect(),
            content_type,
            size_bytes: long(fragment.payload.len() as u64),
        }
    }
}

impl<'a> TrackFields<'a> {
    fn of(track: &'a Track) -> Self {
        Self {
            number: long(track.number),
            // The same bits: unique ids use all 64.
            uid: track.uid as i64,
            kind: track.kind.name(),
            kind_value: long(track.kind.value()),
            codec_id: &track.codec_id,
            codec_private: track.codec_private.as_deref().map(Cow::Borrowed),
            name: track.name.as_deref(),
            language: track.language.as_deref(),
            default_duration_ns: track.default_duration_ns.map(long),
            width: track.video.map(|video| long(video.width)),
            height: track.video.map(|video| long(video.height)),
            sampling_frequency_hz: track.audio.map(|audio| audio.sampling_frequency_hz),
            channels: track.audio.map(|audio| long(audio.channels)),
        }
    }
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

/// Writes bytes as such to Avro, and in base64 to JSON.
fn bytes<S: Serializer>(bytes: &Option<Cow<'_, [u8]>>, serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        bytes.as_ref().map(|bytes| STANDARD.encode(bytes)).serialize(serializer)
    } else {
        apache_avro::serde::bytes_opt::serialize(bytes, serializer)
    }
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
