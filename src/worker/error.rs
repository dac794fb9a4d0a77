//! Reasons for which a worker exits.

use crate::model::{LogError, LogErrorKind};
use crate::supervision::{Panicked, Part};

/// Reasons for which a worker exits without being stopped.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The settings do not match what exists: exit code 78.
    #[error("{0}")]
    Config(String),
    /// Something that the worker needs is unavailable: exit code 69.
    #[error("{0}")]
    Unavailable(String),
    /// An indispensable part has panicked: exit code 70, upon which systemd or Kubernetes restarts the worker.
    #[error(transparent)]
    Panicked(#[from] Panicked),
    /// An indispensable part has returned without being stopped: exit code 70.
    #[error("{} ended without being stopped; this is a defect of kvs-connect, please report it", .0.name())]
    PartEnded(Part),
}

impl From<LogError> for WorkerError {
    fn from(error: LogError) -> Self {
        match error.kind {
            LogErrorKind::NotAuthorized => Self::Config(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}
