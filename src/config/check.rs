//! Rules that settings have to keep among each other, and of names.

use super::{ConnectorConfig, Problem, WorkerConfig};

/// A whole number within a range.
///
/// # Errors
/// What was expected.
pub fn whole_number(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let value = text.trim().parse().ok().filter(|value| (least..=most).contains(value));
    value.ok_or_else(|| format!("{text:?}: a whole number from {least} to {most} was expected"))
}

/// A replication factor; -1 is the broker's default.
///
/// # Errors
/// What was expected.
pub fn replication_factor(text: &str) -> Result<i32, String> {
    let value = text.trim().parse().ok().filter(|&value| value == -1 || (1..=100).contains(&value));
    value.ok_or_else(|| format!("{text:?}: -1, or a whole number from 1 to 100 was expected"))
}

/// Whether Kafka takes a topic's name.
///
/// # Errors
/// What is wrong with it.
pub fn topic_name(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if matches!(name, "." | "..") || !(1..=249).contains(&name.len()) || !name.bytes().all(allowed) {
        let shown: String = name.chars().take(300).collect();
        return Err(format!("{shown:?} is no topic name: 1 to 249 characters of [a-zA-Z0-9._-] are"));
    }
    Ok(())
}

/// Whether a connector's name can be used: any text, as Connect takes it, that a person can read in one line.
///
/// # Errors
/// What is wrong with it.
pub fn connector_name(name: &str) -> Result<(), String> {
    if name.trim().is_empty() || name.chars().count() > 256 || name.chars().any(char::is_control) {
        let shown: String = name.chars().take(300).collect();
        return Err(format!("{shown:?}: 1 to 256 characters without control characters were expected"));
    }
    Ok(())
}

/// What is wrong with connectors among each other and with their worker.
pub fn together(worker: Option<&WorkerConfig>, connectors: &[ConnectorConfig]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, connector) in connectors.iter().enumerate() {
        if let Some(other) = connectors[..index].iter().find(|other| other.name == connector.name) {
            let reason = format!("{:?} is the name of the connector in {} too", connector.name, other.place);
            problems.push(Problem::new(&connector.place, "name", reason));
        }
        let Some(worker) = worker else { continue };
        // Rule 13: what a connector writes there would be taken for offsets, or delete them.
        let own = [
            ("offset.storage.topic", &worker.offsets_topic),
            ("config.storage.topic", &worker.config_topic),
            ("status.storage.topic", &worker.status_topic),
            ("notifications.topic", &worker.notifications_topic),
        ];
        for (key, topic) in own {
            if *topic == connector.topic {
                let reason = format!("{topic:?} is the worker's {key}: a connector must not write there");
                problems.push(Problem::new(&connector.place, "topic", reason));
            }
        }
        if connector.fragment_max_size_bytes() > worker.memory_budget_size_bytes {
            let reason = format!(
                "{} is more than the worker's memory.budget.size.bytes, {}",
                connector.fragment_max_size_bytes(),
                worker.memory_budget_size_bytes
            );
            problems.push(Problem::new(&connector.place, "kvs.fragment.max.size.bytes", reason));
        }
    }
    problems
}
