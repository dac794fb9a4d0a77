//! The value of a fragment's record. Avro's library writes all fields but the first and the last. The payload, which is
//! last, is appended with its length; the sequence, which is first, is known only to the shard's owner, who adds it in
//! front.

use std::fmt;

use apache_avro::Schema;
use kvs_client::{Fragment, Track};
use kvs_mkv::TagValue;
use serde::Serialize;

use crate::model::{SequencePrefix, VALUE_HEADROOM_BYTES};
use crate::output::framing::{EncodeError, Framed, SchemaError, SchemaWriter};
use crate::output::kind::Origin;
use crate::output::schema::{VALUE_NAME, VALUE_SCHEMA};

/// The maximum size of a record without its payload, in bytes: index of the frames, tracks, tags, key, headers.
pub(crate) const RECORD_OVERHEAD_BYTES: usize = 4 << 20;

/// Writes values of fragments' records.
pub(super) struct Value(Framed);

impl Value {
    /// Creates a writer of values as Avro single objects.
    ///
    /// # Errors
    /// When the built-in schema cannot be compiled, which a test excludes.
    pub(super) fn new() -> Result<Self, SchemaError> {
        static HEAD: SchemaWriter = SchemaWriter::new();
        Framed::part_of_single_object(&HEAD, VALUE_NAME, VALUE_SCHEMA, head_schema).map(Self)
    }

    /// Returns the part of the value between the sequence and the bytes of the payload.
    ///
    /// # Errors
    /// When a field does not fit the schema.
    pub(super) fn encode_head(
        &self,
        origin: &Origin<'_>,
        content_type: &str,
        fragment: &Fragment,
    ) -> Result<Vec<u8>, EncodeError> {
        let mut head = Vec::with_capacity(VALUE_HEADROOM_BYTES);
        let fields = HeadFields::of(origin.stream_name, origin.stream_arn, content_type, fragment);
        self.0.append("the fragment", &mut head, &fields)?;
        write_long(&mut head, long(fragment.payload.len() as u64));
        Ok(head)
    }
}

/// Returns the schema of a value without its first and its last field.
fn head_schema() -> Result<Schema, SchemaError> {
    let shape = |expected| SchemaError::Shape { name: VALUE_NAME, expected };
    let mut head: serde_json::Value = serde_json::from_str(VALUE_SCHEMA).map_err(SchemaError::json(VALUE_NAME))?;
    let is = |field: &serde_json::Value, name: &str, kind| field["name"] == name && field["type"] == kind;
    let fields = head["fields"].as_array_mut().filter(|fields| fields.len() > 2).ok_or(shape("it must have fields"))?;
    if !is(&fields.remove(0), "sequence", serde_json::json!(["null", "long"])) {
        return Err(shape("its first field must be the sequence"));
    }
    if fields.pop().is_none_or(|field| !is(&field, "payload", "bytes".into())) {
        return Err(shape("its last field must be the payload"));
    }
    Schema::parse(&head).map_err(SchemaError::avro(VALUE_NAME))
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Value")
    }
}

impl SequencePrefix for Value {
    fn prefix(&self, sequence: i64) -> Vec<u8> {
        let mut prefix = self.0.header.clone();
        // The branch of the union, then the number.
        write_long(&mut prefix, 1);
        write_long(&mut prefix, sequence);
        prefix
    }
}

/// Appends a long: zig-zag, seven bits at a time (Avro specification, "Binary encoding").
fn write_long(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[derive(Serialize)]
struct HeadFields<'a> {
    stream_name: &'a str,
    stream_arn: Option<&'a str>,
    fragment_number: &'a str,
    server_timestamp: Option<i64>,
    producer_timestamp: Option<i64>,
    millis_behind_now: Option<i64>,
    continuation_token: Option<&'a str>,
    complete: bool,
    start_ns: Option<i64>,
    duration_ns: i64,
    tracks: Vec<TrackFields<'a>>,
    frames: Vec<FrameFields>,
    tags: Vec<TagFields>,
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
    #[serde(with = "apache_avro::serde::bytes_opt")]
    codec_private: Option<&'a [u8]>,
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
struct TagFields {
    name: String,
    value: String,
    #[serde(with = "apache_avro::serde::bytes_opt")]
    binary: Option<Vec<u8>>,
    track_uid: Option<i64>,
}

/// Returns an unsigned number as a long; numbers out of range are capped.
fn long(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl<'a> HeadFields<'a> {
    fn of(stream_name: &'a str, stream_arn: Option<&'a str>, content_type: &'a str, fragment: &'a Fragment) -> Self {
        let millis = |timestamp: Option<kvs_client::Timestamp>| timestamp.map(kvs_client::Timestamp::millis);
        Self {
            stream_name,
            stream_arn,
            fragment_number: fragment.number.as_str(),
            server_timestamp: millis(fragment.server_timestamp),
            producer_timestamp: millis(fragment.producer_timestamp),
            millis_behind_now: fragment.millis_behind_now,
            continuation_token: fragment.continuation_token.as_deref(),
            complete: fragment.complete,
            start_ns: fragment.start_ns(),
            duration_ns: long(fragment.duration_ns()),
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
            codec_private: track.codec_private.as_deref(),
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

impl TagFields {
    fn of(tag: kvs_mkv::Tag<'_>) -> Self {
        let (value, binary) = match tag.value {
            TagValue::Text(text) => (text.into_owned(), None),
            TagValue::Binary(bytes) => (String::new(), Some(bytes.to_vec())),
        };
        Self { name: tag.name.into_owned(), value, binary, track_uid: tag.track_uid.map(|uid| uid as i64) }
    }
}
