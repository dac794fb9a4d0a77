//! Shards in Kafka.

use std::sync::{Mutex, PoisonError};

use super::producer::ShardProducer;
use super::reader::ShardReader;
use super::settings::KafkaSettings;
use crate::shard::{LogError, ShardId, ShardLog};

/// Readers kept for the next take: making one costs more than reading with it.
const IDLE_READERS_MAX: usize = 4;

/// Where the shards of a worker live.
pub struct KafkaLog {
    settings: KafkaSettings,
    idle_readers: Mutex<Vec<ShardReader>>,
}

impl KafkaLog {
    /// Shards of the settings' offsets topic.
    pub fn new(settings: KafkaSettings) -> Self {
        Self { settings, idle_readers: Mutex::default() }
    }
}

impl ShardLog for KafkaLog {
    type Producer = ShardProducer;
    type Reader = ShardReader;

    fn open_producer(&self, shard: ShardId) -> Result<ShardProducer, LogError> {
        ShardProducer::new(&self.settings, shard)
    }

    fn open_reader(&self) -> Result<ShardReader, LogError> {
        let idle = self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| ShardReader::new(&self.settings), Ok)
    }

    fn give_back(&self, reader: ShardReader) {
        let mut idle = self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_READERS_MAX {
            idle.push(reader);
        }
    }

    fn offsets_topic(&self) -> &str {
        &self.settings.offsets_topic
    }
}
