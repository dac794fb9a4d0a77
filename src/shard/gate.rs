//! How much of the config log is in force here: what a shard's owner waits for when offsets were altered.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How often it is looked whether the wait still has a reason.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The longest wait: the log may have been made anew under its name, and would never come there.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// An offset of the config log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigOffset {
    /// Topic of the log.
    pub topic: String,
    /// Everything before it counts.
    pub position: i64,
}

impl ConfigOffset {
    /// The record's value.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A string and a number always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The place of the config log up to which this worker does what it says.
#[derive(Debug, Default)]
pub struct ConfigGate {
    /// Topic of this worker's log.
    topic: String,
    applied: Mutex<i64>,
    moved: Condvar,
}

impl ConfigGate {
    /// Everything before `position` is in force here.
    pub fn apply(&self, position: i64) {
        let mut applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        *applied = position.max(*applied);
        self.moved.notify_all();
    }

    /// For the log in this topic.
    pub fn new(topic: &str) -> Self {
        Self { topic: topic.to_owned(), ..Self::default() }
    }

    /// Waits until everything before a place is in force, or `held` no more. A place of another log says nothing here.
    /// Blocks.
    pub fn wait(&self, place: &ConfigOffset, held: &dyn Fn() -> bool) {
        if place.topic != self.topic {
            return;
        }
        let (position, began) = (place.position, Instant::now());
        let mut applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        while *applied < position && held() {
            if began.elapsed() > WAIT_MAX {
                tracing::warn!(
                    topic = place.topic,
                    position,
                    "the config topic does not come to this place; was it made anew? Going on"
                );
                return;
            }
            applied = self.moved.wait_timeout(applied, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
