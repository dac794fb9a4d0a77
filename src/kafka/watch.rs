//! Looking whether topics are still those that they were.
//!
//! **Contract.** A topic that was deleted, made anew or truncated is told from one that is as it was, by what every broker
//! answers: whether it is there, how many partitions it has, where they end, and which record is the first. Compaction takes
//! records away, but moves none; so a first record before the one that was known, or another one in its place, is another
//! topic's. No answer is no trouble.

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
/// How long a partition's first record is waited for.
const RECORD_TIMEOUT: Duration = Duration::from_secs(2);

/// What has become of a topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicTrouble {
    /// It is no more.
    #[error("it does not exist any more")]
    Missing,
    /// It has fewer partitions.
    #[error("it had {was} partitions and has {now}: it was deleted and made anew")]
    Partitions {
        /// Before.
        was: i32,
        /// Now.
        now: i32,
    },
    /// A partition ends before it ended.
    #[error("partition {partition} ended at {was} and ends at {now}: it was truncated, or deleted and made anew")]
    MovedBack {
        /// Which.
        partition: i32,
        /// Before.
        was: i64,
        /// Now.
        now: i64,
    },
    /// Another record is the first.
    #[error(
        "partition {partition} has another first record, at {now} where {was} was known: it was deleted and made anew"
    )]
    MadeAnew {
        /// Which.
        partition: i32,
        /// Offset that was known.
        was: i64,
        /// Offset now.
        now: i64,
    },
}

/// The first record of a partition: its offset and timestamp.
type First = (i64, Option<i64>);

/// What is known of a topic.
#[derive(Debug, Default)]
struct Known {
    partitions: i32,
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
    /// Nothing is known of any topic before it is looked at.
    ///
    /// # Errors
    /// When librdkafka does not take the settings.
    pub fn new(settings: &KafkaSettings) -> Result<Self, LogError> {
        let made = settings.reader_config("read_uncommitted").create_with_context(LogContext);
        let consumer = made.map_err(|error| to_log_error("making a client that watches topics", &error))?;
        Ok(Self { consumer, known: HashMap::new() })
    }

    /// Returns where a partition ended when it was looked at last.
    pub fn end(&self, topic: &str, partition: i32) -> Option<i64> {
        self.known.get(topic)?.ends.get(&partition).copied()
    }

    /// Forgets what is known of a topic.
    pub fn forget(&mut self, topic: &str) {
        self.known.remove(topic);
    }

    /// Looks at a topic, and at these partitions of it. What is found is known from then on. No answer is no trouble.
    ///
    /// # Errors
    /// When it is not the topic that it was.
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
            // A topic is made anew as a whole: one partition that has something tells it.
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

/// The first record that a partition has now; `None`: none comes in time, as where all that was written was aborted.
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
