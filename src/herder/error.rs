//! Why an operation was not done.

use rdkafka::error::KafkaError;

use crate::cluster::{ChangeError, Refusal};
use crate::kafka::TopicError;
use crate::kafka::storage_topics::StorageTopicError;
use crate::model::{LogError, ShardId};
use crate::shard::moving::MoveError;
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
    /// The offsets of a connector cannot be moved to the topic that its settings name.
    #[error("the connector's offsets cannot be moved to its offsets.storage.topic: {0}")]
    OffsetsMove(#[source] Box<OffsetsError>),
}

impl OperationError {
    /// Returns whether trying again later may help without anything having been changed.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Log(error) => !error.kind.needs_a_grant(),
            Self::OffsetsMove(error) => error.is_temporary(),
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
    #[error(transparent)]
    Shard(#[from] ShardFailure),
    /// The connector's own offsets topic cannot be used.
    #[error(transparent)]
    Topic(#[from] OffsetsTopicError),
    /// They are not moved to another topic.
    #[error(transparent)]
    Move(#[from] MoveError),
}

impl OffsetsError {
    /// Returns whether trying again later may help.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Operation(error) => error.is_temporary(),
            Self::Move(MoveError::Lost { .. } | MoveError::Unreadable { .. }) => false,
            Self::Shard(_) | Self::Move(_) => true,
            Self::Topic(error) => error.is_temporary(),
        }
    }
}

/// A shard of an offsets topic that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("shard {shard} of topic {topic}: {source}{}", altered_before(*altered))]
pub struct ShardFailure {
    /// The shard that failed.
    pub shard: ShardId,
    /// The offsets topic.
    pub topic: String,
    /// How many other shards had been altered before.
    pub altered: usize,
    /// Why it failed.
    pub source: Box<RecoverError>,
}

/// Why an offsets topic of a connector's own cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OffsetsTopicError {
    /// No client can be made to ask for it.
    #[error("Kafka's client does not take the settings: {0}")]
    Client(#[from] KafkaError),
    /// It is not there, and connectors have their offsets in it.
    #[error(
        "topic {topic} (offsets.storage.topic): it does not exist any more, and with it the positions of the streams are gone: \
         bring it back as it was; or delete the connector and make it again with another topic, and its streams begin anew"
    )]
    Missing {
        /// The topic.
        topic: String,
    },
    /// It cannot be asked for or made, or is not compacted.
    #[error(transparent)]
    Storage(#[from] StorageTopicError),
}

impl From<TopicError> for OffsetsTopicError {
    fn from(error: TopicError) -> Self {
        Self::Storage(error.into())
    }
}

impl OffsetsTopicError {
    /// Returns whether trying again later may help.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Storage(StorageTopicError::Topic(TopicError::Kafka { .. })))
    }
}

fn altered_before(altered: usize) -> String {
    match altered {
        0 => String::new(),
        altered => format!("; {altered} other shards were altered before: do it again when this one can be reached"),
    }
}
