//! Reports whether this worker does its part.

use std::time::Instant;

use super::Herder;
use crate::cluster::ReportedState;
use crate::cluster::status::{StatusKey, StatusView};
use crate::open_files;

/// The maximum number of failed connectors that are listed.
const FAILED_MAX: usize = 100;
/// The maximum length of the reason why a connector has failed, in characters.
const REASON_CHARS_MAX: usize = 500;

/// The health of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// The worker has not joined its group yet; with the reason, if it is known.
    Starting(Option<String>),
    /// The worker does its part.
    Healthy,
    /// The worker has lost touch with Kafka, or cannot do its work, with the reason.
    Unhealthy(String),
}

/// A connector that has failed, on whatever worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedConnector {
    /// Its name.
    pub name: String,
    /// The worker that reports it.
    pub worker_id: String,
    /// The first line of its trace.
    pub reason: String,
}

impl Herder {
    /// Returns the connectors of the group that have failed, by name, for at most [`FAILED_MAX`] of them. None are known
    /// while the worker is starting.
    pub fn failed_connectors(&self) -> Vec<FailedConnector> {
        let Ok(view) = self.view() else { return Vec::new() };
        self.statuses.look(|statuses| failed(statuses, &|name| view.contains(name), Instant::now()))
    }

    /// Returns the health of this worker. It is healthy if it reads its own heartbeat back from Kafka, every shard it
    /// holds has an owner that makes progress, and it can open files.
    pub fn health(&self) -> Health {
        let out_of_files = open_files::probe();
        let phase = self.phase.borrow().clone();
        let Some(member) = phase.member().filter(|_| phase.is_member()) else {
            return Health::Starting(out_of_files.or_else(|| phase.waits_for()));
        };
        if let Some(reason) = out_of_files {
            return Health::Unhealthy(reason);
        }
        if self.statuses.look(|view| view.is_alive(&self.worker_id, Instant::now())) {
            return member.standing_still().map_or(Health::Healthy, Health::Unhealthy);
        }
        let (reason, topic) = (self.heartbeat_trouble(), &self.config.status_topic);
        Health::Unhealthy(format!("The worker's own heartbeat in topic {topic} is older than its session: {reason}."))
    }

    /// Returns why this worker does not read its own heartbeat back from Kafka, which it does not at the moment.
    fn heartbeat_trouble(&self) -> String {
        self.statuses.trouble().unwrap_or_else(|| {
            "Kafka may not be reachable, or a transaction may hang on the topic (kafka-transactions.sh find-hanging)"
                .to_owned()
        })
    }

    /// Returns what is said of tasks that nobody reports while this worker does not read its own heartbeat back: the reason
    /// is most likely here.
    pub(super) fn apart(&self) -> String {
        format!(
            "this worker does not read from Kafka who has it, for its own heartbeat is older than its session: {}; see GET \
             /health and the brokers of bootstrap.servers",
            self.heartbeat_trouble()
        )
    }
}

/// Returns the connectors that exist and whose counting report at `now` is that they have failed.
fn failed(statuses: &StatusView, exists: &dyn Fn(&str) -> bool, now: Instant) -> Vec<FailedConnector> {
    // Keys of connectors precede those of tasks.
    let connectors = statuses.keys().map_while(|key| match key {
        StatusKey::Connector(name) => Some((key, name)),
        StatusKey::Task(..) => None,
    });
    let failed = connectors.filter(|(_, name)| exists(name)).filter_map(|(key, name)| {
        let status = statuses.counting(key, now).filter(|status| status.state == ReportedState::Failed)?;
        let line = status.trace.as_deref().and_then(|trace| trace.lines().next()).unwrap_or_default();
        Some(FailedConnector {
            name: name.clone(),
            worker_id: status.reporter.worker_id.clone(),
            reason: line.chars().take(REASON_CHARS_MAX).collect(),
        })
    });
    failed.take(FAILED_MAX).collect()
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
