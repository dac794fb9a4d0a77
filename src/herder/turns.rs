//! Turns: slow REST requests are processed a few at a time, in the order in which they arrive.
//!
//! **Contract.** A request that waits for a turn holds no thread, and leaves the queue when its client disconnects: it
//! is then not processed. The number of waiting requests and their time are bounded; more are refused at once. A turn
//! is over when it is dropped, so it moves along with the work: work that has begun keeps its turn even if its client
//! disconnects.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::OperationError;
use crate::supervision::{self, Part};

/// The maximum time to wait for a turn. Together with the time for a change itself, it is what Kafka Connect allows a
/// request.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// The number of requests that may have a turn at once, and that may wait for one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    turns: usize,
    waiting: usize,
    timeout: Duration,
    /// The kind of work, for messages.
    what: &'static str,
}

/// Changes of the config log: one at a time, because several would only fence each other.
pub(super) const CHANGES: Room = Room { turns: 1, waiting: 48, timeout: WAIT_TIMEOUT, what: "changes of connectors" };
/// Alterations of offsets.
pub(super) const ALTERATIONS: Room =
    Room { turns: 1, waiting: 8, timeout: WAIT_TIMEOUT, what: "alterations of offsets" };
/// Readings of offsets: each reads a whole topic.
pub(super) const READINGS: Room = Room { turns: 2, waiting: 8, timeout: WAIT_TIMEOUT, what: "readings of offsets" };
/// Validations, and other requests.
pub(super) const ERRANDS: Room = Room { turns: 4, waiting: 8, timeout: WAIT_TIMEOUT, what: "validations" };

/// The maximum number of slow requests in progress.
pub(crate) const AT_WORK_MAX: usize = CHANGES.most() + ALTERATIONS.most() + READINGS.most() + ERRANDS.most();

impl Room {
    const fn most(self) -> usize {
        self.turns + self.waiting
    }
}

/// The turns of one kind of work.
#[derive(Debug)]
pub(super) struct Turns {
    room: Room,
    turns: Arc<Semaphore>,
    waiting: Semaphore,
}

/// A turn; it is over when it is dropped.
#[derive(Debug)]
pub(super) struct Turn(#[allow(dead_code)] Option<OwnedSemaphorePermit>);

impl Turns {
    pub(super) fn new(room: Room) -> Self {
        Self { room, turns: Arc::new(Semaphore::new(room.turns)), waiting: Semaphore::new(room.waiting) }
    }

    /// Waits for a turn, in order of the calls.
    ///
    /// # Errors
    /// When too many wait, or the turn does not come in time.
    pub(super) async fn turn(&self) -> Result<Turn, OperationError> {
        let Room { waiting, timeout, what, .. } = self.room;
        if let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(Turn(Some(turn)));
        }
        let Ok(_waits) = self.waiting.try_acquire() else {
            return Err(OperationError::TooManyWaiting { waiting, what });
        };
        let turn = tokio::time::timeout(timeout, self.own_turn()).await;
        turn.map_err(|_| OperationError::NoTurn { what, waited_s: timeout.as_secs() })
    }

    /// Waits for a turn for the worker's own work, which no client waits for: in the same order, without a bound.
    pub(super) async fn own_turn(&self) -> Turn {
        // An error would mean that the semaphore is closed, which it never is.
        Turn(Arc::clone(&self.turns).acquire_owned().await.ok())
    }
}

/// Does work within its turn, on a thread where blocking is allowed. A panic is counted even if the caller is gone, and
/// resumed in the caller.
pub(super) async fn within<T: Send + 'static>(turn: Turn, work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = supervision::blocking(Part::Request, move || {
        let done = work();
        drop(turn);
        done
    });
    done.await
}

#[cfg(test)]
#[path = "turns_tests.rs"]
mod tests;
