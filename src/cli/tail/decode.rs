//! Decodes a record's value.

use apache_avro::reader::single_object::GenericSingleObjectReader;
use apache_avro::types::Value;

use crate::output::{SchemaError, notification_schema, value_schemas};

/// A decoded record of one of our topics.
pub(super) enum Decoded {
    Fragment(Box<Fragment>),
    /// All fields of a notification, in the schema's form.
    Notification(serde_json::Value),
}

/// The parts of a fragment that are shown.
pub(super) struct Fragment {
    pub(super) sequence: Option<i64>,
    pub(super) stream: String,
    pub(super) arn: Option<String>,
    pub(super) number: String,
    pub(super) server_ms: Option<i64>,
    pub(super) producer_ms: Option<i64>,
    pub(super) millis_behind_now: Option<i64>,
    pub(super) complete: bool,
    pub(super) duration_ns: i64,
    pub(super) frames: usize,
    pub(super) key_frames: usize,
    pub(super) codecs: Vec<String>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) content_type: String,
    pub(super) payload: Vec<u8>,
}

/// Reasons why a value cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum DecodeError {
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error("it is not an Avro single object")]
    NotAvro,
    #[error("it was written with a schema of fingerprint {fingerprint}, which this version does not know")]
    UnknownSchema { fingerprint: String },
    #[error("{0}")]
    Datum(#[source] Box<apache_avro::Error>),
    #[error("it has no {expected}")]
    Shape { expected: &'static str },
}

impl From<apache_avro::Error> for DecodeError {
    fn from(error: apache_avro::Error) -> Self {
        Self::Datum(Box::new(error))
    }
}

/// Reads Avro single objects of our schemas, and of those with which earlier versions wrote fragments.
pub(super) struct Decoder {
    fragments: Vec<(Vec<u8>, GenericSingleObjectReader)>,
    notifications: (Vec<u8>, GenericSingleObjectReader),
}

impl Decoder {
    pub(super) fn new() -> Result<Self, DecodeError> {
        let reader = |(header, schema): (Vec<u8>, apache_avro::Schema)| {
            let reader = GenericSingleObjectReader::builder().schema(schema).header(header.clone()).build();
            Ok::<_, DecodeError>((header, reader?))
        };
        Ok(Self {
            fragments: value_schemas()?.into_iter().map(reader).collect::<Result<_, _>>()?,
            notifications: reader(notification_schema()?)?,
        })
    }

    pub(super) fn decode(&self, mut bytes: &[u8]) -> Result<Decoded, DecodeError> {
        let mut known = self.fragments.iter().chain([&self.notifications]);
        let (header, reader) = known.find(|(header, _)| bytes.starts_with(header)).ok_or_else(|| unknown(bytes))?;
        let value = reader.read_value(&mut bytes)?;
        if *header == self.notifications.0 {
            let fields = serde_json::Value::try_from(value)?;
            return Ok(Decoded::Notification(fields));
        }
        let Value::Record(fields) = value else { return Err(DecodeError::Shape { expected: "fields" }) };
        fragment(fields).map(|fragment| Decoded::Fragment(Box::new(fragment)))
    }
}

fn fragment(fields: Vec<(String, Value)>) -> Result<Fragment, DecodeError> {
    let mut fields = Fields(fields);
    let frames = fields.array("frames");
    let key_frames = frames.iter().filter(|frame| matches!(member(frame, "key"), Some(Value::Boolean(true)))).count();
    let tracks = fields.array("tracks");
    let tags = fields.array("tags");
    let pair = |tag: &Value| Some((as_text(member(tag, "name")?)?, as_text(member(tag, "value")?)?));
    Ok(Fragment {
        sequence: fields.long("sequence"),
        stream: fields.text("stream_name").unwrap_or_default(),
        arn: fields.text("stream_arn"),
        number: fields.text("fragment_number").unwrap_or_default(),
        server_ms: fields.long("server_timestamp"),
        producer_ms: fields.long("producer_timestamp"),
        millis_behind_now: fields.long("millis_behind_now"),
        complete: matches!(fields.take("complete"), Some(Value::Boolean(true))),
        duration_ns: fields.long("duration_ns").unwrap_or(0),
        frames: frames.len(),
        key_frames,
        codecs: tracks.iter().filter_map(|track| as_text(member(track, "codec_id")?)).collect(),
        tags: tags.iter().filter_map(pair).collect(),
        content_type: fields.text("content_type").unwrap_or_default(),
        payload: match fields.take("payload") {
            Some(Value::Bytes(payload)) => payload,
            _ => return Err(DecodeError::Shape { expected: "payload" }),
        },
    })
}

fn unknown(bytes: &[u8]) -> DecodeError {
    match bytes {
        [0xC3, 0x01, fingerprint @ ..] if fingerprint.len() >= 8 => {
            let fingerprint = fingerprint[..8].iter().map(|byte| format!("{byte:02x}")).collect();
            DecodeError::UnknownSchema { fingerprint }
        }
        _ => DecodeError::NotAvro,
    }
}

struct Fields(Vec<(String, Value)>);

impl Fields {
    /// Takes a field's value out of its union; `None` for null.
    fn take(&mut self, name: &str) -> Option<Value> {
        let (_, value) = self.0.iter_mut().find(|(field, _)| field == name)?;
        match std::mem::replace(value, Value::Null) {
            Value::Union(_, inner) => Some(*inner).filter(|inner| !matches!(inner, Value::Null)),
            value => Some(value),
        }
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    fn long(&mut self, name: &str) -> Option<i64> {
        match self.take(name)? {
            Value::Long(value) | Value::TimestampMillis(value) => Some(value),
            _ => None,
        }
    }

    fn array(&mut self, name: &str) -> Vec<Value> {
        match self.take(name) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        }
    }
}

fn member<'v>(record: &'v Value, name: &str) -> Option<&'v Value> {
    let Value::Record(fields) = record else { return None };
    fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
