//! What the topics of a group are bound to (rules 9 and 14).
//!
//! **Contract.** With another number of partitions the mapping from stream to shard would move; two groups on one topic
//! would write one partition under two ids; two offsets topics in one group publish everything twice; with two config
//! topics streams stand still. So each of the three topics carries all of it: the first transaction of each shard leaves it
//! in the shard's partition, and the first records of the config and the status topic are that (`crate::cluster`). What a
//! record does not say was not known when it was written, and is filled in.

use serde::{Deserialize, Serialize};

use super::id::ShardCount;

/// The reserved key; no stream's, for those are arrays of two.
pub const CONTRACT_KEY: &[u8] = br#"["kvs-connect-contract"]"#;

/// What a group has agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contract {
    /// How many shards there are: partitions of the offsets topic. `None`: not said.
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

/// The topic is bound to something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// The number of partitions has changed.
    #[error(
        "it was begun with {theirs} partitions and now {ours} are in force: streams would change their shards and \
         lose their positions; set offset.storage.partitions={theirs} and use a topic that has as many"
    )]
    Partitions {
        /// In the topic.
        theirs: i32,
        /// In force here.
        ours: i32,
    },
    /// Another group owns it.
    #[error(
        "it belongs to the group {theirs:?} and this worker's group.id is {ours:?}: two groups on one topic would publish \
         fragments twice and undo each other's changes; use another topic ({setting}), or the same group.id"
    )]
    Group {
        /// The setting that names the topic.
        setting: &'static str,
        /// In the topic.
        theirs: String,
        /// In force here.
        ours: String,
    },
    /// The group has another topic.
    #[error(
        "the group {group:?} was begun with {setting}={theirs} and this worker has {setting}={ours}: {consequence}; set \
         {setting}={theirs}, or use another group.id"
    )]
    Topic {
        /// The group.
        group: String,
        /// The setting.
        setting: &'static str,
        /// In the topic.
        theirs: String,
        /// In force here.
        ours: String,
        /// What would become of it.
        consequence: &'static str,
    },
    /// It cannot be read.
    #[error("its contract cannot be read ({reason}); it was written by something else, or by a later version")]
    Unreadable {
        /// Why.
        reason: String,
    },
}

impl Contract {
    /// Returns one that says nothing of topics.
    pub fn of_group(group_id: &str, partitions: i32) -> Self {
        let (offsets_topic, config_topic, status_topic) = (None, None, None);
        Self { partitions: Some(partitions), group_id: group_id.to_owned(), offsets_topic, config_topic, status_topic }
    }

    /// Returns what a group has agreed on for another offsets topic, with this many shards.
    #[must_use]
    pub fn with_partitions(&self, count: ShardCount) -> Self {
        Self { partitions: Some(count.get()), ..self.clone() }
    }

    /// The record's value.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Numbers and strings always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a record's value.
    ///
    /// # Errors
    /// [`ContractError::Unreadable`].
    pub fn read(value: &[u8]) -> Result<Self, ContractError> {
        serde_json::from_slice(value).map_err(|error| ContractError::Unreadable { reason: error.to_string() })
    }

    /// Holds what is found in the offsets topic against what is in force here. Returns whether it says all that is known
    /// here.
    ///
    /// # Errors
    /// When they differ.
    pub fn check(&self, found: &[u8]) -> Result<bool, ContractError> {
        let found = Self::read(found)?;
        self.agrees(&found, "offset.storage.topic")?;
        Ok(self.is_said_by(&found))
    }

    /// Whether what is found says all that is known here.
    pub fn is_said_by(&self, found: &Self) -> bool {
        let said = |ours: &Option<String>, theirs: &Option<String>| ours.is_none() || theirs.is_some();
        said(&self.offsets_topic, &found.offsets_topic)
            && said(&self.config_topic, &found.config_topic)
            && said(&self.status_topic, &found.status_topic)
            && (self.partitions.is_none() || found.partitions.is_some())
    }

    /// Holds what is found in the topic of this setting against what is in force here. What one of the two does not say is
    /// no disagreement.
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
            ("config.storage.topic", &found.config_topic, &self.config_topic, "streams would stand still"),
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
