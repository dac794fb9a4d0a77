//! How the streams of a worker are.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::shard::OffsetKey;
use crate::telemetry;

/// How a stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamState {
    /// It is pulled.
    Running,
    /// It waits for the rest of a fragment whose beginning has come.
    WaitingForRest {
        /// The fragment's number, when it had come.
        fragment_number: Option<String>,
    },
    /// Something fails and is tried again.
    Retrying {
        /// What.
        reason: String,
    },
    /// It is given up until a restart; its place is kept.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
}

/// The states of a worker's streams. As many as there are streams.
#[derive(Debug, Default)]
pub struct StreamStates(Mutex<BTreeMap<OffsetKey, StreamState>>);

impl StreamStates {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<OffsetKey, StreamState>> {
        // Nothing panics while it is held, and a map is never half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how a stream is. One that has failed stays so.
    pub fn set(&self, key: &OffsetKey, state: StreamState) {
        let mut states = self.lock();
        if !matches!(states.get(key), Some(StreamState::Failed { .. })) {
            states.insert(key.clone(), state);
        }
    }

    /// Gives a stream up, and says so.
    pub fn fail(&self, key: &OffsetKey, reason: String) {
        if self.is_failed(key) {
            return;
        }
        tracing::error!(connector = %key.connector, stream = %key.stream, %reason,
            "the stream is FAILED: its place is kept, the others go on");
        telemetry::stream_failed();
        self.set(key, StreamState::Failed { reason });
    }

    /// Whether a stream has been given up.
    pub fn is_failed(&self, key: &OffsetKey) -> bool {
        matches!(self.lock().get(key), Some(StreamState::Failed { .. }))
    }

    /// The stream is no longer this worker's.
    pub fn forget(&self, key: &OffsetKey) {
        let mut states = self.lock();
        if !matches!(states.get(key), Some(StreamState::Failed { .. })) {
            states.remove(key);
        }
    }

    /// All of them.
    pub fn all(&self) -> Vec<(OffsetKey, StreamState)> {
        self.lock().iter().map(|(key, state)| (key.clone(), state.clone())).collect()
    }
}
