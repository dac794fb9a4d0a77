//! The config log and the status topic in Kafka.

use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};

use super::context;
use super::error::{needing, to_log_error};
use super::producer::ShardProducer;
use super::reader::ShardReader;
use super::settings::KafkaSettings;
use crate::cluster::records::KeyValue;
use crate::cluster::{ConfigStore, StatusStore};
use crate::logging::repeated::Repeated;
use crate::shard::{IdScheme, LogError, OffsetReader, ShardId, TransactionalProducer};
use crate::supervision::catch_callback;

/// Both topics have one partition.
const PARTITION: i32 = 0;

/// The config log: a shard of its own topic, so to say, with the same fence.
pub struct KafkaConfigStore {
    settings: KafkaSettings,
}

impl KafkaConfigStore {
    /// On this topic.
    pub fn new(settings: &KafkaSettings, topic: &str) -> Self {
        Self { settings: settings.on_topic(topic) }
    }
}

impl ConfigStore for KafkaConfigStore {
    fn producer(&self) -> Result<Box<dyn TransactionalProducer>, LogError> {
        // Workers of every version change the log under this one id, which orders their changes. Should another group's be
        // the same, a change of either makes one of the other be made again.
        Ok(Box::new(ShardProducer::new(&self.settings, ShardId(PARTITION), IdScheme::Dashes)?))
    }

    fn reader(&self) -> Result<Box<dyn OffsetReader>, LogError> {
        Ok(Box::new(ShardReader::follower(&self.settings)?))
    }

    fn topic(&self) -> &str {
        &self.settings.offsets_topic
    }
}

#[derive(Default)]
struct StatusContext {
    lost: Repeated,
}

impl ClientContext for StatusContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        context::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        context::log_error(&error, reason);
    }
}

impl ProducerContext for StatusContext {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let _ = catch_callback(|| {
            let (error, message) = match result {
                Err(lost) => lost,
                Ok(_) => {
                    if let Some(lasted) = self.lost.over() {
                        tracing::info!(lasted_s = lasted.as_secs(), "statuses are written again");
                    }
                    return;
                }
            };
            let grant = format!("Write on topic {}", rdkafka::Message::topic(message));
            let error = needing(to_log_error("writing a status", error), &grant);
            if let Some(times) = self.lost.again() {
                tracing::warn!(%error, times, "statuses are not written; they are written again");
            }
        });
    }
}

/// The status topic. Its producer is made with the first record.
pub struct KafkaStatusStore {
    settings: KafkaSettings,
    producer: std::sync::OnceLock<ThreadedProducer<StatusContext>>,
}

impl KafkaStatusStore {
    /// On this topic.
    pub fn new(settings: &KafkaSettings, topic: &str) -> Self {
        Self { settings: settings.on_topic(topic), producer: std::sync::OnceLock::new() }
    }

    fn producer(&self) -> Result<&ThreadedProducer<StatusContext>, LogError> {
        if let Some(producer) = self.producer.get() {
            return Ok(producer);
        }
        let made = self.settings.status_producer_config().create_with_context(StatusContext::default());
        let made = made.map_err(|error| to_log_error("making a producer", &error))?;
        Ok(self.producer.get_or_init(|| made))
    }
}

impl StatusStore for KafkaStatusStore {
    fn write(&self, (key, value): KeyValue) -> Result<(), LogError> {
        let mut record: BaseRecord<'_, [u8], [u8]> =
            BaseRecord::to(&self.settings.offsets_topic).partition(PARTITION).key(&key);
        if let Some(value) = &value {
            record = record.payload(value);
        }
        self.producer()?.send(record).map_err(|(error, _)| to_log_error("writing a status", &error))
    }

    fn flush(&self, timeout: Duration) {
        if let Some(producer) = self.producer.get()
            && let Err(error) = producer.flush(timeout)
        {
            tracing::debug!(%error, "statuses are still on their way");
        }
    }

    fn reader(&self) -> Result<Box<dyn OffsetReader>, LogError> {
        Ok(Box::new(ShardReader::follower(&self.settings)?))
    }
}
