//! Reads topics from their beginning, or from a time, to the ends that they have when it begins.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kvs_client::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::brokers::{self, CALL_TIMEOUT};
use super::failure::{EXIT_UNAVAILABLE, Failure};
use super::output;
use super::progress::Progress;
use super::read_errors::ReadErrors;
use crate::config::WorkerConfig;
use crate::kafka::{FailureContext, noted_failure};

/// How long one look for a record takes.
const POLL: Duration = Duration::from_millis(50);
/// After this time without a record the reason is said, and after the other one reading is given up.
const SILENT_AFTER: Duration = Duration::from_secs(20);
const GIVEN_UP_AFTER: Duration = Duration::from_secs(120);
/// Records may have a timestamp this much before the service's, in milliseconds.
const EARLY_MS: i64 = 600_000;

/// A record that has been read, with its topic's name.
pub(super) type Record<'a> = (Arc<str>, BorrowedMessage<'a>);

/// Reads several topics.
pub(super) struct TopicReader {
    consumer: BaseConsumer<FailureContext>,
    topics: Vec<Arc<str>>,
    /// Start and end of each partition that has something to read.
    bounds: HashMap<(String, i32), (i64, i64)>,
    moved: Instant,
    complained: bool,
    errors: ReadErrors,
    shown: Progress,
    /// Whether reading goes on behind the ends.
    follows: bool,
    /// Whether nothing may be left to read.
    may_be_at_end: bool,
}

impl TopicReader {
    /// Returns the reader as one that never ends, and waits for as long as nothing comes.
    pub(super) fn following(self) -> Self {
        Self { follows: true, ..self }
    }

    /// Begins to read these topics, from the first records that can have what the service received at `from`, or from the
    /// first ones that there are. Records' timestamps must follow the service's times if `from` is given.
    pub(super) fn open(worker: &WorkerConfig, topics: &[String], from: Option<Timestamp>) -> Result<Self, Failure> {
        let from_ms = from.map(|from| from.millis().saturating_sub(EARLY_MS).max(0));
        let consumer = brokers::connect(worker)?;
        let (mut assigned, mut bounds) = (TopicPartitionList::new(), HashMap::new());
        for topic in topics {
            let failed = |error: &dyn std::fmt::Display| {
                Failure::new(EXIT_UNAVAILABLE, format!("cannot read topic {topic}: {error}"))
            };
            let kafka = |error: rdkafka::error::KafkaError| failed(&error);
            for partition in brokers::partitions(&consumer, topic).map_err(|error| failed(&error))? {
                let (mut start, end) = consumer.fetch_watermarks(topic, partition, CALL_TIMEOUT).map_err(kafka)?;
                if let Some(from_ms) = from_ms {
                    let mut at = TopicPartitionList::new();
                    at.add_partition_offset(topic, partition, Offset::Offset(from_ms)).map_err(kafka)?;
                    let found = consumer.offsets_for_times(at, CALL_TIMEOUT).map_err(kafka)?;
                    let found = found.find_partition(topic, partition).map(|element| element.offset());
                    start = if let Some(Offset::Offset(offset)) = found { offset.max(start) } else { end };
                }
                assigned.add_partition_offset(topic, partition, Offset::Offset(start)).map_err(kafka)?;
                if start < end {
                    bounds.insert((topic.clone(), partition), (start, end));
                }
            }
        }
        consumer.assign(&assigned).map_err(|error| Failure::new(EXIT_UNAVAILABLE, error))?;
        let topics = topics.iter().map(|topic| Arc::from(topic.as_str())).collect();
        let now = Instant::now();
        Ok(Self {
            consumer,
            topics,
            bounds,
            moved: now,
            complained: false,
            errors: ReadErrors::default(),
            shown: Progress::new(),
            follows: false,
            may_be_at_end: true,
        })
    }

    /// Returns the next committed record; `None` at the end. Says what it waits for, and gives up when nothing comes.
    pub(super) fn next(&mut self) -> Result<Option<Record<'_>>, Failure> {
        loop {
            // Asking for positions takes longer than reading a record: they are looked at where the end may be near.
            if !self.follows && std::mem::take(&mut self.may_be_at_end) && self.is_at_end() {
                return Ok(None);
            }
            let message = match self.consumer.poll(POLL) {
                Some(Ok(message)) => Some(message),
                Some(Err(error)) => {
                    self.errors.note(&self.topics.join(", "), &error, !self.follows)?;
                    None
                }
                None => None,
            };
            if let Some(message) = message {
                (self.moved, self.complained) = (Instant::now(), false);
                self.errors.clear();
                let name = message.topic();
                let end = self.bounds.get(&(name.to_owned(), message.partition())).map_or(0, |(_, end)| *end);
                self.may_be_at_end = message.offset() + 1 >= end;
                if !self.follows && message.offset() >= end {
                    // Written since.
                    continue;
                }
                let topic =
                    self.topics.iter().find(|topic| ***topic == *name).map_or_else(|| Arc::from(name), Arc::clone);
                return Ok(Some((topic, message)));
            }
            self.may_be_at_end = true;
            let silent = self.moved.elapsed();
            if silent > GIVEN_UP_AFTER && !self.follows {
                let line = format!(
                    "{}: nothing could be read for {} s{}",
                    self.topics.join(", "),
                    silent.as_secs(),
                    self.why()
                );
                return Err(Failure::new(EXIT_UNAVAILABLE, line));
            }
            if silent > SILENT_AFTER && !self.complained {
                self.complained = true;
                let (topics, why) = (self.topics.join(", "), self.why());
                output::say(format_args!("kvs-connect: {topics}: no record for {} s{why}; waiting", silent.as_secs()));
            }
        }
    }

    /// Returns why nothing comes, as far as Kafka's client knows.
    fn why(&self) -> String {
        noted_failure(&self.consumer).map_or(String::new(), |failure| format!(": {failure}"))
    }

    /// Shows how far reading is; `more` is what else there is to say.
    pub(super) fn say_progress(&mut self, more: impl FnOnce() -> String) {
        if self.shown.is_due() {
            let (done, all) = self.progress();
            self.shown.show(done.unsigned_abs(), all.unsigned_abs(), &format!("offsets read{}", more()));
        }
    }

    /// Returns how many offsets have been read, of how many.
    fn progress(&self) -> (i64, i64) {
        let all = self.bounds.values().map(|(start, end)| end - start).sum();
        let Ok(positions) = self.consumer.position() else { return (0, all) };
        let done = self.bounds.iter().map(|((topic, partition), (start, end))| {
            match positions.find_partition(topic, *partition).map(|element| element.offset()) {
                Some(Offset::Offset(offset)) => offset.clamp(*start, *end) - start,
                _ => 0,
            }
        });
        (done.sum(), all)
    }

    fn is_at_end(&self) -> bool {
        let ends = self.bounds.iter().map(|((topic, partition), (_, end))| (topic.as_str(), *partition, *end));
        brokers::have_reached(&self.consumer, ends)
    }
}
