//! The properties of topics to create.

use std::collections::BTreeMap;

/// The properties of a topic to create.
#[derive(Debug, Clone)]
pub struct TopicPlan {
    /// Its name.
    pub name: String,
    /// The number of partitions.
    pub partitions: i32,
    /// The replication factor; -1 for the broker's default.
    pub replication_factor: i32,
    /// The topic configuration.
    pub config: BTreeMap<String, String>,
    /// The settings from which the plan was made.
    pub settings: PlanSettings,
}

/// The settings from which a plan was made.
#[derive(Debug, Clone, Copy)]
pub struct PlanSettings {
    /// The setting for the topic's name.
    pub name: &'static str,
    /// The setting for its partitions; `None` if there is none.
    pub partitions: Option<&'static str>,
    /// The setting for its replication factor.
    pub replication_factor: &'static str,
    /// The prefix of settings for its configuration; `None` if there are none.
    pub config_prefix: Option<&'static str>,
}
