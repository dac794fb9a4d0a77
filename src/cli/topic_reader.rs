//! Reads topics from their beginning, from a time or from their ends, to the ends that they have when it begins, or on and on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kvs_client::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::brokers::{self, CALL_TIMEOUT, TopicReadError};
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
/// How often the partitions of a topic that is followed are looked at, and how long that may take.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(10);
const LOOK_TIMEOUT: Duration = Duration::from_secs(3);
/// Records may have a timestamp this much before the service's, in milliseconds.
const EARLY_MS: i64 = 600_000;

/// A record that has been read, with its topic's name.
pub(super) type Record<'a> = (Arc<str>, BorrowedMessage<'a>);

/// Where reading begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start {
    /// With the first record that there is.
    Beginning,
    /// With what is written from now on.
    End,
    /// With the first record that can have what the service received at this time. Records' timestamps must follow the service's.
    Received(Timestamp),
}

impl From<Option<Timestamp>> for Start {
    fn from(received: Option<Timestamp>) -> Self {
        received.map_or(Self::Beginning, Self::Received)
    }
}

/// What comes next.
pub(super) enum Next<'a> {
    /// A committed record.
    Record(Record<'a>),
    /// There has been none within the time.
    Nothing,
    /// Everything up to the ends has been read.
    End,
}

/// Reads several topics.
pub(super) struct TopicReader {
    consumer: BaseConsumer<FailureContext>,
    topics: Vec<Arc<str>>,
    looks: Looks,
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

    /// Begins to read these topics.
    pub(super) fn open(worker: &WorkerConfig, topics: &[String], start: impl Into<Start>) -> Result<Self, Failure> {
        let start = start.into();
        let consumer = brokers::connect(worker)?;
        let topics: Vec<Arc<str>> = topics.iter().map(|topic| Arc::from(topic.as_str())).collect();
        let (mut partitions, mut bounds, mut assigned) = (TopicPartitionList::new(), HashMap::new(), HashSet::new());
        for topic in &topics {
            let failed = |error: &dyn std::fmt::Display| {
                Failure::new(EXIT_UNAVAILABLE, format!("cannot read topic {topic}: {error}"))
            };
            let kafka = |error: rdkafka::error::KafkaError| failed(&error);
            let found = brokers::partitions(&consumer, topic).map_err(|error| match error {
                TopicReadError::NotFound => failed(&format_args!("{error}{}", brokers::hint(&consumer, topic))),
                TopicReadError::Kafka(_) => failed(&error),
            });
            for partition in found? {
                let (first, end) = consumer.fetch_watermarks(topic, partition, CALL_TIMEOUT).map_err(kafka)?;
                let from = match start {
                    Start::Beginning => first,
                    Start::End => end,
                    Start::Received(received) => {
                        let from_ms = received.millis().saturating_sub(EARLY_MS).max(0);
                        offset_at(&consumer, topic, partition, from_ms).map_err(kafka)?.map_or(end, |at| at.max(first))
                    }
                };
                partitions.add_partition_offset(topic, partition, Offset::Offset(from)).map_err(kafka)?;
                assigned.insert((Arc::clone(topic), partition));
                if from < end {
                    bounds.insert((topic.to_string(), partition), (from, end));
                }
            }
        }
        consumer.assign(&partitions).map_err(|error| Failure::new(EXIT_UNAVAILABLE, error))?;
        let now = Instant::now();
        Ok(Self {
            consumer,
            topics,
            looks: Looks { assigned, at: now },
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
        match self.next_within(None)? {
            Next::Record(record) => Ok(Some(record)),
            Next::Nothing | Next::End => Ok(None),
        }
    }

    /// Returns what comes next, within this time if it is given.
    pub(super) fn next_within(&mut self, time: Option<Duration>) -> Result<Next<'_>, Failure> {
        let began = Instant::now();
        loop {
            // Asking for positions takes longer than reading a record: they are looked at where the end may be near.
            if !self.follows && std::mem::take(&mut self.may_be_at_end) && self.is_at_end() {
                return Ok(Next::End);
            }
            if self.follows || self.moved.elapsed() >= LOOKED_AT_EVERY {
                self.looks.look_if_due(&self.consumer, &self.topics, &mut self.errors, self.follows)?;
            }
            let message = match self.consumer.poll(time.map_or(POLL, |time| time.min(POLL))) {
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
                return Ok(Next::Record((topic, message)));
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
            if time.is_some_and(|time| began.elapsed() >= time) {
                return Ok(Next::Nothing);
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

/// Looks at the topics from time to time: the client says only once that one is gone, and nothing of partitions that are added.
struct Looks {
    /// What is read.
    assigned: HashSet<(Arc<str>, i32)>,
    at: Instant,
}

impl Looks {
    fn look_if_due(
        &mut self,
        consumer: &BaseConsumer<FailureContext>,
        topics: &[Arc<str>],
        errors: &mut ReadErrors,
        follows: bool,
    ) -> Result<(), Failure> {
        if self.at.elapsed() < LOOKED_AT_EVERY {
            return Ok(());
        }
        self.at = Instant::now();
        let (mut added, mut missing, mut responded) = (TopicPartitionList::new(), Vec::new(), true);
        for topic in topics {
            let found = match brokers::partitions_within(consumer, topic, LOOK_TIMEOUT) {
                Ok(found) => found,
                Err(TopicReadError::NotFound) => {
                    missing.push(&**topic);
                    continue;
                }
                // Where the brokers do not respond, reading says so.
                Err(TopicReadError::Kafka(_)) => {
                    responded = false;
                    continue;
                }
            };
            for partition in found {
                if follows && self.assigned.insert((Arc::clone(topic), partition)) {
                    output::say(format_args!(
                        "kvs-connect: {topic}: partition {partition} was added, and is read, too"
                    ));
                    added.add_partition_offset(topic, partition, Offset::Beginning).map_err(unreadable)?;
                }
            }
        }
        if added.count() > 0 {
            consumer.incremental_assign(&added).map_err(unreadable)?;
        }
        if !missing.is_empty() {
            errors.unknown(&missing.join(", "), !follows)?;
        } else if responded {
            errors.known();
        }
        Ok(())
    }
}

fn unreadable(error: rdkafka::error::KafkaError) -> Failure {
    Failure::new(EXIT_UNAVAILABLE, error)
}

/// Returns the offset of the first record of a partition with this timestamp or a later one; `None` if there is none.
fn offset_at(
    consumer: &BaseConsumer<FailureContext>,
    topic: &str,
    partition: i32,
    from_ms: i64,
) -> Result<Option<i64>, rdkafka::error::KafkaError> {
    let mut at = TopicPartitionList::new();
    at.add_partition_offset(topic, partition, Offset::Offset(from_ms))?;
    let found = consumer.offsets_for_times(at, CALL_TIMEOUT)?;
    let found = found.find_partition(topic, partition).map(|element| element.offset());
    Ok(match found {
        Some(Offset::Offset(offset)) => Some(offset),
        _ => None,
    })
}
