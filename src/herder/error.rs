//! Reasons why an operation failed.

use rdkafka::error::KafkaError;

use crate::cluster::{ChangeError, Refusal};
use crate::kafka::TopicError;
use crate::kafka::storage_topics::{MissingOffsetsTopic, StorageTopicError};
use crate::model::{LogError, LogErrorKind, ShardId};
use crate::shard::beginning::AgreedError;
use crate::shard::moving::MoveError;
use crate::shard::recover::RecoverError;

/// Reasons why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// The operation is refused: there is no such connector, or its settings are wrong.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// This worker has not joined its group yet, and cannot serve requests for it.
    #[error("Worker is still starting up.{}", reason.as_ref().map(|reason| format!(" {reason}")).unwrap_or_default())]
    Starting {
        /// What it waits for, if that is known.
        reason: Option<String>,
    },
    /// The queue for this kind of work is full on this worker.
    #[error("{waiting} {what} are waiting on this worker, which is the maximum; try again in a moment")]
    TooManyWaiting {
        /// The number that wait.
        waiting: usize,
        /// The kind of work, in the plural.
        what: &'static str,
    },
    /// The turn did not come in time, because of other work of this kind. Nothing was done.
    #[error("other {what} on this worker took longer than {waited_s} s; nothing was done, try again")]
    NoTurn {
        /// The kind of work, in the plural.
        what: &'static str,
        /// How long the operation waited.
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
    /// Returns whether trying again later may help, without any change.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Log(error) => !error.kind.needs_a_grant(),
            Self::OffsetsMove(error) => error.is_temporary(),
            Self::Starting { .. } | Self::TooManyWaiting { .. } | Self::NoTurn { .. } => true,
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

/// Reasons why offsets were not read or altered.
#[derive(Debug, thiserror::Error)]
pub enum OffsetsError {
    /// The reason is one that any operation may have.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// The connector was started, deleted or moved while its offsets were altered.
    #[error("connector {connector} was changed while its offsets were altered: {source}{}", altered_before(*altered))]
    ChangedMeanwhile {
        /// The connector.
        connector: String,
        /// The number of shards that were altered before.
        altered: usize,
        /// Why the others may not be altered.
        source: Box<OperationError>,
    },
    /// A shard of the offsets topic cannot be read or written.
    #[error(transparent)]
    Shard(#[from] ShardFailure),
    /// The connector's own offsets topic cannot be used.
    #[error(transparent)]
    Topic(#[from] OffsetsTopicError),
    /// The offsets cannot be moved to another topic.
    #[error(transparent)]
    Move(#[from] MoveError),
}

impl OffsetsError {
    /// Returns whether trying again later may help.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Operation(error) => error.is_temporary(),
            Self::Move(
                MoveError::Lost { .. }
                | MoveError::Emptied { .. }
                | MoveError::Unreadable { .. }
                | MoveError::Foreign { .. },
            ) => false,
            // Another group's topic, or one with another number of partitions, stays so.
            Self::Move(MoveError::Shard { source, .. }) => !matches!(**source, RecoverError::Contract(_)),
            Self::ChangedMeanwhile { source, .. } => source.is_temporary(),
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
    /// The number of other shards that were altered before.
    pub altered: usize,
    /// Why it failed.
    pub source: Box<RecoverError>,
}

/// Reasons why a connector's own offsets topic cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OffsetsTopicError {
    /// No client can be created to look the topic up.
    #[error("Kafka's client rejects the settings: {0}")]
    Client(#[from] KafkaError),
    /// The topic does not exist, and connectors have their offsets in it.
    #[error(transparent)]
    Missing(#[from] MissingOffsetsTopic),
    /// The number of the topic's shards is not known, or there are fewer partitions.
    #[error("topic {topic} (offsets.storage.topic): {source}")]
    NotAgreed {
        /// The topic.
        topic: String,
        /// Why.
        source: Box<AgreedError>,
    },
    /// The topic cannot be looked up or created, or is not compacted.
    #[error(transparent)]
    Storage(#[from] StorageTopicError),
}

impl From<TopicError> for OffsetsTopicError {
    fn from(error: TopicError) -> Self {
        Self::Storage(error.into())
    }
}

impl OffsetsTopicError {
    /// Returns whether what was in the topic is gone: it does not exist, or is another topic by now.
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Missing { .. } => true,
            Self::NotAgreed { source, .. } => !matches!(**source, AgreedError::Log(_)),
            Self::Client(_) | Self::Storage(_) => false,
        }
    }

    /// Returns whether trying again later may help.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Storage(StorageTopicError::Topic(TopicError::Kafka { .. })) => true,
            Self::NotAgreed { source, .. } => {
                matches!(&**source, AgreedError::Log(error) if error.kind != LogErrorKind::NotAuthorized)
            }
            _ => false,
        }
    }
}

fn altered_before(altered: usize) -> String {
    match altered {
        0 => String::new(),
        altered => {
            format!("; {altered} other shards have been altered; repeat the request when this is mended")
        }
    }
}
