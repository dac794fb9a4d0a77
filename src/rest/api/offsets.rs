//! Offsets of a connector's streams.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use kvs_client::Timestamp;

use crate::model::{self, StoredOffset};

/// A stream.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::rest) struct Partition {
    /// Name or ARN, as the connector's settings name it.
    pub(in crate::rest) stream: String,
}

/// The partition of a data topic that a stream's records are in.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(in crate::rest) struct DataPartition {
    /// The topic.
    pub(in crate::rest) topic: String,
    /// The partition.
    pub(in crate::rest) partition: i32,
}

impl From<model::DataPartition> for DataPartition {
    fn from(model::DataPartition { topic, partition }: model::DataPartition) -> Self {
        Self { topic, partition }
    }
}

impl From<DataPartition> for model::DataPartition {
    fn from(DataPartition { topic, partition }: DataPartition) -> Self {
        Self { topic, partition }
    }
}

/// The last fragment of a stream that was published.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::rest) struct PublishedOffset {
    /// Where the next session goes on; null: the fragment came without a token.
    pub(in crate::rest) continuation_token: Option<String>,
    /// The fragment's number.
    pub(in crate::rest) fragment_number: String,
    /// Milliseconds since 1970.
    pub(in crate::rest) server_timestamp: Option<i64>,
    /// Milliseconds since 1970.
    pub(in crate::rest) producer_timestamp: Option<i64>,
    /// The fragment's number among those published of the stream, from 0; earlier versions did not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub(in crate::rest) sequence: Option<i64>,
    /// Where the stream's fragments are, as far as it is known.
    pub(in crate::rest) data_partition: Option<DataPartition>,
    /// The same for the topics of further outputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::rest) data_partitions: Vec<DataPartition>,
}

impl From<StoredOffset> for PublishedOffset {
    fn from(stored: StoredOffset) -> Self {
        let mut data_partitions = stored.data_partitions.into_iter().map(DataPartition::from);
        Self {
            continuation_token: stored.continuation_token,
            fragment_number: stored.fragment_number.as_str().to_owned(),
            server_timestamp: stored.server_timestamp.map(Timestamp::millis),
            producer_timestamp: stored.producer_timestamp.map(Timestamp::millis),
            sequence: stored.sequence,
            data_partition: data_partitions.next(),
            data_partitions: data_partitions.collect(),
        }
    }
}

/// The offset of a stream, or why it cannot be read.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(in crate::rest) enum OffsetFound {
    /// The last fragment that was published.
    Published(PublishedOffset),
    /// The record cannot be read.
    Unreadable {
        /// What is wrong with it.
        error: String,
    },
}

/// A stream with its offset.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(in crate::rest) struct PartitionOffset {
    /// The stream.
    pub(in crate::rest) partition: Partition,
    /// Its offset.
    pub(in crate::rest) offset: OffsetFound,
}

/// The offsets of a connector's streams.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct Offsets {
    /// One for each stream that has been published.
    pub(in crate::rest) offsets: Vec<PartitionOffset>,
}

/// The last fragment that counts as published.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::rest) struct Offset {
    /// The fragment's number.
    #[schemars(regex(pattern = "^[0-9]{1,128}$"))]
    pub(in crate::rest) fragment_number: String,
    /// Where to go on; without it the fragment's number says where.
    pub(in crate::rest) continuation_token: Option<String>,
    /// Milliseconds since 1970.
    pub(in crate::rest) server_timestamp: Option<i64>,
    /// Milliseconds since 1970.
    pub(in crate::rest) producer_timestamp: Option<i64>,
    /// The fragment's number among those published of the stream, from 0. One that is set goes into force only when it is
    /// above what is known: a sequence never goes back. Left out, what is known stays.
    #[schemars(range(min = 0, max = 4_503_599_627_370_496_i64))]
    pub(in crate::rest) sequence: Option<i64>,
    /// As GET shows it; without it the stream stays where its records are.
    pub(in crate::rest) data_partition: Option<DataPartition>,
    /// The same for the topics of further outputs.
    #[serde(default)]
    pub(in crate::rest) data_partitions: Vec<DataPartition>,
}

/// A stream with the offset that it is to have.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::rest) struct Altered {
    /// The stream.
    pub(in crate::rest) partition: Partition,
    /// Its offset; null forgets it.
    pub(in crate::rest) offset: Option<Offset>,
}

/// Offsets that are to be set.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::rest) struct Alteration {
    /// One for each stream.
    #[schemars(length(min = 1))]
    pub(in crate::rest) offsets: Vec<Altered>,
}
