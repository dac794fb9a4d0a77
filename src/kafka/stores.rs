//! The config log and the status topic in Kafka.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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
use crate::model::{IdScheme, LogError, OffsetReader, ShardId, TransactionalProducer};
use crate::supervision::catch_callback;

/// Both topics have one partition.
const PARTITION: i32 = 0;

/// The config log in Kafka. It is fenced like a shard, with its topic's only partition as the shard.
pub struct KafkaConfigStore {
    settings: KafkaSettings,
}

impl KafkaConfigStore {
    /// Creates the store for a topic.
    pub fn new(settings: &KafkaSettings, topic: &str) -> Self {
        Self { settings: settings.on_topic(topic) }
    }
}

impl ConfigStore for KafkaConfigStore {
    fn producer(&self) -> Result<Box<dyn TransactionalProducer>, LogError> {
        // Workers of every version change the log under this one id, which orders their changes. If another group had
        // the same id, the two would only make each other repeat changes.
        Ok(Box::new(ShardProducer::new(&self.settings, ShardId(PARTITION), IdScheme::Dashes, None)?))
    }

    fn reader(&self) -> Result<Box<dyn OffsetReader>, LogError> {
        Ok(Box::new(ShardReader::follower(&self.settings)?))
    }

    fn topic(&self) -> &str {
        &self.settings.offsets_topic
    }
}

/// Counts statuses that were lost on their way.
#[derive(Debug, Default)]
struct Losses {
    repeated: Repeated,
    /// Why the last one was lost.
    reason: Mutex<Option<String>>,
}

struct StatusContext(Arc<Losses>);

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
                    if let Some(lasted) = self.0.repeated.over() {
                        *self.0.reason.lock().unwrap_or_else(PoisonError::into_inner) = None;
                        tracing::info!(lasted_s = lasted.as_secs(), "statuses are written again");
                    }
                    return;
                }
            };
            let grant = format!("Write on topic {}", rdkafka::Message::topic(message));
            let error = needing(to_log_error("writing a status", error), &grant);
            *self.0.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            if let Some(times) = self.0.repeated.again(&error.to_string()) {
                tracing::warn!(%error, times, "statuses cannot be written; trying again");
            }
        });
    }
}

/// The status topic in Kafka. Its producer is created with the first record, and recreated after it has lost everything
/// for a while: a client has been seen that never recovered from a suspended broker, while all others in its process
/// did.
pub struct KafkaStatusStore {
    settings: KafkaSettings,
    producer: Mutex<Option<Made>>,
    losses: Arc<Losses>,
}

struct Made {
    producer: Arc<ThreadedProducer<StatusContext>>,
    since: Instant,
}

/// A producer that is this old, and has lost everything for this long, is replaced.
const RENEWED_AFTER: Duration = Duration::from_secs(45);

impl KafkaStatusStore {
    /// Creates the store for a topic.
    pub fn new(settings: &KafkaSettings, topic: &str) -> Self {
        Self { settings: settings.on_topic(topic), producer: Mutex::default(), losses: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Made>> {
        // Nothing panics while the lock is held, and the producer is replaced as a whole.
        self.producer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn producer(&self) -> Result<Arc<ThreadedProducer<StatusContext>>, LogError> {
        let mut held = self.lock();
        let loses = self.losses.repeated.lasts().is_some_and(|lasts| lasts >= RENEWED_AFTER);
        if let Some(made) = &*held
            && !(loses && made.since.elapsed() >= RENEWED_AFTER)
        {
            return Ok(Arc::clone(&made.producer));
        }
        let context = StatusContext(Arc::clone(&self.losses));
        let made: ThreadedProducer<StatusContext> = self
            .settings
            .status_producer_config()
            .create_with_context(context)
            .map_err(|error| to_log_error("creating a producer", &error))?;
        let made = Made { producer: Arc::new(made), since: Instant::now() };
        let producer = Arc::clone(&made.producer);
        if let Some(before) = held.replace(made) {
            drop(held);
            tracing::info!("statuses have been lost for a while; a new client writes them from now on");
            // Dropping a client waits for its threads, and for records that it still has.
            let closing = std::thread::Builder::new().name("closing".to_owned());
            if let Err(error) = closing.spawn(move || drop(before)) {
                tracing::warn!(%error, "no thread can be started to close a client");
            }
        }
        Ok(producer)
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

    fn trouble(&self) -> Option<String> {
        self.losses.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn flush(&self, timeout: Duration) {
        let producer = self.lock().as_ref().map(|made| Arc::clone(&made.producer));
        if let Some(producer) = producer
            && let Err(error) = producer.flush(timeout)
        {
            tracing::debug!(%error, "statuses are still on their way");
        }
    }

    fn reader(&self) -> Result<Box<dyn OffsetReader>, LogError> {
        Ok(Box::new(ShardReader::follower(&self.settings)?))
    }
}
