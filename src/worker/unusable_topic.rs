//! Reasons why a connectors' own offsets topic cannot be used on this worker.

use super::WorkerError;
use crate::kafka::TopicError;
use crate::kafka::storage_topics::{LOSES_OFFSETS, MissingOffsetsTopic, not_compacted};
use crate::kafka::watch::TopicTrouble;
use crate::shard::beginning::AgreedError;
use crate::shard::recover::RecoverError;

/// Reasons why a connectors' own offsets topic cannot be used, with what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnusableTopic {
    /// The topic is still being opened.
    #[error("topic {topic} (offsets.storage.topic) is being opened")]
    Opening {
        /// The topic.
        topic: String,
    },
    /// Kafka does not describe the topic.
    #[error("topic {topic} (offsets.storage.topic): {source}")]
    NotKnown {
        /// The topic.
        topic: String,
        /// Why.
        source: TopicError,
    },
    /// The topic does not exist.
    #[error(transparent)]
    Missing(#[from] MissingOffsetsTopic),
    /// The number of the topic's shards is not known, or there are fewer partitions.
    #[error(
        "topic {topic} (offsets.storage.topic): {source}; if it is another topic than it was, restore it (from a backup or \
         another cluster), or delete the connector and create it again with another topic, and its streams start over"
    )]
    NotAgreed {
        /// The topic.
        topic: String,
        /// Why.
        source: AgreedError,
    },
    /// Some shards have no contract, although moving offsets to a topic writes one to each.
    #[error(
        "topic {topic} (offsets.storage.topic): connectors had their offsets in it, and it has none: it was deleted and \
         recreated, and streams would be published again. Restore it; or stop the connector, and set or reset the offsets of all \
         its streams in one request; or delete it and create it again with another topic, and its streams start over"
    )]
    MadeAnew {
        /// The topic.
        topic: String,
    },
    /// Kafka would delete the topic's records.
    #[error("{}; change it back", not_compacted(topic, policy, LOSES_OFFSETS))]
    NotCompacted {
        /// The topic.
        topic: String,
        /// Its cleanup.policy.
        policy: String,
    },
    /// The topic was replaced or truncated.
    #[error(
        "topic {topic} (offsets.storage.topic): {trouble}; restore it (from a backup or another cluster); or delete the \
         connector and create it again with another topic, and its streams start over"
    )]
    Changed {
        /// The topic.
        topic: String,
        /// What happened to it.
        trouble: TopicTrouble,
    },
    /// The owner of one of the topic's shards found that it is not this group's.
    #[error("topic {topic} (offsets.storage.topic): {source}")]
    Refused {
        /// The topic.
        topic: String,
        /// Why.
        source: RecoverError,
    },
    /// The topic has a different contract, or cannot be read.
    #[error(transparent)]
    Unreadable(#[from] WorkerError),
}
