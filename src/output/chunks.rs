//! The chunks output: the payload of a fragment in parts.
//!
//! **Contract.** Each record's value is the bytes of a part as they are, in order; the fragment's own record says in which
//! partition they are and how many. They have that record's key and timestamp, and headers with their index and number. They are
//! in the fragment's transaction, in front of its record.

use std::sync::Arc;

use kvs_client::Fragment;

use super::envelope::{Envelope, RecordParts};
use super::error::ProjectError;
use super::form::RecordForm;
use super::fragments::{BYTES_OVERHEAD_BYTES, data_topic_plan};
use super::framing::{Framing, SchemaError};
use super::kind::{Origin, Output, OutputKind, OutputSchemas, OutputSettings, OutputTopic, Projected};
use super::schema::FRAGMENT_KEY;
use super::timestamp::TimestampPolicy;
use crate::config::ConnectorConfig;
use crate::kafka::TopicFacts;
use crate::kafka::topics::TopicPlan;
use crate::model::{Header, OnRefused, OutputId, Partitioning, Publication, RecordOutput};

/// Kafka's default of max.message.bytes.
const MESSAGE_DEFAULT_BYTES: usize = 1_048_588;

/// The kind of outputs for chunks.
pub(super) struct Chunks;

impl OutputKind for Chunks {
    fn id(&self) -> OutputId {
        OutputId::CHUNKS
    }

    fn on_refused(&self) -> OnRefused {
        OnRefused::FailStream
    }

    fn topic_plan(&self, name: &str, settings: &OutputSettings<'_>) -> TopicPlan {
        let size_bytes = settings.connector.payload.chunk_max_bytes + BYTES_OVERHEAD_BYTES;
        let size_bytes = size_bytes.max(MESSAGE_DEFAULT_BYTES);
        data_topic_plan(("payload.chunk.topic", name), settings.connector, size_bytes)
    }

    fn schemas(&self, connector: &ConnectorConfig) -> OutputSchemas {
        OutputSchemas { value: None, ..OutputSchemas::of_fragment(connector.converters.keys, &FRAGMENT_KEY) }
    }

    fn open(
        &self,
        connector: &ConnectorConfig,
        topic: OutputTopic,
        framing: Framing,
        facts: &TopicFacts,
    ) -> Result<Arc<dyn Output>, SchemaError> {
        // The fragment's record names one partition.
        let form = RecordForm { partitioning: Partitioning::Stream, ..RecordForm::of(connector) };
        let output = RecordOutput { id: self.id(), on_refused: self.on_refused() };
        Ok(Arc::new(ChunkOutput {
            envelope: Envelope::of_bytes(output, topic, (form, framing), "kvs.connect.PayloadChunk")?,
            timestamps: TimestampPolicy::new(connector.record_timestamp, facts),
        }))
    }
}

/// The output of a connector's chunks.
struct ChunkOutput {
    envelope: Envelope,
    timestamps: TimestampPolicy,
}

impl Output for ChunkOutput {
    fn of_record(&self) -> RecordOutput {
        self.envelope.output()
    }

    fn topic(&self) -> &OutputTopic {
        &self.envelope.topic
    }

    fn project(
        &self,
        origin: &Origin<'_>,
        partition: i32,
        fragment: &mut Fragment,
        content_type: &str,
        publication: &mut Publication,
    ) -> Result<Projected, ProjectError> {
        let Some(chunks) = &origin.placement.chunks else { return Ok(Projected::default()) };
        let headers = self.envelope.headers.of_fragment(origin, fragment, Some(content_type)).of_record(None);
        let timestamp_ms = self.timestamps.time_of(origin, fragment).millis;
        let size_bytes = usize::try_from(chunks.max_size_bytes).unwrap_or(usize::MAX).max(1);
        for (index, bytes) in fragment.payload.chunks(size_bytes).enumerate() {
            let mut headers = headers.clone();
            headers.push(Header::new("kvs.chunk.index", index.to_string()));
            headers.push(Header::new("kvs.chunk.count", chunks.count.to_string()));
            let parts = RecordParts { timestamp_ms, headers, value: bytes.to_vec().into(), sequence: None };
            publication.records.push(self.envelope.record(origin, partition, fragment, parts)?);
        }
        Ok(Projected::default())
    }
}
