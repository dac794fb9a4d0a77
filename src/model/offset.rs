//! Offsets: how far a stream has been published.

use kvs_mkv::{FragmentNumber, Timestamp};
use serde::{Deserialize, Serialize};

use super::offset_error::OffsetError;
use super::sequence;

/// The partition of a data topic that a stream's records are in. It is kept with the offset: partitions that are added
/// later must not split a stream, which has its order in one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataPartition {
    /// The topic: in another one the stream begins with a partition of its own.
    pub topic: String,
    /// The partition.
    pub partition: i32,
}

/// The last fragment of a stream that was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOffset {
    /// Where to go on; none when the fragment came without a token.
    pub continuation_token: Option<String>,
    /// The fragment's number.
    pub fragment_number: FragmentNumber,
    /// Its server timestamp.
    pub server_timestamp: Option<Timestamp>,
    /// Its producer timestamp.
    pub producer_timestamp: Option<Timestamp>,
    /// Its sequence ([`super::sequence`]); none when an earlier version published it.
    pub sequence: Option<i64>,
    /// Where the stream's records are, one entry for each topic, the fragments' first; empty in offsets that were written
    /// before it was kept, or by hand.
    pub data_partitions: Vec<DataPartition>,
}

/// The form of the value that this version writes and understands. A later one that older workers must not take for
/// it counts up; fields that are only added do not.
const VERSION: u32 = 1;

fn first_version() -> u32 {
    1
}

fn is_first_version(version: &u32) -> bool {
    *version == 1
}

/// The value's JSON. Fields that a later version adds are passed over.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default = "first_version", skip_serializing_if = "is_first_version")]
    version: u32,
    continuation_token: Option<String>,
    fragment_number: String,
    #[serde(default)]
    server_timestamp: Option<i64>,
    #[serde(default)]
    producer_timestamp: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sequence: Option<i64>,
    /// The fragments'.
    data_partition: Option<DataPartition>,
    /// Those of further outputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    data_partitions: Vec<DataPartition>,
}

impl StoredOffset {
    /// Returns the partition of this topic that the stream's records are in, where it is known.
    pub fn partition_in(&self, topic: &str) -> Option<i32> {
        self.data_partitions.iter().find(|kept| kept.topic == topic).map(|kept| kept.partition)
    }

    /// The value's bytes; timestamps are milliseconds.
    pub fn to_bytes(&self) -> Vec<u8> {
        let wire = Wire {
            version: VERSION,
            continuation_token: self.continuation_token.clone(),
            fragment_number: self.fragment_number.as_str().to_owned(),
            server_timestamp: self.server_timestamp.map(Timestamp::millis),
            producer_timestamp: self.producer_timestamp.map(Timestamp::millis),
            sequence: self.sequence,
            data_partition: self.data_partitions.first().cloned(),
            data_partitions: self.data_partitions.iter().skip(1).cloned().collect(),
        };
        // Strings and numbers always serialise.
        serde_json::to_vec(&wire).unwrap_or_default()
    }

    /// Reads a value.
    ///
    /// # Errors
    /// What is wrong with it: it must not be taken for "no offset", which would publish the stream again.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OffsetError> {
        /// Looked at first: the rest may have another form.
        #[derive(Deserialize)]
        struct Version {
            #[serde(default = "first_version")]
            version: u32,
        }
        let Version { version } = serde_json::from_slice(bytes)?;
        if version > VERSION {
            return Err(OffsetError::Version { found: version, known: VERSION });
        }
        let wire: Wire = serde_json::from_slice(bytes)?;
        Ok(Self {
            fragment_number: wire.fragment_number.parse().map_err(OffsetError::FragmentNumber)?,
            continuation_token: wire.continuation_token,
            server_timestamp: wire.server_timestamp.map(Timestamp::from_millis),
            producer_timestamp: wire.producer_timestamp.map(Timestamp::from_millis),
            sequence: wire.sequence.map(sequence::checked).transpose()?,
            data_partitions: wire.data_partition.into_iter().chain(wire.data_partitions).collect(),
        })
    }
}

#[cfg(test)]
#[path = "offset_tests.rs"]
mod tests;
