//! Shards in Kafka.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::data_topics::DataTopics;
use super::producer::ShardProducer;
use super::reader::ShardReader;
use super::settings::KafkaSettings;
use crate::model::{IdScheme, LogError, ShardId, ShardLog};

/// Readers of a worker at most. Making one costs more than waiting for another shard to have done with it.
const READERS_MAX: usize = 3;

/// Where the shards of a worker live.
pub struct KafkaLog {
    settings: KafkaSettings,
    data_topics: Option<Arc<DataTopics>>,
    readers: Mutex<Readers>,
    /// A reader has been given back, or is gone.
    returned: Condvar,
    /// What shards have said of their transactional ids: one of an earlier version would cost a second acquisition each time.
    schemes: Mutex<HashMap<ShardId, IdScheme>>,
}

#[derive(Default)]
struct Readers {
    idle: Vec<ShardReader>,
    in_use: usize,
}

impl KafkaLog {
    /// Shards of the settings' offsets topic.
    pub fn new(settings: KafkaSettings) -> Self {
        let (readers, schemes) = (Mutex::default(), Mutex::default());
        Self { settings, data_topics: None, readers, returned: Condvar::new(), schemes }
    }

    /// The same, knowing which partitions of the data topics take records.
    #[must_use]
    pub fn with_data_topics(self, data_topics: Arc<DataTopics>) -> Self {
        Self { data_topics: Some(data_topics), ..self }
    }

    /// Returns how the cluster is reached.
    pub fn settings(&self) -> &KafkaSettings {
        &self.settings
    }

    fn lock(&self) -> MutexGuard<'_, Readers> {
        // Nothing panics while it is held, and its parts are changed one by one.
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn done(&self, idle: Option<ShardReader>) {
        let mut readers = self.lock();
        readers.in_use -= 1;
        readers.idle.extend(idle);
        self.returned.notify_one();
    }
}

impl ShardLog for KafkaLog {
    type Producer = ShardProducer;
    type Reader = ShardReader;

    fn open_producer(&self, shard: ShardId, scheme: IdScheme) -> Result<ShardProducer, LogError> {
        ShardProducer::new(&self.settings, shard, scheme)
    }

    fn id_scheme(&self, shard: ShardId) -> IdScheme {
        let schemes = self.schemes.lock().unwrap_or_else(PoisonError::into_inner);
        schemes.get(&shard).copied().unwrap_or_default()
    }

    fn note_id_scheme(&self, shard: ShardId, scheme: IdScheme) {
        self.schemes.lock().unwrap_or_else(PoisonError::into_inner).insert(shard, scheme);
    }

    fn open_reader(&self) -> Result<ShardReader, LogError> {
        let mut readers = self.lock();
        while readers.idle.is_empty() && readers.in_use >= READERS_MAX {
            readers = self.returned.wait(readers).unwrap_or_else(PoisonError::into_inner);
        }
        readers.in_use += 1;
        if let Some(idle) = readers.idle.pop() {
            return Ok(idle);
        }
        drop(readers);
        ShardReader::new(&self.settings).inspect_err(|_| self.done(None))
    }

    fn give_back(&self, reader: Option<ShardReader>) {
        self.done(reader);
    }

    fn offsets_topic(&self) -> &str {
        &self.settings.offsets_topic
    }

    fn unavailable(&self, topic: &str, partition: i32) -> Option<String> {
        self.data_topics.as_ref()?.unavailable(topic, partition)
    }
}
