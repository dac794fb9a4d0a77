//! Tracks the partitions of the data topics: how many there are, and which have a leader.
//!
//! **Contract.** Refreshed periodically, never waited for: writers use the last known state. Partitions are added to a topic, topics
//! are deleted and brokers disappear while a worker runs; a record for a partition without a leader would keep its whole
//! transaction from completing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::context::LogContext;
use super::settings::KafkaSettings;
use crate::telemetry;

/// How long a response may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// More partitions than any topic has.
const PARTITIONS_MAX: usize = 2_000_000;
/// The number of consecutive responses after which a topic counts as missing, or a partition as offline: a broker that has just
/// started may not know a topic yet, and a leader election is over within the second.
const SEEN_MIN: u32 = 2;

/// The number of a topic's offline partitions that a log line lists.
const LISTED_MAX: usize = 10;

/// Reasons why a topic, or a partition of it, accepts no records at the moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicUnusable {
    /// The topic no longer exists.
    #[error("topic {topic} no longer exists; create it again, or restart the connector, which creates it")]
    Missing {
        /// The topic.
        topic: Arc<str>,
    },
    /// The partition has no leader.
    #[error("partition {partition} of topic {topic} is offline: no broker that has it is running; bring one back")]
    Offline {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
    },
    /// The topic no longer has this partition.
    #[error(
        "topic {topic} has {count} partitions and the stream's records are in partition {partition}: it was recreated with \
         fewer; give it at least {}", partition.saturating_add(1)
    )]
    FewerPartitions {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// The number of its partitions.
        count: i32,
    },
}

/// The last known state of a topic.
#[derive(Debug)]
struct Heard {
    /// For each partition the number of consecutive responses in which it had no leader.
    leaderless: Vec<u32>,
    /// The number of consecutive responses in which the topic did not exist.
    missing: u32,
}

impl Heard {
    /// Returns the partitions that count as offline, in order.
    fn offline(&self) -> impl Iterator<Item = usize> {
        self.leaderless.iter().enumerate().filter(|(_, times)| **times >= SEEN_MIN).map(|(partition, _)| partition)
    }
}

/// A topic that connectors write to.
#[derive(Debug)]
pub struct DataTopic {
    name: Arc<str>,
    heard: Mutex<Heard>,
    /// The largest batch that the topic accepts, in bytes, as far as is known.
    batch_max_bytes: AtomicUsize,
}

impl DataTopic {
    /// Creates a topic with this number of partitions, all of which are assumed to have a leader.
    pub fn new(name: &str, partitions: i32) -> Self {
        let leaderless = vec![0; usize::try_from(partitions).unwrap_or_default()];
        let batch_max_bytes = AtomicUsize::new(usize::MAX);
        Self { name: name.into(), heard: Mutex::new(Heard { leaderless, missing: 0 }), batch_max_bytes }
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        // Nothing panics while the lock is held, and its parts are changed one by one.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies a response: for each partition whether it has a leader, or `None` if the topic does not exist. Logs which
    /// partitions have gone offline, and that all are back.
    fn hear(&self, leaders: Option<Vec<bool>>) {
        let mut heard = self.lock();
        let before: Vec<usize> = heard.offline().collect();
        Self::apply(&mut heard, leaders);
        let offline: Vec<usize> = heard.offline().collect();
        drop(heard);
        let topic = &*self.name;
        if offline.iter().any(|partition| !before.contains(partition)) {
            let listed = offline.iter().take(LISTED_MAX).collect::<Vec<_>>();
            tracing::warn!(topic, offline = offline.len(), partitions = ?listed,
                "partitions of the topic are offline: no broker that has them is running; bring one back; streams that \
                 write there do not start");
        } else if offline.is_empty() && !before.is_empty() {
            tracing::info!(topic, "all partitions of the topic have a leader again");
        }
    }

    fn apply(heard: &mut Heard, leaders: Option<Vec<bool>>) {
        match leaders {
            Some(leaders) => {
                let before = |index| heard.leaderless.get(index).copied().unwrap_or_default();
                let count =
                    |(index, has_one): (usize, &bool)| if *has_one { 0 } else { before(index).saturating_add(1) };
                let leaderless = leaders.iter().enumerate().map(count).collect();
                *heard = Heard { leaderless, missing: 0 };
            }
            None => heard.missing = heard.missing.saturating_add(1),
        }
    }

    /// Returns the number of partitions that count as offline.
    fn offline(&self) -> usize {
        self.lock().offline().count()
    }

    /// Returns the current number of partitions.
    ///
    /// # Errors
    /// [`TopicUnusable::Missing`] if the topic does not exist.
    pub fn count(&self) -> Result<i32, TopicUnusable> {
        let heard = self.lock();
        if heard.missing >= SEEN_MIN || heard.leaderless.is_empty() {
            return Err(TopicUnusable::Missing { topic: Arc::clone(&self.name) });
        }
        Ok(i32::try_from(heard.leaderless.len()).unwrap_or(i32::MAX))
    }

    /// Checks that a partition accepts records, as far as is known.
    ///
    /// # Errors
    /// The reason why it does not.
    pub fn available(&self, partition: i32) -> Result<(), TopicUnusable> {
        let (topic, count) = (Arc::clone(&self.name), self.count()?);
        match self.lock().leaderless.get(usize::try_from(partition).unwrap_or(usize::MAX)) {
            Some(&times) if times < SEEN_MIN => Ok(()),
            Some(_) => Err(TopicUnusable::Offline { topic, partition }),
            None => Err(TopicUnusable::FewerPartitions { topic, partition, count }),
        }
    }
}

/// The topics that a worker's connectors write to.
pub struct DataTopics {
    client: BaseConsumer<LogContext>,
    topics: Mutex<HashMap<Arc<str>, Weak<DataTopic>>>,
}

impl DataTopics {
    /// Creates an empty set; nothing is requested before [`DataTopics::refresh`].
    ///
    /// # Errors
    /// When librdkafka rejects the settings.
    pub fn new(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        Ok(Self { client: settings.admin_config().create_with_context(LogContext)?, topics: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Weak<DataTopic>>> {
        // Nothing panics while the lock is held, and a map is never half changed.
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a topic, which is refreshed as long as the returned value is in use. `max_message_bytes` is its `max.message.bytes`,
    /// if that is known.
    pub fn topic(&self, name: &str, partitions: i32, max_message_bytes: Option<usize>) -> Arc<DataTopic> {
        let topic = self.found(name, partitions);
        topic.batch_max_bytes.store(max_message_bytes.unwrap_or(usize::MAX), Ordering::Relaxed);
        topic
    }

    /// Returns the largest batch that a topic accepts, in bytes, as far as is known: brokers hold `max.message.bytes` against
    /// batches, not records.
    pub fn batch_max_bytes(&self, topic: &str) -> Option<usize> {
        let known = self.lock().get(topic).and_then(Weak::upgrade)?;
        Some(known.batch_max_bytes.load(Ordering::Relaxed)).filter(|most| *most < usize::MAX)
    }

    /// Notes that a topic refused a batch of at most this size, in bytes, that had several records: the next ones are at most half as
    /// large. Returns their size; `None` if nothing is known of the topic.
    pub fn batch_refused(&self, topic: &str, size_bytes: usize) -> Option<usize> {
        let known = self.lock().get(topic).and_then(Weak::upgrade)?;
        let before = known.batch_max_bytes.fetch_min(size_bytes / 2, Ordering::Relaxed);
        Some(before.min(size_bytes / 2))
    }

    fn found(&self, name: &str, partitions: i32) -> Arc<DataTopic> {
        let mut topics = self.lock();
        if let Some(known) = topics.get(name).and_then(Weak::upgrade) {
            // The caller has just requested it by other means.
            if known.count() != Ok(partitions) {
                known.hear(Some(vec![true; usize::try_from(partitions).unwrap_or_default()]));
            }
            return known;
        }
        let topic = Arc::new(DataTopic::new(name, partitions));
        topics.insert(Arc::clone(&topic.name), Arc::downgrade(&topic));
        topic
    }

    /// Returns why a partition accepts no records at the moment; `None` if it does, as far as is known.
    pub fn unavailable(&self, topic: &str, partition: i32) -> Option<String> {
        let known = self.lock().get(topic).and_then(Weak::upgrade)?;
        known.available(partition).err().map(|unusable| unusable.to_string())
    }

    /// Refreshes every topic, and the metric of offline partitions. A topic whose request fails keeps its state. Blocks.
    pub fn refresh(&self) {
        let topics: Vec<Arc<DataTopic>> = {
            let mut topics = self.lock();
            topics.retain(|_, topic| topic.strong_count() > 0);
            topics.values().filter_map(Weak::upgrade).collect()
        };
        topics.iter().for_each(|topic| self.ask(topic));
        telemetry::data_partitions_offline(topics.iter().map(|topic| topic.offline()).sum());
    }

    fn ask(&self, topic: &DataTopic) {
        let answer = match self.client.fetch_metadata(Some(&topic.name), CALL_TIMEOUT) {
            Ok(answer) => answer,
            Err(error) => return tracing::debug!(topic = &*topic.name, %error, "cannot request a topic's partitions"),
        };
        let Some(found) = answer.topics().iter().find(|found| *found.name() == *topic.name) else { return };
        match found.error().map(RDKafkaErrorCode::from) {
            None => {
                let found = found.partitions().iter().map(|partition| (partition.id(), partition.leader()));
                topic.hear(Some(leaders(found)).filter(|leaders| !leaders.is_empty()));
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => topic.hear(None),
            Some(error) => tracing::debug!(topic = &*topic.name, %error, "cannot request a topic's partitions"),
        }
    }
}

/// Returns which partitions have a leader, from ids and leaders in any order. Ids beyond what any topic has are ignored,
/// because the highest id determines the memory used.
fn leaders(partitions: impl Iterator<Item = (i32, i32)>) -> Vec<bool> {
    let mut leaders = Vec::new();
    for (id, leader) in partitions {
        let Some(index) = usize::try_from(id).ok().filter(|&index| index < PARTITIONS_MAX) else { continue };
        if leaders.len() <= index {
            leaders.resize(index + 1, false);
        }
        if let Some(known) = leaders.get_mut(index) {
            *known = leader >= 0;
        }
    }
    leaders
}

#[cfg(test)]
#[path = "data_topics_tests.rs"]
mod tests;
