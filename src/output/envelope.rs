//! What the records of a fragment have in every output: topic, partition, key, headers, and a value that begins with the
//! sequence.

use std::sync::Arc;

use kvs_client::Fragment;
use kvs_mkv::Payload;
use serde::Serialize;

use super::error::{FragmentError, ProjectError};
use super::form::RecordForm;
use super::framing::{EncodeError, Framed, Framing, SchemaError, SchemaWriter};
use super::headers::HeaderWriter;
use super::kind::{Origin, OutputTopic};
use super::schema::{BuiltInSchema, FRAGMENT_KEY};
use super::sequenced::Sequenced;
use crate::model::{
    Header, KeyFormat, Partitioning, Record, RecordKey, RecordOutput, SequencePrefix, ValueFormat, partition_for,
};

/// librdkafka's default of batch.size: no batch of several records is larger.
const BATCH_MAX_BYTES: usize = 1_000_000;
/// What the sequence adds to a value, at most, in bytes.
const PREFIX_MAX_BYTES: usize = 64;

/// Writes keys.
enum KeyWriter {
    /// As text.
    Text,
    /// As Avro strings.
    Avro(Framed),
}

/// Writes the records of fragments to the topic of one output.
pub(super) struct Envelope {
    output: RecordOutput,
    pub(super) topic: OutputTopic,
    key: RecordKey,
    keys: KeyWriter,
    partitioning: Partitioning,
    pub(super) headers: HeaderWriter,
    value: Option<Arc<Sequenced>>,
}

/// What differs between the records of an output.
pub(super) struct RecordParts {
    pub(super) timestamp_ms: i64,
    pub(super) headers: Vec<Header>,
    pub(super) value: Payload,
    /// Encodes what the value still lacks at its front; `None`: nothing.
    pub(super) sequence: Option<Arc<dyn SequencePrefix>>,
}

impl Envelope {
    /// Creates an envelope for values of this writer and schema.
    ///
    /// # Errors
    /// When the built-in schema of keys cannot be compiled, which a test excludes.
    pub(super) fn new(
        output: RecordOutput,
        topic: OutputTopic,
        (form, framing): (RecordForm, Framing),
        (value, schema): (Sequenced, &BuiltInSchema),
    ) -> Result<Self, SchemaError> {
        let value_type = value.content_type();
        Self::of_values(output, topic, (form, framing), (Some(value), schema.full_name, value_type))
    }

    /// Creates an envelope for values that are bytes as they are.
    ///
    /// # Errors
    /// When the built-in schema of keys cannot be compiled, which a test excludes.
    pub(super) fn of_bytes(
        output: RecordOutput,
        topic: OutputTopic,
        form: (RecordForm, Framing),
        event_type: &'static str,
    ) -> Result<Self, SchemaError> {
        Self::of_values(output, topic, form, (None, event_type, "application/octet-stream"))
    }

    fn of_values(
        output: RecordOutput,
        topic: OutputTopic,
        (form, framing): (RecordForm, Framing),
        (value, event_type, value_type): (Option<Sequenced>, &'static str, &'static str),
    ) -> Result<Self, SchemaError> {
        static KEY: SchemaWriter = SchemaWriter::new();
        let keys = match form.keys {
            KeyFormat::Text => KeyWriter::Text,
            KeyFormat::Avro => KeyWriter::Avro(Framed::new(framing.key_header(&FRAGMENT_KEY)?, &KEY, &FRAGMENT_KEY)?),
        };
        let (key, partitioning) = (form.key, form.partitioning);
        let headers = HeaderWriter::new(form, output.id, event_type, value_type);
        Ok(Self { output, topic, key, keys, partitioning, headers, value: value.map(Arc::new) })
    }

    /// Returns what encodes the sequence in front of values.
    pub(super) fn sequence(&self) -> Option<Arc<dyn SequencePrefix>> {
        self.value.as_ref().map(|value| Arc::clone(value) as Arc<dyn SequencePrefix>)
    }

    /// Returns the writer of values, which encodes the sequence in front of them.
    pub(super) fn sequenced(&self) -> Option<Arc<Sequenced>> {
        self.value.as_ref().map(Arc::clone)
    }

    /// Returns the format of values; `None`: they are bytes as they are.
    pub(super) fn format(&self) -> Option<ValueFormat> {
        self.value.as_ref().map(|value| value.format())
    }

    /// Appends fields to a value, without the sequence.
    ///
    /// # Errors
    /// When a field does not fit the schema.
    pub(super) fn append(
        &self,
        what: &'static str,
        value: &mut Vec<u8>,
        fields: &impl Serialize,
    ) -> Result<(), EncodeError> {
        self.value.as_ref().map_or(Ok(()), |writer| writer.append(what, value, fields))
    }

    /// Returns the output as its records refer to it.
    pub(super) fn output(&self) -> RecordOutput {
        self.output
    }

    /// Returns whether records keep to the partition that is stored with the stream's offset. `of_track`: each record is of one
    /// track.
    pub(super) fn keeps_partition(&self, of_track: bool) -> bool {
        match self.partitioning {
            Partitioning::Stream => true,
            Partitioning::Key => false,
            Partitioning::Track => !of_track,
        }
    }

    /// Returns the key of a fragment.
    ///
    /// # Errors
    /// When it cannot be encoded.
    fn key(&self, origin: &Origin<'_>, number: &str) -> Result<Vec<u8>, EncodeError> {
        let text = match self.key {
            RecordKey::Fragment => number.to_owned(),
            RecordKey::Stream => origin.stream_name.to_owned(),
            RecordKey::StreamFragment => format!("{}/{number}", origin.stream_name),
        };
        match &self.keys {
            KeyWriter::Text => Ok(text.into_bytes()),
            KeyWriter::Avro(key) => key.value("the fragment's key", &text),
        }
    }

    /// Returns the record of a fragment, or of its part of one track. Its value still lacks the sequence. `kept` is the
    /// stream's partition.
    ///
    /// # Errors
    /// When the key cannot be encoded, the record is too large, or its partition accepts no records.
    pub(super) fn record(
        &self,
        origin: &Origin<'_>,
        kept: i32,
        fragment: &Fragment,
        parts: RecordParts,
    ) -> Result<Record, ProjectError> {
        let key = self.key(origin, fragment.number.as_str())?;
        self.record_with_key(origin, kept, key, origin.track, parts)
    }

    /// Returns a record with this key, of this track if it is of one.
    ///
    /// # Errors
    /// When the record is too large, or its partition accepts no records.
    pub(super) fn record_with_key(
        &self,
        origin: &Origin<'_>,
        kept: i32,
        key: Vec<u8>,
        track: Option<&str>,
        parts: RecordParts,
    ) -> Result<Record, ProjectError> {
        self.check_size(origin, parts.value.len())?;
        let chosen_by = |bytes: &[u8]| {
            let partition = partition_for(bytes, self.topic.partitions.count()?);
            self.topic.partitions.available(partition).map(|()| partition)
        };
        let partition = match (self.partitioning, track) {
            (Partitioning::Key, _) => chosen_by(&key)?,
            (Partitioning::Track, Some(track)) => chosen_by(format!("{}/{track}", origin.stream_name).as_bytes())?,
            (Partitioning::Stream, _) | (Partitioning::Track, None) => kept,
        };
        Ok(Record {
            output: Some(self.output),
            topic: Arc::clone(&self.topic.name),
            partition,
            key,
            value: Some(parts.value),
            headers: parts.headers,
            timestamp_ms: Some(parts.timestamp_ms),
            sequence: parts.sequence,
        })
    }

    /// Checks that the topic has not refused a record of this size.
    ///
    /// # Errors
    /// When it has.
    pub(super) fn check_size(&self, origin: &Origin<'_>, size_bytes: usize) -> Result<(), FragmentError> {
        // A batch of small records may have been refused as a whole: then it is none of them that is too large.
        let limit_bytes = self.topic.max_message_bytes.unwrap_or(BATCH_MAX_BYTES);
        let alone_bytes = (limit_bytes - limit_bytes / 10).min(BATCH_MAX_BYTES);
        match origin.refused_sizes.get(&self.topic.name) {
            Some(&refused_bytes) if size_bytes + PREFIX_MAX_BYTES >= refused_bytes && size_bytes >= alone_bytes => {
                Err(FragmentError::TooLarge { topic: Arc::clone(&self.topic.name), size_bytes, refused_bytes })
            }
            _ => Ok(()),
        }
    }
}
