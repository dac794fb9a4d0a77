//! The claim that a group commits with its offsets ([`super::claim`] has the contract).

use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use crate::model::Contract;

/// Partition of the offsets topic on which the claim is.
pub(super) const PARTITION: i32 = 0;

/// The group's claim, as it is committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// What the group has agreed on.
    pub contract: Contract,
    /// Whether it holds; else somebody is about to make it.
    pub settled: bool,
    /// Whether the config topic had the contract when this was written: one that has it no more was made anew.
    #[serde(default)]
    pub config_topic_claimed: bool,
}

impl Claim {
    /// Returns it as it is committed.
    pub fn to_metadata(&self) -> String {
        // Strings, numbers and flags always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Returns what a member commits to keep it.
    ///
    /// # Errors
    /// When librdkafka does not take the topic's name.
    pub fn to_commit(&self, topic: &str) -> Result<TopicPartitionList, KafkaError> {
        to_commit(topic, &self.to_metadata())
    }
}

/// Returns a commit of this metadata.
pub(super) fn to_commit(topic: &str, metadata: &str) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, PARTITION).set_metadata(metadata);
    list.set_partition_offset(topic, PARTITION, Offset::Offset(0))?;
    Ok(list)
}
