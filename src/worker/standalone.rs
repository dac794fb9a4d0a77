//! What a standalone worker has to know of the cluster that its group was, or is.
//!
//! **Contract.** A standalone worker has its config log in memory. Where the offsets of a connector are is the one thing in a
//! cluster's config log that it must know: a connector whose offsets were moved to a topic of its own would start over in the
//! worker's offsets topic, and publish everything again. So these records are copied before any connector is applied.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Worker, WorkerError};
use crate::cluster::change::Change;
use crate::cluster::{ChangeError, ConfigLog, FollowerEnded, records};
use crate::kafka::{KafkaConfigStore, Topics};
use crate::shard::beginning::patiently;
use crate::supervision::{self, Part};

/// The capacity of the channel for a log's requests; nothing is written to it before the log's end is read.
const EVENTS_MAX: usize = 16;

impl Worker {
    /// Copies from the group's config topics to this worker's log which offsets topics connectors have. A topic of another
    /// group is ignored.
    ///
    /// # Errors
    /// When a topic that exists cannot be read.
    pub(super) async fn adopt_offsets_topics(
        self: &Arc<Self>,
        topics: &Topics,
        mut config_topics: BTreeSet<String>,
    ) -> Result<(), WorkerError> {
        config_topics.insert(self.config.config_topic.clone());
        for topic in config_topics {
            let found = topics.partitions(&topic).await;
            if found.map_err(|error| WorkerError::Unavailable(error.to_string()))?.is_none() {
                continue;
            }
            let worker = Arc::clone(self);
            supervision::blocking(Part::Worker, move || worker.adopt_from(&topic)).await?;
        }
        Ok(())
    }

    fn adopt_from(&self, topic: &str) -> Result<(), WorkerError> {
        let log = ConfigLog::new(Arc::new(KafkaConfigStore::new(&self.kafka, topic)), self.contract.clone());
        // Whoever waits for the log's end is woken with an error.
        let ended: FollowerEnded = Arc::new(|_| {});
        let (events, _ignored) = mpsc::channel(EVENTS_MAX);
        let read = patiently(|| log.follow(events.clone(), &ended));
        let view = log.view();
        log.stop();
        read?;
        if let Err(other) = log.check_contract(&view) {
            tracing::debug!(topic, %other, "the config topic is not this group's");
            return Ok(());
        }
        let mut adopted = Vec::new();
        for (name, home) in view.offsets_homes() {
            let home = home.as_ref().map_err(|error| {
                WorkerError::Config(format!("topic {topic}: the offsets topic of connector {name}: {error}"))
            })?;
            if let Some(own) = &home.topic {
                tracing::info!(
                    connector = name,
                    offsets_topic = own,
                    "the group's cluster moved the connector's offsets"
                );
                adopted.push(records::offsets_home(name, home));
            }
        }
        if adopted.is_empty() {
            return Ok(());
        }
        match self.configs.change(|_| Ok(Change { records: adopted.clone(), answer: () })) {
            Ok(_) => Ok(()),
            Err(ChangeError::Refused(refusal)) => Err(WorkerError::Config(refusal.to_string())),
            Err(ChangeError::Log(error)) => Err(error.into()),
        }
    }
}
