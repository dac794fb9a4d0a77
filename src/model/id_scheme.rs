//! The form of a shard's transactional id.
//!
//! **Contract.** A shard keeps the form it was started with, because two ids on one partition would break rule 3 while
//! workers of two versions run. The first transaction of a shard writes the form to it; a shard with a contract and
//! without a form was started by a version that knew only [`IdScheme::Dashes`].

use serde::{Deserialize, Serialize};

/// The reserved key. It cannot be a stream's, because those are arrays of two.
pub const ID_SCHEME_KEY: &[u8] = br#"["kvs-connect-transactional-id"]"#;

/// The form of a transactional id. Both begin with the group's id, which is the prefix that ACLs grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdScheme {
    /// `GROUP-TOPIC-SHARD`: ambiguous, because groups and topics contain dashes, too. Another group's may be the same.
    Dashes,
    /// `GROUP:TOPIC:SHARD`: topics contain no colons, so the ids of all shards differ, also from those of the other
    /// form.
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

    /// Returns the value of the record.
    pub fn to_bytes(self) -> Vec<u8> {
        // A name always serialises.
        serde_json::to_vec(&Wire { separator: self }).unwrap_or_default()
    }

    /// Reads the value of the record.
    ///
    /// # Errors
    /// When this version does not know the form: under another id it would not fence the shard's owner.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes).map(|Wire { separator }| separator)
    }
}

#[cfg(test)]
#[path = "id_scheme_tests.rs"]
mod tests;
