//! The offsets topics that a member of the group subscribes to, which may change while it is one.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The offsets topics whose shards a member takes part in: the worker's, and those that connectors have of their own.
#[derive(Debug, Clone)]
pub struct Subscription(Arc<Mutex<Subscribed>>);

/// What a member is to subscribe to, and what it has subscribed to.
#[derive(Debug)]
struct Subscribed {
    topics: BTreeSet<Arc<str>>,
    /// Counts changes of the topics.
    version: u64,
    /// The version that the member's thread has subscribed to.
    in_force: u64,
}

impl Subscription {
    /// Subscribes to the worker's topic alone.
    pub fn new(workers_topic: Arc<str>) -> Self {
        Self(Arc::new(Mutex::new(Subscribed { topics: BTreeSet::from([workers_topic]), version: 0, in_force: 0 })))
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

    /// Returns whether the member's thread has subscribed to what there is now. A topic that is added again before its removal
    /// was in force would stay assigned, with its shards released.
    pub fn is_in_force(&self) -> bool {
        let subscribed = self.lock();
        subscribed.version == subscribed.in_force
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

    /// Notes that the member's thread has subscribed to what there was at this number.
    pub(super) fn is_in_force_since(&self, version: u64) {
        self.lock().in_force = version;
    }
}
