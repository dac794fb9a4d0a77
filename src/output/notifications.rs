//! The notifications output: one record for each change of a stream that people or programs want to know of, in a topic that the worker's
//! connectors share.
//!
//! **Contract.** The key is the stream's name. No fragment waits for a notification: one that cannot be written is
//! dropped.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::framing::{EncodeError, Framing, SchemaError, SchemaWriter, ValueWriter};
use super::kind::{Origin, Output, OutputKind, OutputSchemas, OutputSettings, OutputTopic};
use super::notification::{Fields, Notification};
use super::schema::NOTIFICATION;
use crate::config::ConnectorConfig;
use crate::kafka::topics::TopicPlan;
use crate::kafka::{PlanSettings, TopicFacts};
use crate::model::{Header, OnRefused, OutputId, Record, RecordOutput, ValueFormat, partition_for};

/// The retention of a notifications topic that we create: 30 days.
const RETENTION_MS: &str = "2592000000";

/// The kind of outputs for notifications.
pub(super) struct Notifications;

impl OutputKind for Notifications {
    fn id(&self) -> OutputId {
        OutputId::NOTIFICATIONS
    }

    fn on_refused(&self) -> OnRefused {
        OnRefused::Drop
    }

    fn topic_plan(&self, name: &str, settings: &OutputSettings<'_>) -> TopicPlan {
        TopicPlan {
            name: name.to_owned(),
            partitions: 1,
            replication_factor: settings.worker.offsets_replication_factor,
            config: BTreeMap::from([("retention.ms".to_owned(), RETENTION_MS.to_owned())]),
            settings: PlanSettings {
                name: "notifications.topic",
                partitions: None,
                replication_factor: "offset.storage.replication.factor",
                config_prefix: None,
            },
        }
    }

    fn schemas(&self, connector: &ConnectorConfig) -> OutputSchemas {
        // Keys are the names of streams, as text.
        OutputSchemas { key: None, value: (connector.value_format == ValueFormat::Avro).then_some(&NOTIFICATION) }
    }

    fn open(
        &self,
        connector: &ConnectorConfig,
        topic: OutputTopic,
        framing: Framing,
        _facts: &TopicFacts,
    ) -> Result<Arc<dyn Output>, SchemaError> {
        Ok(Arc::new(NotificationOutput::new(topic, framing, connector.value_format)?))
    }
}

/// The output of a connector's notifications.
pub struct NotificationOutput {
    topic: OutputTopic,
    value: ValueWriter,
}

impl NotificationOutput {
    /// Creates the output to a topic.
    ///
    /// # Errors
    /// When the built-in schema cannot be compiled, which a test excludes.
    pub fn new(topic: OutputTopic, framing: Framing, format: ValueFormat) -> Result<Self, SchemaError> {
        static VALUE: SchemaWriter = SchemaWriter::new();
        let value = ValueWriter::new(format, framing, &VALUE, &NOTIFICATION)?;
        Ok(Self { topic, value })
    }
}

impl Output for NotificationOutput {
    fn of_record(&self) -> RecordOutput {
        RecordOutput { id: Notifications.id(), on_refused: Notifications.on_refused() }
    }

    fn topic(&self) -> &OutputTopic {
        &self.topic
    }

    fn notify(&self, origin: &Origin<'_>, notification: &Notification<'_>) -> Result<Option<Record>, EncodeError> {
        let Origin { key, stream_name, stream_arn, now_ms, .. } = *origin;
        let message = notification.message();
        let fields = Fields::of(notification, &message, key, stream_name, stream_arn, now_ms);
        let value = self.value.value("the notification", &fields)?;
        // A notification whose topic is missing is dropped, whatever its partition.
        let partitions = self.topic.partitions.count().unwrap_or(1);
        Ok(Some(Record {
            output: Some(self.of_record()),
            topic: Arc::clone(&self.topic.name),
            partition: partition_for(stream_name.as_bytes(), partitions),
            key: stream_name.as_bytes().to_vec(),
            value: Some(value.into()),
            headers: vec![
                Header::new("kvs.stream", stream_name),
                Header::new("kvs.notification", notification.kind()),
                Header::new("content-type", self.value.content_type()),
            ],
            timestamp_ms: Some(now_ms),
            sequence: None,
        }))
    }
}

#[cfg(test)]
#[path = "notification_tests.rs"]
mod tests;
