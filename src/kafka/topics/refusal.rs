//! Explains why Kafka refuses to create a topic: which setting is the cause, its value, and what to do.
//!
//! The client keeps the broker's error code but drops its message, so the cause is determined here.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::error::RDKafkaErrorCode;

use super::plan::TopicPlan;
use crate::nearest::nearest;

/// A part of a plan that Kafka refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The setting.
    pub key: String,
    /// What is wrong, and what to do.
    pub reason: String,
    /// Whether it is the topic's name, whatever the settings.
    pub is_name: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.key, self.reason)
    }
}

fn fault(key: &str, reason: String) -> Fault {
    Fault { key: key.to_owned(), reason, is_name: false }
}

/// Returns the setting that caused an error; `None` if no single setting did. `brokers`: the number of brokers, if known.
pub(super) fn fault_of(plan: &TopicPlan, code: RDKafkaErrorCode, brokers: Option<usize>) -> Option<Fault> {
    let settings = &plan.settings;
    match code {
        RDKafkaErrorCode::InvalidReplicationFactor => {
            Some(fault(settings.replication_factor, replication_factor(plan.replication_factor, brokers)))
        }
        RDKafkaErrorCode::InvalidPartitions => {
            let reason =
                format!("Kafka creates no topic with {}; set another number", count(plan.partitions, "partition"));
            Some(fault(settings.partitions.unwrap_or(settings.name), reason))
        }
        RDKafkaErrorCode::InvalidTopic => {
            let reason = format!(
                "Kafka does not accept the name {:?}: another topic's name may differ from it only by a . in place of a _ or vice \
                 versa; choose another name",
                plan.name
            );
            Some(Fault { is_name: true, ..fault(settings.name, reason) })
        }
        RDKafkaErrorCode::PolicyViolation => {
            let reason = format!(
                "the cluster's policy (create.topic.policy.class.name), or one of its bounds, does not allow such a topic; \
                 requested: {}; change these settings, or create the topic by other means",
                asked_for(plan)
            );
            Some(fault(settings.name, reason))
        }
        _ => None,
    }
}

fn replication_factor(wanted: i32, brokers: Option<usize>) -> String {
    let brokers_text = brokers.map(|brokers| count(brokers, "broker"));
    let Ok(wanted) = usize::try_from(wanted) else {
        let have = brokers_text.map_or_else(|| "there are brokers".to_owned(), |text| format!("the cluster's {text}"));
        return format!(
            "it is {wanted}, the broker's default (default.replication.factor), which is more than {have}: set it to {}",
            brokers.map_or_else(|| "the number of brokers at most".to_owned(), |brokers| format!("{brokers} at most")),
        );
    };
    match (brokers, brokers_text) {
        (Some(brokers), Some(text)) if wanted <= brokers => format!(
            "a replication factor of {wanted} was requested, but not all of the cluster's {text} accept new replicas at the moment: \
             bring them up, or set a smaller one"
        ),
        (Some(brokers), Some(text)) => format!(
            "a replication factor of {wanted} was requested, but the cluster has {text}: set it to {brokers} at most, or to -1 \
             for the broker's default"
        ),
        _ => format!(
            "a replication factor of {wanted} was requested, but the cluster has fewer brokers: set a smaller one, or -1 for the \
             broker's default"
        ),
    }
}

fn count(count: impl fmt::Display, what: &str) -> String {
    let count = count.to_string();
    if count == "1" { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Returns what a plan requests, with the settings' names.
fn asked_for(plan: &TopicPlan) -> String {
    let settings = &plan.settings;
    let partitions = settings.partitions.unwrap_or("partitions");
    let own = [
        format!("{partitions}={}", plan.partitions),
        format!("{}={}", settings.replication_factor, plan.replication_factor),
    ];
    own.into_iter().chain(config_of(plan)).collect::<Vec<_>>().join(", ")
}

fn config_of(plan: &TopicPlan) -> impl Iterator<Item = String> {
    let prefix = plan.settings.config_prefix.unwrap_or_default();
    plan.config.iter().map(move |(key, value)| format!("{prefix}{key}={value}"))
}

/// Returns what Kafka refuses in a plan's configuration. `refused`: the entries that it refuses individually.
/// `known`: the configuration keys of topics in this cluster, if known.
pub(super) fn config_faults(
    plan: &TopicPlan,
    refused: &BTreeMap<String, String>,
    known: Option<&BTreeMap<String, String>>,
) -> Vec<Fault> {
    let settings = &plan.settings;
    if refused.is_empty() {
        let asked_for = config_of(plan).collect::<Vec<_>>().join(", ");
        let key = if plan.config.len() == 1 { plan.config.keys().next() } else { None };
        let key = match (settings.config_prefix, key) {
            (Some(prefix), Some(key)) => format!("{prefix}{key}"),
            _ => settings.name.to_owned(),
        };
        return vec![fault(&key, format!("Kafka refuses this topic configuration: {asked_for}"))];
    }
    let one = |(key, value): (&String, &String)| {
        let Some(prefix) = settings.config_prefix else {
            let reason = format!("Kafka refuses {key}={value} for this topic, which requires it");
            return fault(settings.name, reason);
        };
        fault(&format!("{prefix}{key}"), config_fault(key, value, known))
    };
    refused.iter().map(one).collect()
}

fn config_fault(key: &str, value: &str, known: Option<&BTreeMap<String, String>>) -> String {
    let Some(known) = known else {
        return format!(
            "{value:?}: Kafka refuses it: topics have no configuration {key}, or it cannot have this value"
        );
    };
    if known.contains_key(key) {
        return format!("{value:?}: Kafka refuses this value for a topic's {key}");
    }
    // Other settings under the same prefix may be meant as well.
    let names = known.keys().map(String::as_str).chain(["partitions", "replication.factor"]);
    match nearest(key, names) {
        Some(nearest) => format!("topics have no configuration {key} in this cluster; the nearest one is {nearest}"),
        None => format!("topics have no configuration {key} in this cluster"),
    }
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
