//! What an offsets topic is bound to (rule 9).
//!
//! With another number of partitions the mapping from stream to shard would move, and two groups on one topic would
//! write one partition under two ids. So the first transaction of each shard leaves the contract in its partition.

use serde::{Deserialize, Serialize};

/// The reserved key; no stream's, for those are arrays of two.
pub const CONTRACT_KEY: &[u8] = br#"["kvs-connect-contract"]"#;

/// The contract of an offsets topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contract {
    /// How many partitions it has.
    pub partitions: i32,
    /// The `group.id` whose it is.
    pub group_id: String,
}

/// The topic is bound to something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// The number of partitions has changed.
    #[error(
        "it was begun with {theirs} partitions and now {ours} are in force: streams would change their shards and \
         lose their places; set offset.storage.partitions={theirs} and use a topic that has as many"
    )]
    Partitions {
        /// In the topic.
        theirs: i32,
        /// In force here.
        ours: i32,
    },
    /// Another group owns it.
    #[error(
        "it belongs to the group {theirs:?} and this worker's group.id is {ours:?}: two groups on one offsets topic \
         would publish fragments twice; use another offset.storage.topic, or the same group.id"
    )]
    Group {
        /// In the topic.
        theirs: String,
        /// In force here.
        ours: String,
    },
    /// It cannot be read.
    #[error("its contract cannot be read ({reason}); it was written by something else, or by a later version")]
    Unreadable {
        /// Why.
        reason: String,
    },
}

impl Contract {
    /// The record's value.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A number and a string always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Holds what is found in the topic against what is in force here.
    ///
    /// # Errors
    /// When they differ.
    pub fn check(&self, found: &[u8]) -> Result<(), ContractError> {
        let found: Self =
            serde_json::from_slice(found).map_err(|error| ContractError::Unreadable { reason: error.to_string() })?;
        if found.group_id != self.group_id {
            return Err(ContractError::Group { theirs: found.group_id, ours: self.group_id.clone() });
        }
        if found.partitions != self.partitions {
            return Err(ContractError::Partitions { theirs: found.partitions, ours: self.partitions });
        }
        Ok(())
    }
}
