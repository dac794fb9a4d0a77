//! The offsets topics that a member of the group subscribes to. They may change while it is a member.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The offsets topics whose shards a member may get: the worker's, and connectors' own.
#[derive(Debug, Clone)]
pub struct Subscription(Arc<Mutex<Subscribed>>);

/// What a member is to subscribe to.
#[derive(Debug)]
struct Subscribed {
    topics: BTreeSet<Arc<str>>,
    /// Counts changes of the topics.
    version: u64,
}

impl Subscription {
    /// Creates a subscription to only the worker's topic.
    pub fn new(workers_topic: Arc<str>) -> Self {
        Self(Arc::new(Mutex::new(Subscribed { topics: BTreeSet::from([workers_topic]), version: 0 })))
    }

    /// Adds a topic. The member's thread subscribes to it after its next poll.
    pub fn add(&self, topic: Arc<str>) {
        let mut subscribed = self.lock();
        if subscribed.topics.insert(topic) {
            subscribed.version += 1;
        }
    }

    /// Removes a topic. Its shards are revoked after the next poll of the member's thread.
    pub fn remove(&self, topic: &str) {
        let mut subscribed = self.lock();
        if subscribed.topics.remove(topic) {
            subscribed.version += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Subscribed> {
        // Nothing panics while the lock is held, and the set is never half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the topics' version, and the topics.
    pub(super) fn now(&self) -> (u64, BTreeSet<Arc<str>>) {
        let subscribed = self.lock();
        (subscribed.version, subscribed.topics.clone())
    }

    /// Returns the topics' version, which changes with them.
    pub(super) fn version(&self) -> u64 {
        self.lock().version
    }
}
