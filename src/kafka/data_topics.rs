//! What the cluster says of the data topics' partitions, now and again: how many there are, and which have a leader.
//!
//! **Contract.** Asked for, never waited for: who writes looks at what was last heard. Partitions are added to a topic, topics
//! are deleted and brokers go while a worker runs; what is written to a partition without a leader would keep a whole
//! transaction from its end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::context::LogContext;
use super::settings::KafkaSettings;

/// How long an answer may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// No topic has more partitions than these.
const PARTITIONS_MAX: usize = 2_000_000;
/// A topic is missing, and a partition offline, when it was so as often running: a broker that has just started may not
/// know of a topic yet, and a leader that is elected anew is there again within the second.
const SEEN_MIN: u32 = 2;

/// Why a topic, or a partition of it, takes no records at the moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicUnusable {
    /// There is no such topic any more.
    #[error("topic {topic} does not exist any more; make it again, or restart the connector, which makes it")]
    Missing {
        /// The topic.
        topic: Arc<str>,
    },
    /// The partition has no leader.
    #[error("partition {partition} of topic {topic} is offline: no broker that has it is up; bring one back")]
    Offline {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
    },
    /// The topic has no such partition any more.
    #[error(
        "topic {topic} has {count} partitions and the stream's records are in partition {partition}: it was made anew with \
         fewer; give it at least {}", partition.saturating_add(1)
    )]
    FewerPartitions {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// How many it has.
        count: i32,
    },
}

/// What was last heard of a topic.
#[derive(Debug)]
struct Heard {
    /// For each partition the answers running that said that it has no leader.
    leaderless: Vec<u32>,
    /// Answers running that said that there is no such topic.
    missing: u32,
}

/// A topic that connectors write to.
#[derive(Debug)]
pub struct DataTopic {
    name: Arc<str>,
    heard: Mutex<Heard>,
}

impl DataTopic {
    /// Returns a topic with this many partitions, all of which have a leader as far as is known.
    pub fn new(name: &str, partitions: i32) -> Self {
        let leaderless = vec![0; usize::try_from(partitions).unwrap_or_default()];
        Self { name: name.into(), heard: Mutex::new(Heard { leaderless, missing: 0 }) }
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        // Nothing panics while it is held, and its parts are changed one by one.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in an answer: for each partition whether it has a leader; `None`: there is no such topic.
    fn hear(&self, leaders: Option<Vec<bool>>) {
        let mut heard = self.lock();
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

    /// Returns how many partitions the topic has now.
    ///
    /// # Errors
    /// [`TopicUnusable::Missing`].
    pub fn count(&self) -> Result<i32, TopicUnusable> {
        let heard = self.lock();
        if heard.missing >= SEEN_MIN || heard.leaderless.is_empty() {
            return Err(TopicUnusable::Missing { topic: Arc::clone(&self.name) });
        }
        Ok(i32::try_from(heard.leaderless.len()).unwrap_or(i32::MAX))
    }

    /// Checks that a partition can take records, as far as is known.
    ///
    /// # Errors
    /// Why it cannot.
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
    /// Nothing is asked before [`DataTopics::refresh`].
    ///
    /// # Errors
    /// When librdkafka does not take the settings.
    pub fn new(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        Ok(Self { client: settings.admin_config().create_with_context(LogContext)?, topics: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Weak<DataTopic>>> {
        // Nothing panics while it is held, and a map is never half changed.
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a topic, which is asked for as long as somebody has it.
    pub fn topic(&self, name: &str, partitions: i32) -> Arc<DataTopic> {
        let mut topics = self.lock();
        if let Some(known) = topics.get(name).and_then(Weak::upgrade) {
            // It has just been asked for by other means.
            if known.count() != Ok(partitions) {
                known.hear(Some(vec![true; usize::try_from(partitions).unwrap_or_default()]));
            }
            return known;
        }
        let topic = Arc::new(DataTopic::new(name, partitions));
        topics.insert(Arc::clone(&topic.name), Arc::downgrade(&topic));
        topic
    }

    /// Returns why a partition takes no records at the moment; `None`: it does, as far as is known.
    pub fn unavailable(&self, topic: &str, partition: i32) -> Option<String> {
        let known = self.lock().get(topic).and_then(Weak::upgrade)?;
        known.available(partition).err().map(|unusable| unusable.to_string())
    }

    /// Asks for every topic. What cannot be asked for stays as it was. Blocks.
    pub fn refresh(&self) {
        let topics: Vec<Arc<DataTopic>> = {
            let mut topics = self.lock();
            topics.retain(|_, topic| topic.strong_count() > 0);
            topics.values().filter_map(Weak::upgrade).collect()
        };
        for topic in topics {
            self.ask(&topic);
        }
    }

    fn ask(&self, topic: &DataTopic) {
        let answer = match self.client.fetch_metadata(Some(&topic.name), CALL_TIMEOUT) {
            Ok(answer) => answer,
            Err(error) => return tracing::debug!(topic = &*topic.name, %error, "cannot ask for a topic's partitions"),
        };
        let Some(found) = answer.topics().iter().find(|found| *found.name() == *topic.name) else { return };
        match found.error().map(RDKafkaErrorCode::from) {
            None => {
                let found = found.partitions().iter().map(|partition| (partition.id(), partition.leader()));
                topic.hear(Some(leaders(found)).filter(|leaders| !leaders.is_empty()));
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => topic.hear(None),
            Some(error) => tracing::debug!(topic = &*topic.name, %error, "cannot ask for a topic's partitions"),
        }
    }
}

/// Returns which partitions have a leader, from ids and leaders in any order. An id that no topic has is passed over: what
/// is kept goes by the highest one.
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
