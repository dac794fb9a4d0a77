//! Why an offsets topic of connectors' own cannot be used on this worker.

use super::WorkerError;
use crate::kafka::TopicError;
use crate::kafka::storage_topics::{LOSES_OFFSETS, not_compacted};
use crate::kafka::watch::TopicTrouble;
use crate::shard::recover::RecoverError;

/// Why an offsets topic of connectors' own cannot be used, with what to do about it.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnusableTopic {
    /// It is still being opened.
    #[error("topic {topic} (offsets.storage.topic) is being opened")]
    Opening {
        /// The topic.
        topic: String,
    },
    /// Kafka does not say what it is like.
    #[error("topic {topic} (offsets.storage.topic): {source}")]
    NotKnown {
        /// The topic.
        topic: String,
        /// Why.
        source: TopicError,
    },
    /// It does not exist.
    #[error(
        "topic {topic} (offsets.storage.topic): it does not exist any more, and with it the positions of the streams are gone: \
         bring it back as it was; or delete the connector and make it again with another topic, and its streams begin anew"
    )]
    Missing {
        /// The topic.
        topic: String,
    },
    /// Not all of its shards have been begun, as whoever moves offsets to a topic does.
    #[error(
        "topic {topic} (offsets.storage.topic): connectors had their offsets in it, and it has not been begun: it was deleted \
         and made anew, and streams would be published again. Bring it back as it was; or delete the connector and make it \
         again with another topic, and its streams begin anew"
    )]
    MadeAnew {
        /// The topic.
        topic: String,
    },
    /// Kafka would delete what is in it.
    #[error("{}; alter it back", not_compacted(topic, policy, LOSES_OFFSETS))]
    NotCompacted {
        /// The topic.
        topic: String,
        /// Its cleanup.policy.
        policy: String,
    },
    /// It is not the topic that it was.
    #[error(
        "topic {topic} (offsets.storage.topic): {trouble}; bring it back as it was (from a backup or another cluster); or delete \
         the connector and make it again with another topic, and its streams begin anew"
    )]
    Changed {
        /// The topic.
        topic: String,
        /// What has become of it.
        trouble: TopicTrouble,
    },
    /// The owner of one of its shards found that it is not this group's.
    #[error("topic {topic} (offsets.storage.topic): {source}")]
    Refused {
        /// The topic.
        topic: String,
        /// Why.
        source: RecoverError,
    },
    /// It is bound to something else, or cannot be read.
    #[error(transparent)]
    Unreadable(#[from] WorkerError),
}
