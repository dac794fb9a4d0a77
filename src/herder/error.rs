//! Why an operation was not done.

use crate::cluster::{ChangeError, Refusal};
use crate::model::LogError;
use crate::model::ShardId;
use crate::shard::recover::RecoverError;

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// The group does not allow it: there is no such connector, or its settings are wrong.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// This worker has not joined its group yet, and cannot answer for it.
    #[error("Worker is still starting up.")]
    Starting,
    /// As many as may wait for the same kind of work are waiting on this worker already.
    #[error("{waiting} {what} are waiting on this worker, and no more may; try again in a moment")]
    TooManyWaiting {
        /// How many wait.
        waiting: usize,
        /// The kind of work, in the plural.
        what: &'static str,
    },
    /// Other work of the kind took all the time that this one was willing to wait. Nothing was done.
    #[error("other {what} were before it on this worker for {waited_s} s; nothing was done, try again")]
    NoTurn {
        /// The kind of work, in the plural.
        what: &'static str,
        /// How long it waited.
        waited_s: u64,
    },
    /// The config log cannot be read or written.
    #[error("the config topic: {0}")]
    Log(#[source] LogError),
}

impl OperationError {
    /// Returns whether trying again later may help without anything having been changed.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Log(error) => !error.kind.needs_a_grant(),
            Self::Starting | Self::TooManyWaiting { .. } | Self::NoTurn { .. } => true,
        }
    }
}

impl From<ChangeError> for OperationError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Refused(refusal) => Self::Refused(refusal),
            ChangeError::Log(error) => Self::Log(error),
        }
    }
}

/// Why offsets were not read or altered.
#[derive(Debug, thiserror::Error)]
pub enum OffsetsError {
    /// For a reason that any operation may have.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// A shard of the offsets topic cannot be read or written.
    #[error("shard {shard} of topic {topic}: {source}{}", altered_before(*altered))]
    Shard {
        /// The shard that failed.
        shard: ShardId,
        /// The offsets topic.
        topic: String,
        /// How many other shards had been altered before.
        altered: usize,
        /// Why it failed.
        source: RecoverError,
    },
}

fn altered_before(altered: usize) -> String {
    match altered {
        0 => String::new(),
        altered => format!("; {altered} other shards were altered before: do it again when this one can be reached"),
    }
}
