//! The fragments output: one record for each fragment, with the payload.
//!
//! **Contract.** The key is the fragment's number, the value `schemas/fragment.avsc` with the payload last; the headers are
//! `kvs.stream`, `kvs.fragment.number`, `kvs.content.type` (what the payload is) and `content-type` (what the value is). The
//! value lacks its sequence until the shard's owner publishes it. The payload is moved, not copied, out of the fragment.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use kvs_client::Fragment;
use kvs_mkv::Payload;

use super::envelope::{Envelope, RecordParts};
use super::error::ProjectError;
use super::fields::FragmentFields;
use super::form::RecordForm;
use super::framing::{Framing, SchemaError, SchemaWriter};
use super::kind::{Origin, Output, OutputKind, OutputSchemas, OutputSettings, OutputTopic, Projected, SettingMismatch};
use super::schema::FRAGMENT;
use super::sequenced::{PAYLOAD, Sequenced, write_long};
use super::timestamp::TimestampPolicy;
use crate::config::ConnectorConfig;
use crate::config::keys::TOPIC_CREATION_PREFIX;
use crate::kafka::topics::TopicPlan;
use crate::kafka::{PlanSettings, TopicFacts};
use crate::model::{OnRefused, OutputId, PayloadMode, Publication, RecordOutput, VALUE_HEADROOM_BYTES, ValueFormat};
use crate::telemetry;

/// The maximum size of a record without its payload, in bytes: index of the frames, tracks, tags, key, headers.
pub(crate) const RECORD_OVERHEAD_BYTES: usize = 4 << 20;

/// What a record of raw bytes has besides its value, at most, in bytes.
pub(super) const BYTES_OVERHEAD_BYTES: usize = 64 << 10;

/// How often the log says that records get their ingest time.
const SAY_AGAIN_MS: i64 = 60_000;

/// The configuration of a topic that limits its records.
pub(super) const MAX_MESSAGE_BYTES: &str = "max.message.bytes";

/// The retention of a topic that we create, unless the connector sets another: a week, Kafka's default.
const DEFAULT_RETENTION_MS: &str = "604800000";

/// Returns how large a payload in a record can be.
fn inline_max_bytes(connector: &ConnectorConfig) -> usize {
    connector.payload.inline_max_bytes(connector.fragment_max_size_bytes())
}

/// Returns the plan of a topic that the settings `topic.creation.default.*` are for, whose records have at most this size, in
/// bytes, unless those say otherwise. `setting` names the topic.
pub(super) fn data_topic_plan(
    (setting, name): (&'static str, &str),
    connector: &ConnectorConfig,
    record_size_bytes: usize,
) -> TopicPlan {
    let mut plan = TopicPlan {
        name: name.to_owned(),
        partitions: connector.topic_partitions,
        replication_factor: connector.topic_replication_factor,
        config: connector.topic_config.clone(),
        settings: PlanSettings {
            name: setting,
            partitions: Some("topic.creation.default.partitions"),
            replication_factor: "topic.creation.default.replication.factor",
            config_prefix: Some(TOPIC_CREATION_PREFIX),
        },
    };
    let mut default = |key: &str, value: String| _ = plan.config.entry(key.to_owned()).or_insert(value);
    default(MAX_MESSAGE_BYTES, record_size_bytes.to_string());
    default("retention.ms", DEFAULT_RETENTION_MS.to_owned());
    plan
}

/// The kind of outputs for fragments.
pub(super) struct Fragments;

impl OutputKind for Fragments {
    fn id(&self) -> OutputId {
        OutputId::FRAGMENTS
    }

    fn on_refused(&self) -> OnRefused {
        OnRefused::FailStream
    }

    fn topic_plan(&self, name: &str, settings: &OutputSettings<'_>) -> TopicPlan {
        let connector = settings.connector;
        data_topic_plan(("topic", name), connector, inline_max_bytes(connector) + RECORD_OVERHEAD_BYTES)
    }

    fn check(&self, connector: &ConnectorConfig, facts: &TopicFacts) -> Result<(), SettingMismatch> {
        let limit = inline_max_bytes(connector);
        let max_message_bytes = facts.number(MAX_MESSAGE_BYTES).unwrap_or(i64::MAX);
        if max_message_bytes >= i64::try_from(limit).unwrap_or(i64::MAX) {
            return Ok(());
        }
        let reason = format!(
            "topic {}: its max.message.bytes is {max_message_bytes} and connector {:?} allows fragments of {limit} bytes \
             (kvs.fragment.max.size.bytes): raise the former or lower the latter",
            connector.topic.text(),
            connector.name
        );
        Err(SettingMismatch { setting: "kvs.fragment.max.size.bytes", reason })
    }

    fn schemas(&self, connector: &ConnectorConfig) -> OutputSchemas {
        OutputSchemas::of_fragment(connector.converters.keys, &FRAGMENT)
    }

    fn open(
        &self,
        connector: &ConnectorConfig,
        topic: OutputTopic,
        framing: Framing,
        facts: &TopicFacts,
    ) -> Result<Arc<dyn Output>, SchemaError> {
        let timestamps = TimestampPolicy::new(connector.record_timestamp, facts);
        Ok(Arc::new(FragmentOutput::new(topic, (RecordForm::of(connector), framing), timestamps)?))
    }
}

/// The output of a connector's fragments.
pub struct FragmentOutput {
    envelope: Envelope,
    timestamps: TimestampPolicy,
    /// When the log last said that a record's time was replaced.
    replaced_said_ms: AtomicI64,
}

impl FragmentOutput {
    /// Creates the output to a topic.
    ///
    /// # Errors
    /// When a built-in schema cannot be compiled, which a test excludes.
    pub fn new(
        topic: OutputTopic,
        (form, framing): (RecordForm, Framing),
        timestamps: TimestampPolicy,
    ) -> Result<Self, SchemaError> {
        static VALUE: SchemaWriter = SchemaWriter::new();
        // JSON cannot contain the payload.
        let value = Sequenced::new(&VALUE, ValueFormat::Avro, framing, &FRAGMENT, Some(PAYLOAD))?;
        let output = RecordOutput { id: Fragments.id(), on_refused: Fragments.on_refused() };
        let envelope = Envelope::new(output, topic, (form, framing), (value, &FRAGMENT))?;
        Ok(Self { envelope, timestamps, replaced_said_ms: AtomicI64::new(0) })
    }
}

impl Output for FragmentOutput {
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
        let chosen = self.timestamps.time_of(origin, fragment);
        if let Some(reason) = chosen.replaced {
            telemetry::timestamp_replaced(origin.key, reason);
            let said_ms = self.replaced_said_ms.load(Ordering::Relaxed);
            if origin.now_ms.saturating_sub(said_ms) >= SAY_AGAIN_MS {
                self.replaced_said_ms.store(origin.now_ms, Ordering::Relaxed);
                tracing::warn!(stream = %origin.key.stream, fragment_number = %fragment.number, reason,
                    "records get their ingest time (kvs_connect_record_timestamps_replaced_total): with the configured time they would be \
                     refused or deleted at once; this is said once a minute for all streams of the connector");
            }
        }
        let mut head = Vec::with_capacity(VALUE_HEADROOM_BYTES);
        self.envelope.append("the fragment", &mut head, &FragmentFields::of(origin, content_type, fragment))?;
        let is_inline = origin.placement.mode == PayloadMode::Inline;
        let inline_bytes = if is_inline { fragment.payload.len() } else { 0 };
        write_long(&mut head, i64::try_from(inline_bytes).unwrap_or(i64::MAX));
        let headers = self.envelope.headers.of_fragment(origin, fragment, Some(content_type)).of_record(None);
        // The payload is taken out of the fragment last: until then the fragment is whole, whatever is wrong with it.
        self.envelope.check_size(origin, head.len() + inline_bytes)?;
        let parts = RecordParts {
            timestamp_ms: chosen.millis,
            headers,
            value: Payload::default(),
            sequence: self.envelope.sequence(),
        };
        let mut record = self.envelope.record(origin, partition, fragment, parts)?;
        let payload = std::mem::take(&mut fragment.payload);
        record.value = Some(if is_inline { payload.into_prefixed(&head) } else { head.into() });
        publication.records.push(record);
        Ok(Projected::default())
    }
}

#[cfg(test)]
#[path = "fragments/fragments_tests.rs"]
mod tests;
