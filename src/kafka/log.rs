//! Stores shards in Kafka.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::data_topics::DataTopics;
use super::producer::ShardProducer;
use super::reader::ShardReader;
use super::settings::KafkaSettings;
use crate::model::{IdScheme, LogError, ShardId, ShardLog};

/// The maximum number of readers. Creating one costs more than waiting until another shard has finished with it.
const READERS_MAX: usize = 3;

/// The shards of an offsets topic in Kafka.
pub struct KafkaLog {
    settings: KafkaSettings,
    data_topics: Option<Arc<DataTopics>>,
    readers: Mutex<Readers>,
    /// Signalled when a reader has been returned, or is gone.
    returned: Condvar,
    /// The form of each shard's transactional id, once known: a wrong guess costs a second acquisition each time.
    schemes: Mutex<HashMap<ShardId, IdScheme>>,
}

#[derive(Default)]
struct Readers {
    idle: Vec<ShardReader>,
    in_use: usize,
}

impl KafkaLog {
    /// Creates a log for the shards of the settings' offsets topic.
    pub fn new(settings: KafkaSettings) -> Self {
        let (readers, schemes) = (Mutex::default(), Mutex::default());
        Self { settings, data_topics: None, readers, returned: Condvar::new(), schemes }
    }

    /// Returns the log with knowledge of which partitions of the data topics are available.
    #[must_use]
    pub fn with_data_topics(self, data_topics: Arc<DataTopics>) -> Self {
        Self { data_topics: Some(data_topics), ..self }
    }

    /// Returns how the cluster is reached.
    pub fn settings(&self) -> &KafkaSettings {
        &self.settings
    }

    fn lock(&self) -> MutexGuard<'_, Readers> {
        // Nothing panics while the lock is held, and fields are changed one by one.
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a reader may be used, and counts it as used until the returned guard is dropped.
    fn lend(&self) -> Lent<'_> {
        let mut readers = self.lock();
        while readers.idle.is_empty() && readers.in_use >= READERS_MAX {
            readers = self.returned.wait(readers).unwrap_or_else(PoisonError::into_inner);
        }
        readers.in_use += 1;
        Lent { log: self, idle: readers.idle.pop() }
    }
}

/// A reader that is in use, or about to be created. When the guard is dropped, also by a panic, another one may be
/// used.
struct Lent<'a> {
    log: &'a KafkaLog,
    /// The reader, while it is not in use.
    idle: Option<ShardReader>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut readers = self.log.lock();
        readers.in_use -= 1;
        readers.idle.extend(self.idle.take());
        self.log.returned.notify_one();
    }
}

impl ShardLog for KafkaLog {
    type Producer = ShardProducer;
    type Reader = ShardReader;

    fn open_producer(&self, shard: ShardId, scheme: IdScheme) -> Result<ShardProducer, LogError> {
        ShardProducer::new(&self.settings, shard, scheme, self.data_topics.clone())
    }

    fn id_scheme(&self, shard: ShardId) -> IdScheme {
        let schemes = self.schemes.lock().unwrap_or_else(PoisonError::into_inner);
        schemes.get(&shard).copied().unwrap_or_default()
    }

    fn note_id_scheme(&self, shard: ShardId, scheme: IdScheme) {
        self.schemes.lock().unwrap_or_else(PoisonError::into_inner).insert(shard, scheme);
    }

    fn with_reader<T, E: From<LogError>>(&self, read: impl FnOnce(&mut ShardReader) -> Result<T, E>) -> Result<T, E> {
        let mut lent = self.lend();
        let mut reader = lent.idle.take().map_or_else(|| ShardReader::new(&self.settings), Ok)?;
        let read = read(&mut reader)?;
        // A reader that has failed is not used again.
        lent.idle = Some(reader);
        Ok(read)
    }

    fn offsets_topic(&self) -> &str {
        &self.settings.offsets_topic
    }

    fn unavailable(&self, topic: &str, partition: i32) -> Option<String> {
        self.data_topics.as_ref()?.unavailable(topic, partition)
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
