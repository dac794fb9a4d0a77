//! Turns: what is asked for over REST and takes a while is done a few at a time, in the order in which it was asked for.
//!
//! **Contract.** Whoever waits for a turn holds no thread, and leaves the queue when it stops waiting: what a client has
//! asked for that has gone meanwhile is not done. So many wait at most and so long; more are refused at once. A turn is
//! over when it is dropped, so it goes along with the work: what has begun keeps its turn although its client has gone.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::OperationError;

/// How long a turn is waited for. With the time that a change itself may take it is what Kafka Connect allows a request.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// How many have a turn at once, and how many wait for one.
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

/// So many requests are at work for more than a moment, at most.
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
pub(super) struct Turn(#[allow(dead_code)] OwnedSemaphorePermit);

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
            return Ok(Turn(turn));
        }
        let Ok(_place) = self.waiting.try_acquire() else {
            let text = format!("{waiting} {what} are waiting on this worker, and no more may; try again in a moment");
            return Err(OperationError::Unavailable(text));
        };
        match tokio::time::timeout(timeout, self.own_turn()).await {
            Ok(turn) => turn,
            Err(_) => Err(OperationError::Unavailable(format!(
                "other {what} were before it on this worker for {} s; nothing was done, try again",
                timeout.as_secs()
            ))),
        }
    }

    /// The same for the worker's own work, which nobody waits for: in the same order, without a bound.
    ///
    /// # Errors
    /// Never: the turns are not closed.
    pub(super) async fn own_turn(&self) -> Result<Turn, OperationError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        turn.map(Turn).map_err(|error| OperationError::Unavailable(error.to_string()))
    }
}

/// Does work on a thread where waiting is allowed, within its turn. A panic goes on where it is waited for.
pub(super) async fn within<T: Send + 'static>(
    turn: Turn,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, OperationError> {
    let done = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    });
    match done.await {
        Ok(done) => Ok(done),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends.
            Err(error) => Err(OperationError::Unavailable(error.to_string())),
        },
    }
}

#[cfg(test)]
#[path = "turns_tests.rs"]
mod tests;
