//! Offsets: the position up to which a stream has been published.

use kvs_mkv::{Continuity, FragmentNumber, Timestamp};
use serde::{Deserialize, Serialize};

use super::frame_progress::FrameProgress;
use super::offset_error::OffsetError;
use super::sequence;

/// The partition of a data topic that contains a stream's records. It is stored with the offset, because partitions
/// that are added later must not split a stream: only one partition keeps its order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataPartition {
    /// The topic. Each topic has its own partition.
    pub topic: String,
    /// The partition.
    pub partition: i32,
}

/// The last fragment of a stream that was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOffset {
    /// Where to continue; `None` when the fragment came without a token.
    pub continuation_token: Option<String>,
    /// The fragment's number.
    pub fragment_number: FragmentNumber,
    /// The fragment's server timestamp.
    pub server_timestamp: Option<Timestamp>,
    /// The fragment's producer timestamp.
    pub producer_timestamp: Option<Timestamp>,
    /// The fragment's sequence ([`super::sequence`]); `None` when an earlier version published it.
    pub sequence: Option<i64>,
    /// The partitions of the stream's records, one for each topic, the fragments' first; empty in offsets written by an
    /// earlier version, or by hand.
    pub data_partitions: Vec<DataPartition>,
    /// What the next fragment is compared with, so that a worker that continues here sees discontinuities like one that was
    /// never killed; unknown in offsets written by an earlier version.
    pub continuity: Continuity,
    /// What the frames output has to remember; `None`: there is no such output, or nothing has been published with it.
    pub frames: Option<FrameProgress>,
}

/// The version of the value's form that this software writes and reads. A later form that older workers must not
/// misread has a higher number; merely added fields do not change it.
const VERSION: u32 = 1;

fn first_version() -> u32 {
    1
}

fn is_first_version(version: &u32) -> bool {
    *version == 1
}

/// The value's JSON. Fields added by a later version are ignored.
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
    /// The partition of the fragments' topic.
    data_partition: Option<DataPartition>,
    /// The partitions of further outputs' topics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    data_partitions: Vec<DataPartition>,
    #[serde(default, skip_serializing_if = "WireContinuity::is_unknown")]
    continuity: WireContinuity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frames: Option<FrameProgress>,
}

/// The JSON of a [`Continuity`].
#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireContinuity {
    /// In hex, because not every JSON reader keeps all 64 bits of a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start_ns: Option<i64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    interrupted: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    in_gap: bool,
}

impl WireContinuity {
    fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    fn of(Continuity { session, start_ns, interrupted, in_gap }: Continuity) -> Self {
        Self { session: session.map(|session| format!("{session:016x}")), start_ns, interrupted, in_gap }
    }

    /// A session in another form is one that this version does not know.
    fn read(self) -> Continuity {
        let session = self.session.and_then(|session| u64::from_str_radix(&session, 16).ok());
        Continuity { session, start_ns: self.start_ns, interrupted: self.interrupted, in_gap: self.in_gap }
    }
}

impl StoredOffset {
    /// Returns the partition of this topic that contains the stream's records, if it is known.
    pub fn partition_in(&self, topic: &str) -> Option<i32> {
        self.data_partitions.iter().find(|kept| kept.topic == topic).map(|kept| kept.partition)
    }

    /// Returns the value's bytes. Timestamps are in milliseconds.
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
            continuity: WireContinuity::of(self.continuity),
            frames: self.frames.clone(),
        };
        // Strings and numbers always serialise.
        serde_json::to_vec(&wire).unwrap_or_default()
    }

    /// Reads a value.
    ///
    /// # Errors
    /// When it cannot be read. It must not be treated as "no offset", which would publish the stream again.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OffsetError> {
        /// Read first, because the rest may have another form.
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
            continuity: wire.continuity.read(),
            frames: wire.frames,
        })
    }
}

#[cfg(test)]
#[path = "offset_tests.rs"]
mod tests;
