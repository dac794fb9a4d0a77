//! The claim that a group commits with its offsets ([`super::claim`] describes the contract).

use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use crate::model::Contract;

/// The partition of the offsets topic on which the claim is committed.
pub(super) const PARTITION: i32 = 0;

/// A group's claim in its committed form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// What the group has agreed on.
    pub contract: Contract,
    /// Whether the claim is final; otherwise a worker is about to make it.
    pub settled: bool,
    /// Whether the config topic contained the contract when this was written: if it no longer does, it was recreated.
    #[serde(default)]
    pub config_topic_claimed: bool,
}

impl Claim {
    /// Returns the claim as committed metadata.
    pub fn to_metadata(&self) -> String {
        // Strings, numbers and flags always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Returns the commit by which a member keeps the claim.
    ///
    /// # Errors
    /// When librdkafka rejects the topic's name.
    pub fn to_commit(&self, topic: &str) -> Result<TopicPartitionList, KafkaError> {
        to_commit(topic, &self.to_metadata())
    }
}

/// Returns a commit with this metadata.
pub(super) fn to_commit(topic: &str, metadata: &str) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, PARTITION).set_metadata(metadata);
    list.set_partition_offset(topic, PARTITION, Offset::Offset(0))?;
    Ok(list)
}
