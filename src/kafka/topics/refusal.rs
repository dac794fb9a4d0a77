//! Why Kafka does not make a topic, in words: which setting it is about, what the value is, and what to do.
//!
//! The client has the broker's error code and drops its sentence, so that what it was about is found out here.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::error::RDKafkaErrorCode;

use super::plan::TopicPlan;
use crate::nearest::nearest;

/// What Kafka does not take of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The setting.
    pub key: String,
    /// What is wrong, and what to do.
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.key, self.reason)
    }
}

fn fault(key: &str, reason: String) -> Fault {
    Fault { key: key.to_owned(), reason }
}

/// What an error is about that one setting alone has to do with; `None`: it is another one. `brokers`: how many there are, if
/// that is known.
pub(super) fn fault_of(plan: &TopicPlan, code: RDKafkaErrorCode, brokers: Option<usize>) -> Option<Fault> {
    let settings = &plan.settings;
    match code {
        RDKafkaErrorCode::InvalidReplicationFactor => {
            Some(fault(settings.replication_factor, replication_factor(plan.replication_factor, brokers)))
        }
        RDKafkaErrorCode::InvalidPartitions => {
            let reason =
                format!("Kafka makes no topic with {}; set another number", count(plan.partitions, "partition"));
            Some(fault(settings.partitions.unwrap_or(settings.name), reason))
        }
        RDKafkaErrorCode::InvalidTopic => {
            let reason = format!(
                "Kafka does not take the name {:?}: another topic may have it, but for a . in the place of a _ or the other way \
                 round; name another one",
                plan.name
            );
            Some(fault(settings.name, reason))
        }
        RDKafkaErrorCode::PolicyViolation => {
            let reason = format!(
                "the cluster's policy (create.topic.policy.class.name), or one of its bounds, does not allow such a topic; asked \
                 for were {}; set what it allows, or make the topic by other means",
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
            "a replication factor of {wanted} was asked for, and not all of the cluster's {text} take new replicas at the moment: \
             bring them up, or set a smaller one"
        ),
        (Some(brokers), Some(text)) => format!(
            "a replication factor of {wanted} was asked for, and the cluster has {text}: set it to {brokers} at most, or to -1 \
             for the broker's default"
        ),
        _ => format!(
            "a replication factor of {wanted} was asked for, and the cluster has fewer brokers: set a smaller one, or -1 for the \
             broker's default"
        ),
    }
}

fn count(count: impl fmt::Display, what: &str) -> String {
    let count = count.to_string();
    if count == "1" { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// What a plan asks for, with the settings' names.
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

/// What Kafka does not take of a plan's configuration, when it takes not all of it. `refused`: what it refuses by itself.
/// `known`: the configurations that topics have there, if that is known.
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
        return vec![Fault { key, reason: format!("Kafka does not take this configuration of a topic: {asked_for}") }];
    }
    let one = |(key, value): (&String, &String)| {
        let Some(prefix) = settings.config_prefix else {
            let reason = format!("Kafka does not take {key}={value} for this topic, which has to have it");
            return fault(settings.name, reason);
        };
        Fault { key: format!("{prefix}{key}"), reason: config_fault(key, value, known) }
    };
    refused.iter().map(one).collect()
}

fn config_fault(key: &str, value: &str, known: Option<&BTreeMap<String, String>>) -> String {
    let Some(known) = known else {
        return format!(
            "{value:?}: Kafka does not take it: topics have no configuration {key}, or it may not have this value"
        );
    };
    if known.contains_key(key) {
        return format!("{value:?}: Kafka does not take this value for a topic's {key}");
    }
    // What stands under the same prefix and is no configuration may be meant as well.
    let names = known.keys().map(String::as_str).chain(["partitions", "replication.factor"]);
    match nearest(key, names) {
        Some(nearest) => format!("topics have no configuration {key} in this cluster; the nearest one is {nearest}"),
        None => format!("topics have no configuration {key} in this cluster"),
    }
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
