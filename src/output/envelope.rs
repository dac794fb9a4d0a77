//! What the records of a fragment have in every output: topic, key, headers, and a value that begins with the sequence.

use std::sync::Arc;

use kvs_mkv::Payload;

use super::framing::{EncodeError, Framed, Framing, SchemaError, SchemaWriter};
use super::kind::{Origin, OutputTopic};
use super::schema::FRAGMENT_KEY;
use super::sequenced::Sequenced;
use crate::model::{KeyFormat, Record, RecordOutput, SequencePrefix};

/// Writes the keys of a fragment's records, which are its number.
enum RecordKey {
    /// The digits as text.
    Text,
    /// An Avro string.
    Avro(Framed),
}

impl RecordKey {
    /// Creates a writer of keys.
    ///
    /// # Errors
    /// When the built-in schema cannot be compiled, which a test excludes.
    fn new(format: KeyFormat, framing: Framing) -> Result<Self, SchemaError> {
        static KEY: SchemaWriter = SchemaWriter::new();
        Ok(match format {
            KeyFormat::Text => Self::Text,
            KeyFormat::Avro => Self::Avro(Framed::new(framing.key_header(&FRAGMENT_KEY)?, &KEY, &FRAGMENT_KEY)?),
        })
    }

    /// Returns the key of a fragment.
    ///
    /// # Errors
    /// When it cannot be encoded.
    fn bytes(&self, number: &str) -> Result<Vec<u8>, EncodeError> {
        match self {
            Self::Text => Ok(number.as_bytes().to_vec()),
            Self::Avro(key) => key.value("the fragment's key", &number),
        }
    }
}

/// Writes the records of fragments to the topic of one output.
pub(super) struct Envelope {
    output: RecordOutput,
    pub(super) topic: OutputTopic,
    key: RecordKey,
    pub(super) value: Arc<Sequenced>,
}

impl Envelope {
    /// Creates an envelope for values of this writer.
    ///
    /// # Errors
    /// When the built-in schema of keys cannot be compiled, which a test excludes.
    pub(super) fn new(
        output: RecordOutput,
        topic: OutputTopic,
        (keys, framing): (KeyFormat, Framing),
        value: Sequenced,
    ) -> Result<Self, SchemaError> {
        Ok(Self { output, topic, key: RecordKey::new(keys, framing)?, value: Arc::new(value) })
    }

    /// Returns the output as its records refer to it.
    pub(super) fn output(&self) -> RecordOutput {
        self.output
    }

    /// Returns the record of a fragment with this number and media of this type. Its value still lacks the sequence.
    ///
    /// # Errors
    /// When the key cannot be encoded.
    pub(super) fn record(
        &self,
        origin: &Origin<'_>,
        partition: i32,
        (number, content_type): (&str, &str),
        timestamp_ms: i64,
        value: Payload,
    ) -> Result<Record, EncodeError> {
        Ok(Record {
            output: Some(self.output),
            topic: Arc::clone(&self.topic.name),
            partition,
            key: self.key.bytes(number)?,
            value: Some(value),
            headers: headers(origin, number, content_type, self.value.content_type()),
            timestamp_ms: Some(timestamp_ms),
            sequence: Some(Arc::clone(&self.value) as Arc<dyn SequencePrefix>),
        })
    }
}

/// Returns the headers of a fragment's record. `content_type` is the type of the fragment's media, `value_type` that of the
/// record's value.
fn headers(origin: &Origin<'_>, number: &str, content_type: &str, value_type: &str) -> Vec<(&'static str, String)> {
    vec![
        ("kvs.stream", origin.stream_name.to_owned()),
        ("kvs.fragment.number", number.to_owned()),
        ("kvs.content.type", content_type.to_owned()),
        ("content-type", value_type.to_owned()),
    ]
}
