//! Checks, before the worker starts, whether Kafka's clients accept its settings.

use super::plan;
use crate::config::{Problem, WorkerConfig};
use crate::kafka::trial;

/// Returns the problems of a worker's client settings, each with its key and where it was given. No broker is contacted.
pub fn problems(config: &WorkerConfig) -> Vec<Problem> {
    let refused = trial::refused(&plan::kafka_settings(config));
    let mut problems = Vec::new();
    for refused in refused {
        let given = match &refused.key {
            Some(key) => config.given_for_client(refused.prefix, |name| name == key),
            // librdkafka quotes the setting's name, as `acks`, or begins with it.
            None => config.given_for_client(refused.prefix, |name| {
                refused
                    .reason
                    .split(|byte: char| !(byte.is_ascii_alphanumeric() || ".-_".contains(byte)))
                    .any(|word| word == name)
            }),
        };
        let reason = format!("Kafka's client (librdkafka) refuses it: {}", refused.reason);
        if given.is_empty() {
            problems.push(Problem::new("worker settings", refused.key.as_deref().unwrap_or_default(), reason.clone()));
        }
        problems.extend(given.into_iter().map(|(key, source)| Problem::new(source, key, reason.clone())));
    }
    problems.sort_by(|a, b| (&a.place, &a.key, &a.reason).cmp(&(&b.place, &b.key, &b.reason)));
    problems.dedup();
    problems
}

#[cfg(test)]
#[path = "clients_tests.rs"]
mod tests;
