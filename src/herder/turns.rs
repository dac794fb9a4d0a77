//! Turns: what is asked for over REST and takes a while is done a few at a time, in the order in which it was asked for.
//!
//! **Contract.** Whoever waits for a turn holds no thread, and leaves the queue when it stops waiting: what a client has
//! asked for that has gone meanwhile is not done. The number of those that wait and the time they wait are bounded; more are refused at once. A turn is
//! over when it is dropped, so it goes along with the work: what has begun keeps its turn although its client has gone.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::OperationError;
use crate::supervision::{self, Part};

/// The longest time that anybody waits for a turn. With the time that a change itself may take it is what Kafka Connect allows a request.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// How many may have a turn at once, and how many may wait for one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    turns: usize,
    waiting: usize,
    timeout: Duration,
    /// What is waited for, for people.
    what: &'static str,
}

/// Changes of the config log: one at a time, for they would only fence each other.
pub(super) const CHANGES: Room = Room { turns: 1, waiting: 48, timeout: WAIT_TIMEOUT, what: "changes of connectors" };
/// Alterations of offsets.
pub(super) const ALTERATIONS: Room =
    Room { turns: 1, waiting: 8, timeout: WAIT_TIMEOUT, what: "alterations of offsets" };
/// Readings of offsets: each reads a whole topic.
pub(super) const READINGS: Room = Room { turns: 2, waiting: 8, timeout: WAIT_TIMEOUT, what: "readings of offsets" };
/// Settings that are tried out, and other errands.
pub(super) const ERRANDS: Room = Room { turns: 4, waiting: 8, timeout: WAIT_TIMEOUT, what: "validations" };

/// The most requests that are at work for more than a moment.
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

    /// Waits for a turn, in the order in which it is asked for.
    ///
    /// # Errors
    /// When too many wait, or it takes too long: nothing has been done then.
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

    /// Waits for a turn of the worker's own work, which nobody waits for: in the same order, without a bound.
    pub(super) async fn own_turn(&self) -> Turn {
        // An error would say that the turns are closed, which they never are: then there is nothing to wait for either.
        Turn(Arc::clone(&self.turns).acquire_owned().await.ok())
    }
}

/// Does work on a thread where waiting is allowed, within its turn. A panic is counted there, although nobody may wait any more,
/// and goes on where it is waited for.
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
