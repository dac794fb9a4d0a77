//! Tracks how much of the config log has been applied on this worker. A shard's owner waits for that after offsets were
//! altered.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The interval at which a waiting owner checks whether the shard is still held.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The maximum wait: a log that was recreated under its name might never reach the config offset.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// An offset of the config log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigOffset {
    /// The topic of the log.
    pub topic: String,
    /// The config offset: everything before it must have been applied.
    pub position: i64,
}

impl ConfigOffset {
    /// Returns the value of the record.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A string and a number always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The config offset up to which this worker has applied the config log.
#[derive(Debug, Default)]
pub struct ConfigGate {
    /// The topic of this worker's log.
    topic: String,
    applied: Mutex<i64>,
    moved: Condvar,
}

impl ConfigGate {
    /// Records that everything before `position` has been applied.
    pub fn apply(&self, position: i64) {
        let mut applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        *applied = position.max(*applied);
        self.moved.notify_all();
    }

    /// Creates a gate for the log in this topic.
    pub fn new(topic: &str) -> Self {
        Self { topic: topic.to_owned(), ..Self::default() }
    }

    /// Waits until everything before a config offset has been applied, or `held` returns false. A config offset of
    /// another log is not waited for. Blocks.
    pub fn wait(&self, config_offset: &ConfigOffset, held: &dyn Fn() -> bool) {
        if config_offset.topic != self.topic {
            return;
        }
        let (position, began) = (config_offset.position, Instant::now());
        let mut applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        while *applied < position && held() {
            if began.elapsed() > WAIT_MAX {
                tracing::warn!(
                    topic = config_offset.topic,
                    position,
                    "the config topic does not reach this offset (was it recreated?); continuing without waiting"
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
