//! Topics in which a group keeps something: compacted, each made or checked before it is used.

use super::topics::{PlanSettings, TopicError, TopicPlan, Topics};

/// The one cleanup.policy that a storage topic may have.
pub const COMPACTED: &str = "compact";
/// What would become of a topic of offsets were it not compacted.
pub const LOSES_OFFSETS: &str = "the streams' positions would be deleted and the streams published again";
/// What would become of the config topic were it not compacted.
pub const LOSES_CONFIGS: &str = "the connectors would be deleted";
/// What would become of the status topic were it not compacted.
pub const LOSES_STATUSES: &str = "the connectors' statuses would be deleted";

/// What a storage topic is made with. What is not compacted yet is read whenever a shard is acquired: small segments are
/// compacted soon.
const TOPIC_CONFIG: [(&str, &str); 4] = [
    ("cleanup.policy", COMPACTED),
    ("segment.bytes", "16777216"),
    ("min.cleanable.dirty.ratio", "0.1"),
    ("max.compaction.lag.ms", "600000"),
];

/// A topic that a group keeps something in.
#[derive(Debug, Clone)]
pub struct StorageTopic<'a> {
    /// Its name.
    pub name: &'a str,
    /// The setting that names it.
    pub setting: &'static str,
    /// Partitions, when it is made.
    pub partitions: i32,
    /// The setting with them; `None`: nobody sets them.
    pub partitions_setting: Option<&'static str>,
    /// Replication factor, when it is made.
    pub replication_factor: i32,
    /// The setting with it.
    pub replication_factor_setting: &'static str,
    /// What would become of it were it not compacted.
    pub loses: &'static str,
}

/// Why a storage topic cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StorageTopicError {
    /// It cannot be asked for or made.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// Kafka would delete what is in it.
    #[error("{}; alter it, or use another {setting}", not_compacted(name, policy, loses))]
    NotCompacted {
        /// Its name.
        name: String,
        /// Its cleanup.policy.
        policy: String,
        /// What would become of it.
        loses: &'static str,
        /// The setting that names it.
        setting: &'static str,
    },
}

/// Returns in words that a storage topic is not compacted.
pub fn not_compacted(name: &str, policy: &str, loses: &str) -> String {
    format!("topic {name}: its cleanup.policy is {policy:?} and has to be {COMPACTED:?}, or {loses}")
}

impl StorageTopic<'_> {
    /// Makes the topic, or checks it. Returns how many partitions it has.
    ///
    /// # Errors
    /// When it cannot be asked for or made, or is not compacted.
    pub async fn ensure(&self, topics: &Topics) -> Result<i32, StorageTopicError> {
        let settings = PlanSettings {
            name: self.setting,
            partitions: self.partitions_setting,
            replication_factor: self.replication_factor_setting,
            config_prefix: None,
        };
        let plan = TopicPlan {
            name: self.name.to_owned(),
            partitions: self.partitions,
            replication_factor: self.replication_factor,
            config: TOPIC_CONFIG.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            settings,
        };
        let facts = topics.ensure(&plan).await?;
        let policy = facts.config.get("cleanup.policy").map_or("", String::as_str);
        if policy == COMPACTED {
            return Ok(facts.partitions);
        }
        let (name, policy) = (self.name.to_owned(), policy.to_owned());
        Err(StorageTopicError::NotCompacted { name, policy, loses: self.loses, setting: self.setting })
    }
}
