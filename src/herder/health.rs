//! Reports whether this worker does its part.

use std::time::Instant;

use super::Herder;
use crate::open_files;

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

impl Herder {
    /// Returns the health of this worker. It is healthy if it reads its own heartbeat back from Kafka, every shard it
    /// holds has an owner that makes progress, and it can open files.
    pub fn health(&self) -> Health {
        let out_of_files = open_files::probe();
        let phase = self.phase.borrow().clone();
        let Some(member) = phase.member().filter(|_| phase.is_member()) else {
            return Health::Starting(out_of_files.or_else(|| phase.member().and_then(|member| member.apart())));
        };
        if let Some(reason) = out_of_files {
            return Health::Unhealthy(reason);
        }
        if self.statuses.look(|view| view.is_alive(&self.worker_id, Instant::now())) {
            return member.standing_still().map_or(Health::Healthy, Health::Unhealthy);
        }
        let reason = self.statuses.trouble().unwrap_or_else(|| {
            "Kafka may not be reachable, or a transaction may hang on the topic (kafka-transactions.sh find-hanging)"
                .to_owned()
        });
        let topic = &self.config.status_topic;
        Health::Unhealthy(format!("The worker's own heartbeat in topic {topic} is older than its session: {reason}."))
    }
}
