//! Reads a shard's partition.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::context::LogContext;
use super::error::{needing, to_log_error};
use super::settings::KafkaSettings;
use crate::model::log::{Bounds, OffsetRecord};
use crate::model::{LogError, LogErrorKind, OffsetReader, ShardId};

/// How long one poll waits for a record.
const POLL_TIMEOUT: Duration = Duration::from_millis(2);
/// The same for a follower: the longest time until it learns that the position has moved past a marker.
const FOLLOW_TIMEOUT: Duration = Duration::from_millis(20);
/// How long a request to a broker may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads committed records; requests bounds with another client, because librdkafka returns the last stable offset to a
/// read_committed one (rule 2).
pub struct ShardReader {
    committed: BaseConsumer<LogContext>,
    uncommitted: BaseConsumer<LogContext>,
    topic: String,
    group: String,
    partition: i32,
    start: i64,
    poll_timeout: Duration,
}

impl ShardReader {
    /// Creates a reader of the offsets topic.
    ///
    /// # Errors
    /// When librdkafka rejects the settings.
    pub fn new(settings: &KafkaSettings) -> Result<Self, LogError> {
        Self::with(settings, POLL_TIMEOUT, None)
    }

    /// Creates a reader that stays at the end of its topic: it sends few requests while nothing arrives.
    ///
    /// # Errors
    /// When librdkafka rejects the settings.
    pub fn follower(settings: &KafkaSettings) -> Result<Self, LogError> {
        Self::with(settings, FOLLOW_TIMEOUT, Some("250"))
    }

    fn with(settings: &KafkaSettings, poll_timeout: Duration, fetch_wait_ms: Option<&str>) -> Result<Self, LogError> {
        let consumer = |isolation_level| {
            let mut config = settings.reader_config(isolation_level);
            if let Some(wait_ms) = fetch_wait_ms {
                config.set("fetch.wait.max.ms", wait_ms);
            }
            config.create_with_context(LogContext).map_err(|error| to_log_error("creating a reader", &error))
        };
        Ok(Self {
            committed: consumer("read_committed")?,
            uncommitted: consumer("read_uncommitted")?,
            topic: settings.offsets_topic.clone(),
            group: settings.group_id.clone(),
            partition: 0,
            start: 0,
            poll_timeout,
        })
    }
}

impl ShardReader {
    fn error(&self, doing: &'static str, error: &KafkaError) -> LogError {
        let grant =
            format!("Read and Describe on topic {}, and Read on groups that begin with {}", self.topic, self.group);
        needing(to_log_error(doing, error), &grant)
    }
}

impl OffsetReader for ShardReader {
    fn bounds(&mut self, shard: ShardId) -> Result<Bounds, LogError> {
        let (start, end) = self
            .uncommitted
            .fetch_watermarks(&self.topic, shard.0, CALL_TIMEOUT)
            .map_err(|error| self.error("requesting a shard's bounds", &error))?;
        Ok(Bounds { start, end })
    }

    fn seek(&mut self, shard: ShardId, offset: i64) -> Result<(), LogError> {
        let mut partitions = TopicPartitionList::new();
        let result = partitions
            .add_partition_offset(&self.topic, shard.0, Offset::Offset(offset))
            .and_then(|()| self.committed.assign(&partitions));
        (self.partition, self.start) = (shard.0, offset);
        result.map_err(|error| self.error("seeking to a shard's offsets", &error))
    }

    fn poll(&mut self) -> Result<Option<OffsetRecord>, LogError> {
        match self.committed.poll(self.poll_timeout) {
            None => Ok(None),
            Some(Ok(message)) if message.partition() == self.partition => Ok(Some(OffsetRecord {
                key: message.key().unwrap_or_default().to_vec(),
                value: message.payload().map(<[u8]>::to_vec),
            })),
            // From the shard that was read before.
            Some(Ok(_)) => Ok(None),
            Some(Err(error)) => {
                let log_error = self.error("reading a shard's offsets", &error);
                match log_error.kind {
                    LogErrorKind::NotAuthorized => Err(log_error),
                    // librdkafka continues by itself; the no-progress deadline bounds how long (rule 8).
                    _ => Ok(None),
                }
            }
        }
    }

    fn position(&mut self) -> Result<i64, LogError> {
        let positions = self.committed.position();
        let positions = positions.map_err(|error| self.error("requesting the position", &error))?;
        let element = positions.find_partition(&self.topic, self.partition);
        Ok(match element.map(|element| element.offset()) {
            Some(Offset::Offset(offset)) => offset,
            // Nothing has been read yet.
            _ => self.start,
        })
    }
}
