//! The offsets topics that a member of the group subscribes to, which may change while it is one.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The offsets topics whose shards a member takes part in: the worker's, and those that connectors have of their own.
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
    /// Subscribes to the worker's topic alone.
    pub fn new(workers_topic: Arc<str>) -> Self {
        Self(Arc::new(Mutex::new(Subscribed { topics: BTreeSet::from([workers_topic]), version: 0 })))
    }

    /// Adds a topic. The member's thread subscribes to it at its next look.
    pub fn add(&self, topic: Arc<str>) {
        let mut subscribed = self.lock();
        if subscribed.topics.insert(topic) {
            subscribed.version += 1;
        }
    }

    /// Removes a topic: its shards are revoked at the next look of the member's thread.
    pub fn remove(&self, topic: &str) {
        let mut subscribed = self.lock();
        if subscribed.topics.remove(topic) {
            subscribed.version += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Subscribed> {
        // Nothing panics while it is held, and a set is never half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the topics, with a number that changes with them.
    pub(super) fn now(&self) -> (u64, BTreeSet<Arc<str>>) {
        let subscribed = self.lock();
        (subscribed.version, subscribed.topics.clone())
    }

    /// Returns the number that changes with the topics.
    pub(super) fn version(&self) -> u64 {
        self.lock().version
    }
}
