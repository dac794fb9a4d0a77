//! The contract that binds a group's topics (rules 9 and 14).
//!
//! **Contract.** With another number of partitions the mapping from stream to shard would change; two groups on one
//! topic would write one partition under two ids; two offsets topics in one group would publish everything twice; with
//! two config topics some streams would not run. So each of the three topics contains the whole contract: the first
//! transaction of each shard writes it to the shard's partition, and it is the first record of the config and the
//! status topic (`crate::cluster`). Fields that a record lacks were not known when it was written, and are added later.

use serde::{Deserialize, Serialize};

use super::id::ShardCount;

/// The reserved key. It cannot be a stream's, because those are arrays of two.
pub const CONTRACT_KEY: &[u8] = br#"["kvs-connect-contract"]"#;

/// The settings on which a group has agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contract {
    /// The number of shards, which are the partitions of the offsets topic. `None`: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<i32>,
    /// `group.id`.
    pub group_id: String,
    /// `offset.storage.topic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offsets_topic: Option<String>,
    /// `config.storage.topic`; a standalone worker has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_topic: Option<String>,
    /// `status.storage.topic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_topic: Option<String>,
}

/// Differences between a topic's contract and this worker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// The number of partitions has changed.
    #[error(
        "it was created with {theirs} partitions and this worker has {ours}: streams would move to other shards and \
         lose their positions; set offset.storage.partitions={theirs} and use a topic with that number"
    )]
    Partitions {
        /// The value in the topic.
        theirs: i32,
        /// The value of this worker.
        ours: i32,
    },
    /// The topic belongs to another group.
    #[error(
        "it belongs to the group {theirs:?} and this worker's group.id is {ours:?}: two groups on one topic would publish \
         fragments twice and undo each other's changes; use another topic ({setting}), or the same group.id"
    )]
    Group {
        /// The setting that names the topic.
        setting: &'static str,
        /// The value in the topic.
        theirs: String,
        /// The value of this worker.
        ours: String,
    },
    /// The group uses another topic.
    #[error(
        "the group {group:?} was started with {setting}={theirs} and this worker has {setting}={ours}: {consequence}; set \
         {setting}={theirs}, or use another group.id"
    )]
    Topic {
        /// The group.
        group: String,
        /// The setting.
        setting: &'static str,
        /// The value in the topic.
        theirs: String,
        /// The value of this worker.
        ours: String,
        /// What would happen.
        consequence: &'static str,
    },
    /// The contract cannot be read.
    #[error("its contract cannot be read ({reason}); it was written by another program, or by a later version")]
    Unreadable {
        /// Why.
        reason: String,
    },
}

impl Contract {
    /// Returns a contract without topics.
    pub fn of_group(group_id: &str, partitions: i32) -> Self {
        let (offsets_topic, config_topic, status_topic) = (None, None, None);
        Self { partitions: Some(partitions), group_id: group_id.to_owned(), offsets_topic, config_topic, status_topic }
    }

    /// Returns the group's contract for another offsets topic, with this number of shards.
    #[must_use]
    pub fn with_partitions(&self, count: ShardCount) -> Self {
        Self { partitions: Some(count.get()), ..self.clone() }
    }

    /// Returns the value of the record.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Numbers and strings always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads the value of a record.
    ///
    /// # Errors
    /// [`ContractError::Unreadable`] when it is not a contract.
    pub fn read(value: &[u8]) -> Result<Self, ContractError> {
        serde_json::from_slice(value).map_err(|error| ContractError::Unreadable { reason: error.to_string() })
    }

    /// Compares the contract found in the offsets topic with this worker's. Returns whether it has all fields of this
    /// worker's.
    ///
    /// # Errors
    /// When they differ.
    pub fn check(&self, found: &[u8]) -> Result<bool, ContractError> {
        let found = Self::read(found)?;
        self.agrees(&found, "offset.storage.topic")?;
        Ok(self.is_said_by(&found))
    }

    /// Returns whether the contract found has all fields of this worker's.
    pub fn is_said_by(&self, found: &Self) -> bool {
        let said = |ours: &Option<String>, theirs: &Option<String>| ours.is_none() || theirs.is_some();
        said(&self.offsets_topic, &found.offsets_topic)
            && said(&self.config_topic, &found.config_topic)
            && said(&self.status_topic, &found.status_topic)
            && (self.partitions.is_none() || found.partitions.is_some())
    }

    /// Compares the contract found in the topic of this setting with this worker's. A field that one of the two lacks
    /// is no difference.
    ///
    /// # Errors
    /// When they differ.
    pub fn agrees(&self, found: &Self, setting: &'static str) -> Result<(), ContractError> {
        if found.group_id != self.group_id {
            let (theirs, ours) = (found.group_id.clone(), self.group_id.clone());
            return Err(ContractError::Group { setting, theirs, ours });
        }
        let topics = [
            (
                "offset.storage.topic",
                &found.offsets_topic,
                &self.offsets_topic,
                "every fragment would be published twice",
            ),
            ("config.storage.topic", &found.config_topic, &self.config_topic, "some streams would not run"),
            ("status.storage.topic", &found.status_topic, &self.status_topic, "states would be wrong"),
        ];
        for (setting, theirs, ours, consequence) in topics {
            if let (Some(theirs), Some(ours)) = (theirs, ours)
                && theirs != ours
            {
                let (group, theirs, ours) = (self.group_id.clone(), theirs.clone(), ours.clone());
                return Err(ContractError::Topic { group, setting, theirs, ours, consequence });
            }
        }
        match (found.partitions, self.partitions) {
            (Some(theirs), Some(ours)) if theirs != ours => Err(ContractError::Partitions { theirs, ours }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "contract_tests.rs"]
mod tests;
