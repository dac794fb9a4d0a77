//! Offsets of a connector's streams.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use kvs_client::Timestamp;

use crate::model::{self, StoredOffset};

/// A stream.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::rest) struct Partition {
    /// Its name or ARN, as in the connector's settings.
    pub(in crate::rest) stream: String,
}

/// The data topic's partition that contains a stream's records.
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

/// The last published fragment of a stream.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::rest) struct PublishedOffset {
    /// The token from which the next session continues; null if the fragment came without one.
    pub(in crate::rest) continuation_token: Option<String>,
    /// The fragment's number.
    pub(in crate::rest) fragment_number: String,
    /// When the service received it, in milliseconds since 1970.
    pub(in crate::rest) server_timestamp: Option<i64>,
    /// The producer's time, in milliseconds since 1970.
    pub(in crate::rest) producer_timestamp: Option<i64>,
    /// The fragment's sequence number among the stream's published fragments, from 0; missing in offsets of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub(in crate::rest) sequence: Option<i64>,
    /// The partition with the stream's fragments, if known.
    pub(in crate::rest) data_partition: Option<DataPartition>,
    /// The same for the topics of additional outputs.
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
    /// The last published fragment.
    Published(PublishedOffset),
    /// The record cannot be read.
    Unreadable {
        /// The reason.
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
    /// One for each stream of which something has been published.
    pub(in crate::rest) offsets: Vec<PartitionOffset>,
}

/// The last fragment that counts as published.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::rest) struct Offset {
    /// The fragment's number.
    #[schemars(regex(pattern = "^[0-9]{1,128}$"))]
    pub(in crate::rest) fragment_number: String,
    /// The token from which to continue; by default the stream continues after the fragment's number.
    pub(in crate::rest) continuation_token: Option<String>,
    /// When the service received it, in milliseconds since 1970.
    pub(in crate::rest) server_timestamp: Option<i64>,
    /// The producer's time, in milliseconds since 1970.
    pub(in crate::rest) producer_timestamp: Option<i64>,
    /// The fragment's sequence number among the stream's published fragments, from 0. It takes effect only if it is
    /// greater than the known one: a sequence never goes back. If omitted, the known one is kept.
    #[schemars(range(min = 0, max = 4_503_599_627_370_496_i64))]
    pub(in crate::rest) sequence: Option<i64>,
    /// In the form of GET; if omitted, the stream stays in its partition.
    pub(in crate::rest) data_partition: Option<DataPartition>,
    /// The same for the topics of additional outputs.
    #[serde(default)]
    pub(in crate::rest) data_partitions: Vec<DataPartition>,
}

/// A stream and its new offset.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::rest) struct Altered {
    /// The stream.
    pub(in crate::rest) partition: Partition,
    /// Its offset; null discards it.
    pub(in crate::rest) offset: Option<Offset>,
}

/// Offsets to set.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::rest) struct Alteration {
    /// One for each stream.
    #[schemars(length(min = 1))]
    pub(in crate::rest) offsets: Vec<Altered>,
}
