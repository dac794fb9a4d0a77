//! The indispensable parts of a worker: when one ends, by a panic or otherwise, the worker exits.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::error::WorkerError;
use crate::supervision::{Part, catch_async};

/// The maximum number of queued reasons to exit; one is enough.
const ENDINGS_MAX: usize = 16;

/// Runs indispensable parts of a worker.
pub(super) struct Supervisor {
    /// Receives the reasons for which the worker has to exit.
    pub(super) endings: mpsc::Sender<WorkerError>,
    /// Cancelled when the worker has stopped.
    pub(super) stop: CancellationToken,
}

impl Supervisor {
    /// Creates a supervisor, and the receiver of the reasons to exit.
    pub(super) fn new() -> (Self, mpsc::Receiver<WorkerError>) {
        let (endings, ends) = mpsc::channel(ENDINGS_MAX);
        (Self { endings, stop: CancellationToken::new() }, ends)
    }

    /// Runs a part. If the part panics, or returns before it is stopped, the worker exits.
    pub(super) fn start(&self, part: Part, run: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let (endings, stop) = (self.endings.clone(), self.stop.clone());
        tokio::spawn(async move {
            let error = match catch_async(part, run).await {
                Ok(()) if stop.is_cancelled() => return,
                // A part that has already sent a reason of its own is received first.
                Ok(()) => WorkerError::PartEnded(part),
                Err(panicked) => WorkerError::Panicked(panicked),
            };
            let _ = endings.send(error).await;
        })
    }
}

#[cfg(test)]
#[path = "supervisor_tests.rs"]
mod tests;
