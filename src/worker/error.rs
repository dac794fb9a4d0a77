//! Why a worker ends.

use crate::supervision::Panicked;

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
}
