//! Topics in which a group stores something. They are compacted, and each is created or checked before it is used.

use super::topics::{PlanSettings, TopicError, TopicPlan, Topics};

/// The cleanup.policy that a storage topic must have.
pub const COMPACTED: &str = "compact";
/// What would happen if an offsets topic were not compacted.
pub const LOSES_OFFSETS: &str = "the streams' positions would be deleted and the streams published again";
/// What would happen if the config topic were not compacted.
pub const LOSES_CONFIGS: &str = "the connectors would be deleted";
/// What would happen if the status topic were not compacted.
pub const LOSES_STATUSES: &str = "the connectors' statuses would be deleted";

/// The settings of a new storage topic. Records that are not compacted yet are read whenever a shard is acquired, and
/// small segments are compacted soon.
const TOPIC_CONFIG: [(&str, &str); 4] = [
    ("cleanup.policy", COMPACTED),
    ("segment.bytes", "16777216"),
    ("min.cleanable.dirty.ratio", "0.1"),
    ("max.compaction.lag.ms", "600000"),
];

/// A topic in which a group stores something.
#[derive(Debug, Clone)]
pub struct StorageTopic<'a> {
    /// The name of the topic.
    pub name: &'a str,
    /// The setting that names it.
    pub setting: &'static str,
    /// The number of partitions, if the topic is created.
    pub partitions: i32,
    /// The setting for the number of partitions; `None`: it is fixed.
    pub partitions_setting: Option<&'static str>,
    /// The replication factor, if the topic is created.
    pub replication_factor: i32,
    /// The setting for the replication factor.
    pub replication_factor_setting: &'static str,
    /// What would happen if the topic were not compacted.
    pub loses: &'static str,
}

/// Reasons why a storage topic cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StorageTopicError {
    /// The topic cannot be looked up or created.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// Kafka would delete the topic's records.
    #[error("{}; change it, or use another {setting}", not_compacted(name, policy, loses))]
    NotCompacted {
        /// The name of the topic.
        name: String,
        /// Its cleanup.policy.
        policy: String,
        /// What would happen.
        loses: &'static str,
        /// The setting that names it.
        setting: &'static str,
    },
}

/// A topic in which connectors have their offsets, and which does not exist.
#[derive(Debug, thiserror::Error)]
#[error(
    "topic {topic} (offsets.storage.topic): it no longer exists, and the positions of the streams are lost with it: \
     restore it; or delete the connector and create it again with another topic, and its streams start over"
)]
pub struct MissingOffsetsTopic {
    /// The name of the topic.
    pub topic: String,
}

/// Returns a message that a storage topic is not compacted.
pub fn not_compacted(name: &str, policy: &str, loses: &str) -> String {
    format!("topic {name}: its cleanup.policy is {policy:?} and must be {COMPACTED:?}, or {loses}")
}

impl StorageTopic<'_> {
    /// Creates or checks the topic. Returns the number of its partitions.
    ///
    /// # Errors
    /// When it cannot be looked up or created, or is not compacted.
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
