//! The metadata output: one record for each fragment, without the payload.
//!
//! **Contract.** Key, partition and timestamp are chosen as for the fragment's record; the value is
//! `schemas/metadata.avsc`, in Avro or as JSON. The headers are those of the fragment's record, with the value's own `content-type`. It
//! is written in the fragment's transaction: a fragment is published with its metadata or not at all.

use std::sync::Arc;

use kvs_client::Fragment;

use super::envelope::{Envelope, RecordParts};
use super::error::ProjectError;
use super::fields::FragmentFields;
use super::form::RecordForm;
use super::fragments::{RECORD_OVERHEAD_BYTES, data_topic_plan};
use super::framing::{Framing, SchemaError, SchemaWriter};
use super::kind::{Origin, Output, OutputKind, OutputSchemas, OutputSettings, OutputTopic, Projected};
use super::schema::METADATA;
use super::sequenced::Sequenced;
use super::timestamp::TimestampPolicy;
use crate::config::ConnectorConfig;
use crate::kafka::TopicFacts;
use crate::kafka::topics::TopicPlan;
use crate::model::{OnRefused, OutputId, Publication, RecordOutput, ValueFormat};

/// JSON needs more room than Avro: a frame of the index takes about 100 bytes instead of 13.
const JSON_FACTOR: usize = 8;

/// The kind of outputs for metadata.
pub(super) struct Metadata;

impl OutputKind for Metadata {
    fn id(&self) -> OutputId {
        OutputId::METADATA
    }

    fn on_refused(&self) -> OnRefused {
        OnRefused::FailStream
    }

    fn topic_plan(&self, name: &str, settings: &OutputSettings<'_>) -> TopicPlan {
        let size_bytes = match settings.connector.value_format {
            ValueFormat::Avro => RECORD_OVERHEAD_BYTES,
            ValueFormat::Json => RECORD_OVERHEAD_BYTES * JSON_FACTOR,
        };
        data_topic_plan(("metadata.topic", name), settings.connector, size_bytes)
    }

    fn schemas(&self, connector: &ConnectorConfig) -> OutputSchemas {
        let schemas = OutputSchemas::of_fragment(connector.converters.keys, &METADATA);
        OutputSchemas { value: schemas.value.filter(|_| connector.value_format == ValueFormat::Avro), ..schemas }
    }

    fn open(
        &self,
        connector: &ConnectorConfig,
        topic: OutputTopic,
        framing: Framing,
        facts: &TopicFacts,
    ) -> Result<Arc<dyn Output>, SchemaError> {
        let timestamps = TimestampPolicy::new(connector.record_timestamp, facts);
        let form = (RecordForm::of(connector), framing);
        Ok(Arc::new(MetadataOutput::new(topic, form, connector.value_format, timestamps)?))
    }
}

/// The output of a connector's metadata.
pub struct MetadataOutput {
    envelope: Envelope,
    timestamps: TimestampPolicy,
}

impl MetadataOutput {
    /// Creates the output to a topic.
    ///
    /// # Errors
    /// When a built-in schema cannot be compiled, which a test excludes.
    pub fn new(
        topic: OutputTopic,
        (form, framing): (RecordForm, Framing),
        format: ValueFormat,
        timestamps: TimestampPolicy,
    ) -> Result<Self, SchemaError> {
        static VALUE: SchemaWriter = SchemaWriter::new();
        let value = Sequenced::new(&VALUE, format, framing, &METADATA, None)?;
        let output = RecordOutput { id: Metadata.id(), on_refused: Metadata.on_refused() };
        Ok(Self { envelope: Envelope::new(output, topic, (form, framing), (value, &METADATA))?, timestamps })
    }
}

impl Output for MetadataOutput {
    fn of_record(&self) -> RecordOutput {
        self.envelope.output()
    }

    fn topic(&self) -> &OutputTopic {
        &self.envelope.topic
    }

    fn keeps_partition(&self, of_track: bool) -> bool {
        self.envelope.keeps_partition(of_track)
    }

    fn project(
        &self,
        origin: &Origin<'_>,
        partition: i32,
        fragment: &mut Fragment,
        content_type: &str,
        publication: &mut Publication,
    ) -> Result<Projected, ProjectError> {
        let mut value = Vec::new();
        self.envelope.append("the metadata", &mut value, &FragmentFields::of(origin, content_type, fragment))?;
        let parts = RecordParts {
            timestamp_ms: self.timestamps.time_of(origin, fragment).millis,
            headers: self.envelope.headers.of_fragment(origin, fragment, Some(content_type)).of_record(None),
            value: value.into(),
            sequence: self.envelope.sequence(),
        };
        publication.records.push(self.envelope.record(origin, partition, fragment, parts)?);
        Ok(Projected::default())
    }
}

#[cfg(test)]
#[path = "metadata_tests.rs"]
mod tests;
