//! What a topic is to be like.

use std::collections::BTreeMap;

/// What a topic is to be like when it is made.
#[derive(Debug, Clone)]
pub struct TopicPlan {
    /// Name.
    pub name: String,
    /// Partitions.
    pub partitions: i32,
    /// Replication factor.
    pub replication_factor: i32,
    /// Topic configuration.
    pub config: BTreeMap<String, String>,
    /// The settings it comes from.
    pub settings: PlanSettings,
}

/// The settings that a plan comes from.
#[derive(Debug, Clone, Copy)]
pub struct PlanSettings {
    /// The one that names the topic.
    pub name: &'static str,
    /// The one with its partitions; `None`: nobody sets them.
    pub partitions: Option<&'static str>,
    /// The one with its replication factor.
    pub replication_factor: &'static str,
    /// What those with its configuration begin with; `None`: nobody sets it.
    pub config_prefix: Option<&'static str>,
}
