//! The parts that a worker cannot do without: the end of one, by a panic or otherwise, ends the worker.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::error::WorkerError;
use crate::supervision::{Part, catch_async};

/// Reasons to end that wait to be heard: one is enough.
const ENDINGS_MAX: usize = 16;

/// Runs parts of a worker.
pub(super) struct Supervisor {
    /// Takes the reasons for which the worker has to end.
    pub(super) endings: mpsc::Sender<WorkerError>,
    /// Cancelled when the worker has ended.
    pub(super) stop: CancellationToken,
}

impl Supervisor {
    /// Makes a supervisor, and the receiver of the reasons to end.
    pub(super) fn new() -> (Self, mpsc::Receiver<WorkerError>) {
        let (endings, ends) = mpsc::channel(ENDINGS_MAX);
        (Self { endings, stop: CancellationToken::new() }, ends)
    }

    /// Runs a part, and has the worker end when it panics, and when it returns before it is stopped.
    pub(super) fn start(&self, part: Part, run: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let (endings, stop) = (self.endings.clone(), self.stop.clone());
        tokio::spawn(async move {
            let error = match catch_async(part, run).await {
                Ok(()) if stop.is_cancelled() => return,
                // What has told its own reason before is heard first.
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
