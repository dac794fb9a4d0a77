//! Checks, before a worker joins, that its contract agrees with its group's (rule 14); otherwise it is refused and
//! disturbs nobody.
//!
//! The group's contract is stored with the group itself (`crate::kafka::claim`), in the config and the status topic
//! (`crate::cluster::contracts`) and in each shard of the offsets topic (`crate::model::contract`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Mode, Worker, WorkerError};
use crate::cluster::ChangeError;
use crate::kafka::KafkaSettings;
use crate::kafka::claim::{Claim, ClaimError, Claimed, GroupClaims};
use crate::model::{LogError, OffsetReader, ShardId, ShardLog};
use crate::supervision::{self, Part};

/// The pause before a group that does not respond is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What is stored with the group itself, read before anything else.
pub(super) struct Group {
    claims: GroupClaims,
    /// Whether the group has written its contract to the config topic.
    config_topic_claimed: bool,
    /// The config topics that its contract names.
    pub(super) config_topics: BTreeSet<String>,
}

impl Worker {
    /// Reads the group's claims, before any topic is created. Waits until the group responds, and logs that it waits.
    /// `None`: shut down meanwhile.
    pub(super) async fn ask_group(
        self: &Arc<Self>,
        shutdown: &CancellationToken,
    ) -> Result<Option<Group>, WorkerError> {
        loop {
            let worker = Arc::clone(self);
            let asked = blocking(move || {
                let claims = GroupClaims::new(&worker.kafka).map_err(WorkerError::from)?;
                let found = claims.read();
                Ok((claims, found))
            });
            let (claims, found) = tokio::select! {
                () = shutdown.cancelled() => return Ok(None),
                asked = asked => asked?,
            };
            match found {
                Ok(found) => return self.check_claims(claims, &found).map(Some),
                // A cluster's first group: Kafka creates a topic for groups first.
                Err(error) if error.text.contains("Coordinator") => {
                    tracing::info!(%error, "Kafka is not ready for the group yet; waiting for it");
                }
                // The client reports a missing permission on the group as if the group did not respond.
                Err(error) => {
                    tracing::warn!(%error, "the group's contract cannot be read; waiting for it: grant Read \
                    on group {}, if that is missing", self.config.group_id)
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => return Ok(None),
                () = tokio::time::sleep(ASK_AGAIN) => {}
            }
        }
    }

    fn check_claims(&self, claims: GroupClaims, found: &[(String, Claim)]) -> Result<Group, WorkerError> {
        for (_, claim) in found.iter().filter(|(_, claim)| claim.settled) {
            self.contract.agrees(&claim.contract, "group.id").map_err(|error| self.other_group(&error))?;
        }
        let ours = |(topic, claim): &&(String, Claim)| *topic == self.config.offsets_topic && claim.settled;
        let config_topic_claimed = found.iter().filter(ours).any(|(_, claim)| claim.config_topic_claimed);
        let config_topics = found.iter().filter_map(|(_, claim)| claim.contract.config_topic.clone()).collect();
        Ok(Group { claims, config_topic_claimed, config_topics })
    }

    fn other_group(&self, error: &dyn std::fmt::Display) -> WorkerError {
        WorkerError::Config(format!(
            "group {}: {error}. To let the group start over while none of its workers runs: kafka-consumer-groups.sh \
             --delete-offsets --group {0} --topic TOPIC, with the offsets topic it was started with",
            self.config.group_id
        ))
    }

    /// Refuses logs that were recreated while no worker ran, and writes the group's contract to each. Returns the
    /// settings to join with.
    pub(super) async fn agree(
        self: &Arc<Self>,
        group: Group,
        offsets_begun: bool,
        given: Vec<String>,
    ) -> Result<KafkaSettings, WorkerError> {
        let worker = Arc::clone(self);
        blocking(move || {
            worker.check_made_anew(&group, offsets_begun, given)?;
            // A standalone worker's log is only in memory.
            let config_topic_claimed = worker.claim_logs()? && worker.mode == Mode::Distributed;
            let claim = Claim { contract: worker.contract.clone(), settled: true, config_topic_claimed };
            match group.claims.settle(&worker.contract, config_topic_claimed) {
                Ok(Claimed::Settled) => Ok(worker.kafka.clone()),
                Ok(Claimed::ByMembers) => Ok(KafkaSettings { claim: Some(claim), ..worker.kafka.clone() }),
                Err(ClaimError::Contract(error)) => Err(worker.other_group(&error)),
                Err(ClaimError::Log(error)) => Err(error.into()),
            }
        })
        .await
    }

    /// Refuses logs that were recreated, so that an empty config topic never means "no connectors", and offsets are
    /// never lost silently.
    fn check_made_anew(&self, group: &Group, offsets_begun: bool, given: Vec<String>) -> Result<(), WorkerError> {
        let view = self.configs.view();
        let (group_id, offsets) = (&self.config.group_id, &self.config.offsets_topic);
        if self.mode == Mode::Distributed && group.config_topic_claimed && view.contracts().is_empty() {
            return Err(WorkerError::Config(format!(
                "topic {} (config.storage.topic): it is empty, and group {group_id} had its connectors in it: it was deleted \
                 and recreated. Restore it; or, to start with no connectors and let streams continue at their positions: \
                 kafka-consumer-groups.sh --delete-offsets --group {group_id} --topic {offsets}",
                self.configs.topic()
            )));
        }
        if offsets_begun {
            return Ok(());
        }
        let names = view.names().cloned().chain(given);
        let published = self.statuses.look(|statuses| {
            // The epoch in a task's status is the end of its shard when that was acquired.
            let ended =
                |name: &String| statuses.keys().any(|key| key.connector() == name && statuses.highest_epoch(key) > 0);
            names.into_iter().find(|name| statuses.topics(name).is_some() || ended(name))
        });
        let Some(connector) = published else { return Ok(()) };
        // Another worker may have started since the topic was looked at.
        if self.offsets_have_begun()? {
            return Ok(());
        }
        Err(WorkerError::Config(format!(
            "topic {offsets} (offset.storage.topic): it is empty, and connector {connector:?} has published: it was deleted and \
             recreated, and every stream would be published again. Restore it; or, to let streams start over, delete {} \
             (status.storage.topic), too",
            self.config.status_topic
        )))
    }

    /// Returns whether the offsets topic contains anything by now.
    fn offsets_have_begun(&self) -> Result<bool, WorkerError> {
        let begun = self.offsets_log.with_reader(|reader| {
            let shards = (0..self.config.shards.get()).map(ShardId);
            let ends = shards.map(|shard| reader.bounds(shard).map(|bounds| bounds.end));
            ends.collect::<Result<Vec<i64>, LogError>>().map(|ends| ends.into_iter().any(|end| end > 0))
        });
        begun.map_err(WorkerError::from)
    }

    /// Writes the contract to both logs. Returns whether the config topic has it.
    fn claim_logs(&self) -> Result<bool, WorkerError> {
        let not_now = |error: &LogError, topic: &str| {
            tracing::warn!(%error, topic,
            "the group's contract cannot be written to the topic; other workers are not checked against it");
        };
        let claimed = match self.configs.claim() {
            Ok(()) => true,
            Err(ChangeError::Refused(refusal)) => {
                return Err(WorkerError::Config(format!("topic {}: {refusal}", self.configs.topic())));
            }
            Err(ChangeError::Log(error)) if error.kind.needs_a_grant() => {
                not_now(&error, self.configs.topic());
                false
            }
            Err(ChangeError::Log(error)) => return Err(error.into()),
        };
        match self.statuses.claim(&self.contract) {
            Ok(()) => {}
            Err(crate::cluster::StatusClaimError::Contract(error)) => {
                return Err(WorkerError::Config(format!("topic {}: {error}", self.config.status_topic)));
            }
            // Failing to write statuses must hold nothing up.
            Err(crate::cluster::StatusClaimError::Log(error)) => not_now(&error, &self.config.status_topic),
        }
        Ok(claimed)
    }
}

async fn blocking<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, WorkerError> + Send + 'static,
) -> Result<T, WorkerError> {
    supervision::blocking(Part::Worker, ask).await
}
