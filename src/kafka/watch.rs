//! Detects topics that were deleted, recreated or truncated.
//!
//! **Contract.** A topic that was deleted, recreated or truncated is recognised by what every broker returns: whether
//! the topic exists, how many partitions it has, where they begin and end, and which record is the first. Compaction
//! removes records but moves none, nor a partition's first offset; so a first record before the known one, or a different
//! one at its offset, belongs to another topic, and a partition that begins later than it did has had records deleted. A
//! request that fails is no trouble.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Message, Offset, TopicPartitionList};

use super::context::LogContext;
use super::error::to_log_error;
use super::settings::KafkaSettings;
use crate::model::LogError;

const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// The number of consecutive looks that must find that a partition begins later than it did: a broker that has just
/// started may return anything.
const DELETED_SEEN_MIN: u32 = 3;
/// How long to wait for a partition's first record.
const RECORD_TIMEOUT: Duration = Duration::from_secs(2);

/// What happened to a topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicTrouble {
    /// The topic no longer exists.
    #[error("it no longer exists")]
    Missing,
    /// The topic has fewer partitions.
    #[error("it had {was} partitions and has {now}: it was deleted and recreated")]
    Partitions {
        /// Before.
        was: i32,
        /// Now.
        now: i32,
    },
    /// A partition ends before its previous end.
    #[error("partition {partition} ended at {was} and ends at {now}: it was truncated, or deleted and recreated")]
    MovedBack {
        /// The partition.
        partition: i32,
        /// Before.
        was: i64,
        /// Now.
        now: i64,
    },
    /// A partition has a different first record.
    #[error(
        "partition {partition} has a different first record, at offset {now} instead of {was}: it was deleted and recreated"
    )]
    MadeAnew {
        /// The partition.
        partition: i32,
        /// The previous offset.
        was: i64,
        /// The current offset.
        now: i64,
    },
}

/// A partition whose records were deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("partition {partition} began at offset {was} and begins at {now}: records were deleted")]
pub struct Deleted {
    /// The partition.
    pub partition: i32,
    /// The previous first offset.
    pub was: i64,
    /// The current one.
    pub now: i64,
}

/// The first offset of a partition.
#[derive(Debug)]
struct Start {
    known: i64,
    /// The offset found by the last look, if later, and the number of consecutive looks that found a later one.
    later: Option<(i64, u32)>,
}

/// The first record of a partition: its offset and timestamp.
type First = (i64, Option<i64>);

/// The last known state of a topic.
#[derive(Debug, Default)]
struct Known {
    partitions: i32,
    starts: HashMap<i32, Start>,
    ends: HashMap<i32, i64>,
    firsts: HashMap<i32, First>,
}

impl Known {
    fn partitions(&mut self, now: i32) -> Result<(), TopicTrouble> {
        if now < self.partitions {
            return Err(TopicTrouble::Partitions { was: self.partitions, now });
        }
        self.partitions = now;
        Ok(())
    }

    fn end(&mut self, partition: i32, now: i64) -> Result<(), TopicTrouble> {
        let known = self.ends.entry(partition).or_insert(now);
        if now < *known {
            return Err(TopicTrouble::MovedBack { partition, was: *known, now });
        }
        *known = now;
        Ok(())
    }

    fn start(&mut self, partition: i32, now: i64) {
        let start = self.starts.entry(partition).or_insert(Start { known: now, later: None });
        let seen = start.later.map_or(0, |(_, seen)| seen);
        start.later = (now > start.known).then_some((now, seen + 1));
    }

    /// Returns the partitions that enough looks have found to begin later than before, once each.
    fn deleted(&mut self) -> Vec<Deleted> {
        let mut deleted: Vec<Deleted> = Vec::new();
        for (&partition, start) in &mut self.starts {
            if let Some((now, seen)) = start.later
                && seen >= DELETED_SEEN_MIN
            {
                deleted.push(Deleted { partition, was: start.known, now });
                *start = Start { known: now, later: None };
            }
        }
        deleted
    }

    fn first(&mut self, partition: i32, now: First) -> Result<(), TopicTrouble> {
        let known = self.firsts.entry(partition).or_insert(now);
        if now.0 < known.0 || (now.0 == known.0 && now.1 != known.1) {
            return Err(TopicTrouble::MadeAnew { partition, was: known.0, now: now.0 });
        }
        *known = now;
        Ok(())
    }
}

/// Watches topics. All calls block.
pub struct TopicWatch {
    consumer: BaseConsumer<LogContext>,
    known: HashMap<String, Known>,
}

impl TopicWatch {
    /// Creates a watch that knows nothing of any topic yet.
    ///
    /// # Errors
    /// When librdkafka rejects the settings.
    pub fn new(settings: &KafkaSettings) -> Result<Self, LogError> {
        let made = settings.reader_config("read_uncommitted").create_with_context(LogContext);
        let consumer = made.map_err(|error| to_log_error("creating a client that watches topics", &error))?;
        Ok(Self { consumer, known: HashMap::new() })
    }

    /// Returns the end of a partition at the last look.
    pub fn end(&self, topic: &str, partition: i32) -> Option<i64> {
        self.known.get(topic)?.ends.get(&partition).copied()
    }

    /// Returns how many partitions a topic had at the last look.
    pub fn partitions(&self, topic: &str) -> Option<i32> {
        self.known.get(topic).map(|known| known.partitions)
    }

    /// Returns the partitions of a topic from which records were deleted, as the last looks agree. Each deletion is returned
    /// once.
    pub fn deleted(&mut self, topic: &str) -> Vec<Deleted> {
        self.known.get_mut(topic).map(Known::deleted).unwrap_or_default()
    }

    /// Forgets what is known of a topic.
    pub fn forget(&mut self, topic: &str) {
        self.known.remove(topic);
    }

    /// Compares a topic, and these partitions of it, with what is known, and remembers the new state. A request that
    /// fails is no trouble.
    ///
    /// # Errors
    /// When the topic is not the same any more.
    pub fn look(&mut self, topic: &str, partitions: &[i32]) -> Result<(), TopicTrouble> {
        let known = self.known.entry(topic.to_owned()).or_default();
        let Ok(metadata) = self.consumer.fetch_metadata(Some(topic), CALL_TIMEOUT) else { return Ok(()) };
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(()) };
        match found.error().map(RDKafkaErrorCode::from) {
            None => {}
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                return Err(TopicTrouble::Missing);
            }
            Some(_) => return Ok(()),
        }
        known.partitions(i32::try_from(found.partitions().len()).unwrap_or(i32::MAX))?;
        let mut compared = false;
        for &partition in partitions {
            let Ok((start, end)) = self.consumer.fetch_watermarks(topic, partition, CALL_TIMEOUT) else { continue };
            known.end(partition, end)?;
            known.start(partition, start);
            // A topic is recreated as a whole, so one partition with records is enough.
            if !compared
                && start < end
                && let Ok(Some(first)) = first(&self.consumer, topic, partition, start)
            {
                compared = known.firsts.contains_key(&partition);
                known.first(partition, first)?;
            }
        }
        Ok(())
    }
}

/// Returns the current first record of a partition; `None`: none arrives in time, for example because all were aborted.
fn first(
    consumer: &BaseConsumer<LogContext>,
    topic: &str,
    partition: i32,
    start: i64,
) -> Result<Option<First>, KafkaError> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(start))?;
    consumer.assign(&list)?;
    let began = Instant::now();
    let mut first = None;
    while first.is_none() && began.elapsed() < RECORD_TIMEOUT {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(50))
            && message.partition() == partition
            && message.topic() == topic
        {
            first = Some((message.offset(), message.timestamp().to_millis()));
        }
    }
    consumer.assign(&TopicPartitionList::new())?;
    Ok(first)
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
