//! Reasons why streams of an acquired shard must not be pulled.

use crate::model::{OffsetError, OffsetKey, ShardId};

/// A record of a shard that cannot be read. Treating it as missing would publish a stream again, or undo a change to
/// its connector.
#[derive(Debug, Clone, thiserror::Error)]
pub enum UnreadableRecord {
    /// The offset of a stream.
    #[error("the offset of {key} cannot be read ({source}): set it, or reset it to start over")]
    Offset {
        /// The record's key, as text.
        key: String,
        /// What is wrong with its value.
        source: OffsetError,
    },
    /// The sequence of a stream.
    #[error(
        "the sequence of stream {} of connector {} cannot be read ({source}): set or reset the stream's offset, which \
         rewrites it",
        key.stream, key.connector
    )]
    Sequence {
        /// The stream.
        key: OffsetKey,
        /// What is wrong with the record's value.
        source: OffsetError,
    },
    /// The config offset that the shard's owner has to wait for.
    #[error(
        "the offset of the config log that its shard waits for cannot be read ({source}); it was written by another \
         program, or by a later version: stop the connector, and set or reset the offset of this stream, which \
         rewrites it"
    )]
    ConfigOffset {
        /// What is wrong with the record's value.
        source: OffsetError,
    },
}

/// Reasons why none of a shard's streams is pulled.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ShardRefusal {
    /// A record on which all streams of the shard depend cannot be read.
    #[error(transparent)]
    Unreadable(#[from] UnreadableRecord),
    /// The shard's first records were deleted.
    #[error(
        "shard {shard} of topic {topic} begins at offset {start}: records were deleted (by retention, for cleanup.policy \
         is or was not compact, or by hand), and positions of streams with them. None of its streams is pulled, \
         because they would be published again. Set cleanup.policy=compact; then stop the connectors and set or reset \
         the offsets of all their streams"
    )]
    RecordsDeleted {
        /// The shard.
        shard: ShardId,
        /// Its topic.
        topic: String,
        /// The first offset of the shard's partition.
        start: i64,
    },
    /// The shard had records, and has none.
    #[error(
        "shard {shard} of topic {topic} is empty and was not: the topic was deleted and recreated, and the positions \
         of streams are gone with it. None of its streams is pulled, because they would be published again. Restore \
         the topic"
    )]
    Recreated {
        /// The shard.
        shard: ShardId,
        /// Its topic.
        topic: String,
    },
}
