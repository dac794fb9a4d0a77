//! Which form a shard's transactional id has.
//!
//! **Contract.** A shard keeps the form it was begun with, for two ids on one partition would break rule 3 while workers
//! of two versions run. The first transaction of a shard leaves the form in it; a shard with a contract and without a
//! form was begun by a version that knew only [`IdScheme::Dashes`].

use serde::{Deserialize, Serialize};

/// The reserved key; no stream's, for those are arrays of two.
pub const ID_SCHEME_KEY: &[u8] = br#"["kvs-connect-transactional-id"]"#;

/// The form of a transactional id. Both begin with the group's, which is what ACLs grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdScheme {
    /// `GROUP-TOPIC-SHARD`: ambiguous, for groups and topics have dashes, too. Another group's may be the same.
    Dashes,
    /// `GROUP:TOPIC:SHARD`: no topic has a colon, so no two shards have the same, and none is of the other form.
    #[default]
    Colons,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    separator: IdScheme,
}

impl IdScheme {
    /// Returns the transactional id of a shard.
    pub fn transactional_id(self, group: &str, topic: &str, shard: super::ShardId) -> String {
        match self {
            Self::Dashes => format!("{group}-{topic}-{shard}"),
            Self::Colons => format!("{group}:{topic}:{shard}"),
        }
    }

    /// Returns the value of the record that says it.
    pub fn to_bytes(self) -> Vec<u8> {
        // A name always serialises.
        serde_json::to_vec(&Wire { separator: self }).unwrap_or_default()
    }

    /// Reads the value.
    ///
    /// # Errors
    /// When this version knows no such form: under another id it would not fence the shard's owner.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes).map(|Wire { separator }| separator)
    }
}

#[cfg(test)]
#[path = "id_scheme_tests.rs"]
mod tests;
