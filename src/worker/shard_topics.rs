//! The offsets topics whose shards a worker may hold, and the topic that a connector's streams belong to.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::kafka::KafkaLog;
use crate::model::{OffsetKey, ShardCount, ShardId, TopicShard};
use crate::shard::OwnerContext;

/// What the owners of the shards of one offsets topic share.
#[derive(Clone)]
pub(super) struct TopicOwners {
    /// The number of shards.
    pub(super) count: ShardCount,
    /// What each owner needs.
    pub(super) owners: OwnerContext<KafkaLog>,
}

impl TopicOwners {
    /// Returns whether a partition of the topic is one of its shards.
    pub(super) fn has(&self, shard: ShardId) -> bool {
        shard.0 < self.count.get()
    }
}

/// The offsets topics of a worker.
pub(super) struct ShardTopics {
    workers_topic: Arc<str>,
    workers: TopicOwners,
    /// The connectors' own topics that are open.
    own: Mutex<BTreeMap<Arc<str>, TopicOwners>>,
    /// The topic of each connector that has its own.
    homes: Mutex<HashMap<String, Arc<str>>>,
}

impl ShardTopics {
    /// Creates the collection with only the worker's topic.
    pub(super) fn new(workers_topic: Arc<str>, workers: TopicOwners) -> Self {
        Self { workers_topic, workers, own: Mutex::default(), homes: Mutex::default() }
    }

    /// Returns the name of the worker's topic.
    pub(super) fn workers_topic(&self) -> &Arc<str> {
        &self.workers_topic
    }

    /// Returns what the owners of the worker's topic share.
    pub(super) fn workers(&self) -> &OwnerContext<KafkaLog> {
        &self.workers.owners
    }

    /// Adds a connectors' own topic, so that its shards may be assigned.
    pub(super) fn open(&self, topic: Arc<str>, owners: TopicOwners) {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).insert(topic, owners);
    }

    /// Sets the offsets topics of the connectors that have their own. A connector whose topic has changed must not have
    /// streams on this worker.
    pub(super) fn set_homes(&self, homes: HashMap<String, Arc<str>>) {
        *self.homes.lock().unwrap_or_else(PoisonError::into_inner) = homes;
    }

    /// Returns what the owners of a topic's shards share; `None`: it is not open.
    pub(super) fn owners_of(&self, topic: &Arc<str>) -> Option<TopicOwners> {
        if *topic == self.workers_topic {
            return Some(self.workers.clone());
        }
        self.own.lock().unwrap_or_else(PoisonError::into_inner).get(topic).cloned()
    }

    /// Returns the shard of a stream; `None`: the topic of its connector's offsets is not open here.
    pub(super) fn shard_of(&self, key: &OffsetKey) -> Option<TopicShard> {
        let home = self.homes.lock().unwrap_or_else(PoisonError::into_inner).get(&key.connector).cloned();
        match home {
            None => Some(self.workers_shard_of(key)),
            Some(topic) => {
                let shard = self.owners_of(&topic)?.count.shard_of(&key.to_bytes());
                Some(TopicShard { topic, shard })
            }
        }
    }

    /// Returns the shard of the worker's topic that a key belongs to, wherever the offsets of its connector are.
    pub(super) fn workers_shard_of(&self, key: &OffsetKey) -> TopicShard {
        TopicShard { topic: Arc::clone(&self.workers_topic), shard: self.workers.count.shard_of(&key.to_bytes()) }
    }

    /// Returns a shard's name for people.
    pub(super) fn named(&self, shard: &TopicShard) -> String {
        if shard.topic == self.workers_topic { shard.shard.to_string() } else { shard.to_string() }
    }

    /// Returns the shards' names, for people.
    pub(super) fn listed(&self, shards: &[TopicShard]) -> String {
        shards.iter().map(|shard| self.named(shard)).collect::<Vec<_>>().join(", ")
    }

    /// Removes a connectors' own topic.
    pub(super) fn remove(&self, topic: &str) {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).remove(topic);
    }
}
