//! Decodes a record's value: a fragment, its metadata, a frame, or a notification, in Avro or JSON.

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::reader::single_object::GenericSingleObjectReader;
use apache_avro::types::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};

use crate::output::{SchemaError, frame_schemas, metadata_schemas, notification_schema, value_schemas};

/// A decoded record of one of our topics.
pub struct Decoded {
    /// What it is.
    pub kind: Kind,
    /// All fields but the media, as a record in JSON has them.
    pub fields: Json,
    /// The data of a frame.
    pub data: Option<Vec<u8>>,
}

/// What a record is.
pub enum Kind {
    /// A fragment, or its metadata.
    Fragment(Box<Fragment>),
    /// A frame.
    Frame,
    /// A change of a stream.
    Notification,
}

/// The parts of a fragment's record, or of its metadata, that commands use. Fields that the record lacks are `None`.
#[derive(Default)]
pub struct Fragment {
    /// Counts the stream's records.
    pub sequence: Option<i64>,
    /// The stream's name.
    pub stream: String,
    /// The fragment's number, as text.
    pub number: String,
    /// When the service received it, in milliseconds since 1970.
    pub server_ms: Option<i64>,
    /// When it was made, in milliseconds since 1970.
    pub producer_ms: Option<i64>,
    /// Whether all of it was received.
    pub complete: bool,
    /// Whether a decoder can begin with it. `None`: an earlier version wrote the record; and so for the next one.
    pub random_access: Option<bool>,
    /// Whether it does not continue the fragment before it.
    pub discontinuity: Option<bool>,
    /// How long it is, in nanoseconds.
    pub duration_ns: i64,
    /// How many frames it has.
    pub frames: usize,
    /// The size of its media, in bytes.
    pub size_bytes: u64,
    /// `None`: the record is metadata, or the payload is elsewhere.
    pub payload: Option<Vec<u8>>,
    /// `payload_mode`.
    pub mode: Option<String>,
    /// `payload_uri`.
    pub uri: Option<String>,
    /// `payload_sha256`.
    pub sha256: Option<String>,
    /// `payload_chunks`.
    pub parts: Option<Parts>,
}

impl Fragment {
    /// Returns where the payload is, for people, if the record says that it is elsewhere.
    pub fn elsewhere(&self) -> Option<String> {
        match self.mode.as_deref()? {
            "none" => Some("nowhere: payload.mode is none".to_owned()),
            "reference" => self.uri.clone(),
            "chunked" => Some(self.parts.as_ref().map_or_else(
                || "in parts, and the record does not say where".to_owned(),
                |Parts { topic, partition, count }| format!("{count} records of topic {topic}, partition {partition}"),
            )),
            _ => None,
        }
    }
}

/// Where the parts of a payload are.
pub struct Parts {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// How many there are.
    pub count: usize,
}

/// Reasons why a value cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A schema of ours cannot be parsed, which a test excludes.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// None of our formats.
    #[error("it is neither Avro, as a single object or in Confluent's framing, nor JSON")]
    OtherFormat,
    /// It begins like JSON.
    #[error("it is not JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// It is a single object.
    #[error("it was written with a schema of fingerprint {fingerprint}, which this version does not know")]
    UnknownSchema {
        /// Eight bytes in hexadecimal digits.
        fingerprint: String,
    },
    /// It has the framing of a registry.
    #[error("its schema in the registry is none of this version's")]
    OtherSchema,
    /// The datum is not what its schema says.
    #[error("{0}")]
    Datum(#[source] Box<apache_avro::Error>),
    /// It has other fields.
    #[error("it has no {expected}")]
    Shape {
        /// What was expected.
        expected: &'static str,
    },
}

impl From<apache_avro::Error> for DecodeError {
    fn from(error: apache_avro::Error) -> Self {
        Self::Datum(Box::new(error))
    }
}

/// Reads JSON, Avro single objects of our schemas and of those with which earlier versions wrote fragments, and Confluent's
/// framing of the same.
pub struct Decoder {
    /// A reader for each schema, with the header of its values.
    readers: Vec<(Vec<u8>, GenericSingleObjectReader)>,
    /// The same schemas, for values that name theirs by an id of a registry.
    schemas: Vec<apache_avro::Schema>,
}

impl Decoder {
    /// Creates a decoder of all schemas that this version knows.
    ///
    /// # Errors
    /// When one of them cannot be parsed, which a test excludes.
    pub fn new() -> Result<Self, DecodeError> {
        let reader = |(header, schema): (Vec<u8>, apache_avro::Schema)| {
            let reader = GenericSingleObjectReader::builder().schema(schema).header(header.clone()).build();
            Ok::<_, DecodeError>((header, reader?))
        };
        let mut all = value_schemas()?;
        all.extend(metadata_schemas()?);
        all.extend(frame_schemas()?);
        all.push(notification_schema()?);
        let schemas = all.iter().map(|(_, schema)| schema.clone()).collect();
        Ok(Self { readers: all.into_iter().map(reader).collect::<Result<_, _>>()?, schemas })
    }

    /// Decodes a record's value.
    ///
    /// # Errors
    /// What the value is not.
    pub fn decode(&self, mut bytes: &[u8]) -> Result<Decoded, DecodeError> {
        if bytes.first() == Some(&b'{') {
            return decoded(serde_json::from_slice(bytes).map_err(DecodeError::Json)?, None);
        }
        if let [0, _, _, _, _, datum @ ..] = bytes {
            return self.by_registry(datum);
        }
        let known = self.readers.iter().find(|(header, _)| bytes.starts_with(header));
        let (_, reader) = known.ok_or_else(|| unknown(bytes))?;
        let mut value = reader.read_value(&mut bytes)?;
        let payload = take_payload(&mut value);
        decoded(to_json(value), payload)
    }

    /// Reads a datum whose schema only a registry knows: it is the one of ours that explains all of its bytes.
    fn by_registry(&self, datum: &[u8]) -> Result<Decoded, DecodeError> {
        for schema in &self.schemas {
            let mut rest = datum;
            let read = GenericDatumReader::builder(schema).build()?.read_value(&mut rest);
            if let Ok(mut value) = read
                && rest.is_empty()
            {
                let payload = take_payload(&mut value);
                return decoded(to_json(value), payload);
            }
        }
        Err(DecodeError::OtherSchema)
    }
}

/// Returns a value as records in JSON have it, with bytes in base64.
fn to_json(value: Value) -> Json {
    match value {
        Value::Record(fields) => {
            fields.into_iter().map(|(name, value)| (name, to_json(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(to_json).collect(),
        Value::Union(_, value) => to_json(*value),
        Value::Bytes(bytes) | Value::Fixed(_, bytes) => STANDARD.encode(bytes).into(),
        // All that is left is text, a number, a flag or nothing.
        other => Json::try_from(other).unwrap_or_default(),
    }
}

/// Takes the payload, or the data of a frame, out of a record: nobody wants to see it.
fn take_payload(value: &mut Value) -> Option<Vec<u8>> {
    let Value::Record(fields) = value else { return None };
    let (_, payload) = fields.iter_mut().find(|(name, _)| name == "payload" || name == "data")?;
    match std::mem::replace(payload, Value::Null) {
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

fn decoded(mut fields: Json, payload: Option<Vec<u8>>) -> Result<Decoded, DecodeError> {
    let mut data = None;
    let kind = if fields["frame_index"].is_number() {
        data = payload;
        Kind::Frame
    } else if fields["fragment_number"].is_string() {
        Kind::Fragment(Box::new(fragment(&fields, payload)))
    } else if fields["kind"].is_string() {
        Kind::Notification
    } else {
        return Err(DecodeError::Shape { expected: "fragment_number and no kind" });
    };
    if let Some(members) = fields.as_object_mut() {
        members.remove("payload");
        members.remove("data");
    }
    Ok(Decoded { kind, fields, data })
}

fn fragment(fields: &Json, payload: Option<Vec<u8>>) -> Fragment {
    let text = |name: &str| fields[name].as_str().map(str::to_owned);
    let long = |name: &str| fields[name].as_i64();
    let chunks = &fields["payload_chunks"];
    let parts = chunks["topic"].as_str().map(|topic| Parts {
        topic: topic.to_owned(),
        partition: chunks["partition"].as_i64().and_then(|partition| i32::try_from(partition).ok()).unwrap_or(0),
        count: chunks["count"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(0),
    });
    let mut fragment = Fragment {
        sequence: long("sequence"),
        stream: text("stream_name").unwrap_or_default(),
        number: text("fragment_number").unwrap_or_default(),
        server_ms: long("server_timestamp"),
        producer_ms: long("producer_timestamp"),
        complete: fields["complete"] == true,
        random_access: fields["random_access"].as_bool(),
        discontinuity: fields["discontinuity"].as_bool(),
        duration_ns: long("duration_ns").unwrap_or(0),
        frames: fields["frames"].as_array().map_or(0, Vec::len),
        size_bytes: fields["size_bytes"].as_u64().unwrap_or(0),
        payload: None,
        mode: text("payload_mode"),
        uri: text("payload_uri"),
        sha256: text("payload_sha256"),
        parts,
    };
    fragment.payload = payload.filter(|_| fragment.elsewhere().is_none());
    fragment
}

fn unknown(bytes: &[u8]) -> DecodeError {
    match bytes {
        [0xC3, 0x01, fingerprint @ ..] if fingerprint.len() >= 8 => {
            let fingerprint = fingerprint[..8].iter().map(|byte| format!("{byte:02x}")).collect();
            DecodeError::UnknownSchema { fingerprint }
        }
        _ => DecodeError::OtherFormat,
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
