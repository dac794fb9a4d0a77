//! Avro: the value's fields but the first and the last by the library. The payload, which is last, is appended as its
//! length and itself; the sequence, which is first, is known only to the shard's owner and put in front there.

use std::fmt;
use std::sync::OnceLock;

use apache_avro::Schema;
use apache_avro::writer::datum::GenericDatumWriter;
use kvs_client::{Fragment, Track};
use kvs_mkv::TagValue;
use serde::Serialize;

use super::schema::{KEY_SCHEMA, VALUE_SCHEMA, single_object_header};
use crate::shard::SequencePrefix;

/// Room in front of payloads that a value's head nearly always fits into: about 15 bytes a frame, and the tracks.
pub const HEADROOM_BYTES: usize = 4 << 10;

/// A fragment that cannot be encoded.
#[derive(Debug, thiserror::Error)]
#[error("the fragment cannot be encoded: {0}")]
pub struct EncodeError(pub(super) String);

/// Writes values. A schema registry comes in here later.
pub trait ValueEncoder: SequencePrefix {
    /// All of the value that comes behind the sequence and before the bytes of the payload.
    ///
    /// # Errors
    /// When a field does not fit the schema.
    fn encode_head(
        &self,
        stream_name: &str,
        stream_arn: Option<&str>,
        content_type: &str,
        fragment: &Fragment,
    ) -> Result<Vec<u8>, EncodeError>;
}

/// Avro single-object encoding: a marker, the schema's fingerprint, the datum.
#[derive(Clone)]
pub struct AvroValue {
    header: Vec<u8>,
    writer: &'static GenericDatumWriter<'static>,
}

/// What is made of the schemas once a process.
struct Compiled {
    value_header: Vec<u8>,
    head_writer: GenericDatumWriter<'static>,
    key_header: Vec<u8>,
    key_writer: GenericDatumWriter<'static>,
}

fn compiled() -> Result<&'static Compiled, EncodeError> {
    static COMPILED: OnceLock<Result<Compiled, String>> = OnceLock::new();
    COMPILED.get_or_init(compile).as_ref().map_err(|error| EncodeError(error.clone()))
}

fn compile() -> Result<Compiled, String> {
    let text = |error: apache_avro::Error| error.to_string();
    let mut head: serde_json::Value = serde_json::from_str(VALUE_SCHEMA).map_err(|error| error.to_string())?;
    let is = |field: &serde_json::Value, name: &str, kind| field["name"] == name && field["type"] == kind;
    let fields =
        head["fields"].as_array_mut().filter(|fields| fields.len() > 2).ok_or("fragment.avsc has no fields")?;
    if !is(&fields.remove(0), "sequence", serde_json::json!(["null", "long"])) {
        return Err("the first field of fragment.avsc is not the sequence".to_owned());
    }
    if fields.pop().is_none_or(|field| !is(&field, "payload", "bytes".into())) {
        return Err("the last field of fragment.avsc is not the payload".to_owned());
    }
    // Once a process: the writers borrow them for ever.
    let head_schema: &'static Schema = Box::leak(Box::new(Schema::parse(&head).map_err(text)?));
    let key_schema: &'static Schema = Box::leak(Box::new(Schema::parse_str(KEY_SCHEMA).map_err(text)?));
    let writer = |schema| GenericDatumWriter::builder(schema).human_readable(false).build().map_err(text);
    Ok(Compiled {
        value_header: single_object_header(VALUE_SCHEMA)?,
        head_writer: writer(head_schema)?,
        key_header: single_object_header(KEY_SCHEMA)?,
        key_writer: writer(key_schema)?,
    })
}

pub(super) fn encode_key(number: &str) -> Result<Vec<u8>, EncodeError> {
    let compiled = compiled()?;
    let mut key = compiled.key_header.clone();
    compiled.key_writer.write_ser(&mut key, &number).map_err(|error| EncodeError(error.to_string()))?;
    Ok(key)
}

impl AvroValue {
    /// An encoder.
    ///
    /// # Errors
    /// When the embedded schema cannot be compiled, which its test excludes.
    pub fn new() -> Result<Self, EncodeError> {
        let compiled = compiled()?;
        Ok(Self { header: compiled.value_header.clone(), writer: &compiled.head_writer })
    }
}

impl ValueEncoder for AvroValue {
    fn encode_head(
        &self,
        stream_name: &str,
        stream_arn: Option<&str>,
        content_type: &str,
        fragment: &Fragment,
    ) -> Result<Vec<u8>, EncodeError> {
        let mut head = Vec::with_capacity(HEADROOM_BYTES);
        let fields = HeadFields::of(stream_name, stream_arn, content_type, fragment);
        self.writer.write_ser(&mut head, &fields).map_err(|error| EncodeError(error.to_string()))?;
        write_long(&mut head, long(fragment.payload.len() as u64));
        Ok(head)
    }
}

impl fmt::Debug for AvroValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AvroValue")
    }
}

impl SequencePrefix for AvroValue {
    fn prefix(&self, sequence: i64) -> Vec<u8> {
        let mut prefix = self.header.clone();
        // Which branch of the union, then the number.
        write_long(&mut prefix, 1);
        write_long(&mut prefix, sequence);
        prefix
    }
}

/// A long: zig-zag, seven bits at a time (Avro specification, "Binary encoding").
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

/// The value of an unsigned number in a long, nonsense ending at the range's end.
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
            // The bits of it: unique ids use all 64.
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
