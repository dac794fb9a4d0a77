//! Why a worker ends.

use crate::model::{LogError, LogErrorKind};
use crate::supervision::{Panicked, Part};

/// Why a worker ended without being told to.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The settings do not fit what is there: exit code 78.
    #[error("{0}")]
    Config(String),
    /// Something that is needed cannot be had: exit code 69.
    #[error("{0}")]
    Unavailable(String),
    /// A part of it has panicked, and it cannot go on without: exit code 70, upon which systemd or Kubernetes starts it
    /// again.
    #[error(transparent)]
    Panicked(#[from] Panicked),
    /// A part of it that has to go on has come to an end although nobody asked for that: exit code 70.
    #[error("{} ended although nobody asked for it; this is a defect of kvs-connect, please report it", .0.name())]
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
