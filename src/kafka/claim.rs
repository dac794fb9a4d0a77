//! A group's contract, stored with the group itself, where workers that share nothing but `group.id` find each other.
//!
//! **Contract.** The claim is the metadata of an offset that the group has committed on partition 0 of its offsets
//! topic. Every topic is searched for one. Kafka accepts such a commit from outside only while the group has no
//! members, so nobody can claim a group beside running workers. Workers that start at the same moment first write an
//! unsettled claim, then look for others, and only then settle: of two that see each other, the one whose offsets
//! topic's name sorts first wins. A worker that finds a different settled claim is refused before it joins, and
//! disturbs nobody.

use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::context::LogContext;
use super::error::{needing, to_log_error};
pub use super::group_claim::Claim;
use super::group_claim::{PARTITION, to_commit};
use super::settings::KafkaSettings;
use crate::model::contract::ContractError;
use crate::model::{Contract, LogError, LogErrorKind};

/// How long one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// The time after which a claim that was neither settled nor withdrawn belongs to a worker that has died.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum number of topics in one call.
const TOPICS_AT_ONCE: usize = 500;

/// Reasons why a group cannot be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The group has a different contract.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The group cannot be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// The result of claiming a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The claim is settled.
    Settled,
    /// The group has members but no claim: workers of an earlier version. This worker commits the claim once it is a
    /// member.
    ByMembers,
}

/// Reads a group's claims, and writes one. All calls block.
pub struct GroupClaims {
    consumer: BaseConsumer<LogContext>,
    group_id: String,
    topic: String,
}

/// What to do about the claims of others.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// No other claim is in the way.
    Free,
    /// The claim on this topic must be settled or withdrawn first.
    Wait(String),
    /// The group belongs to this contract.
    Lost(Contract),
}

/// Decides between this worker's claim and others'. `settling`: this worker's is written but not settled.
fn judge(ours: &Contract, topic: &str, claims: &[(String, Claim)], settling: bool) -> Verdict {
    let others = || claims.iter().filter(|(_, claim)| ours.agrees(&claim.contract, "group.id").is_err());
    if let Some((_, claim)) = others().find(|(_, claim)| claim.settled) {
        return Verdict::Lost(claim.contract.clone());
    }
    match others().min_by_key(|(other, _)| other) {
        None => Verdict::Free,
        // That worker looks as well, and sees our claim.
        Some((other, claim)) if settling && other.as_str() < topic => Verdict::Lost(claim.contract.clone()),
        Some((other, _)) => Verdict::Wait(other.clone()),
    }
}

impl GroupClaims {
    /// Creates a client for the settings' group.
    ///
    /// # Errors
    /// When librdkafka rejects the settings.
    pub fn new(settings: &KafkaSettings) -> Result<Self, LogError> {
        let made = settings.claim_config().create_with_context(LogContext);
        let consumer = made.map_err(|error| to_log_error("creating a client for the group", &error))?;
        Ok(Self { consumer, group_id: settings.group_id.clone(), topic: settings.offsets_topic.clone() })
    }

    fn error(&self, error: &KafkaError) -> LogError {
        let grant = format!("Read on group {}, and Read and Describe on topic {}", self.group_id, self.topic);
        needing(to_log_error("reading or writing the group's contract", error), &grant)
    }

    /// Returns the claims of the group, each with the topic it is on.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn read(&self) -> Result<Vec<(String, Claim)>, LogError> {
        let metadata = self.consumer.fetch_metadata(None, CALL_TIMEOUT).map_err(|error| self.error(&error))?;
        let names = metadata.topics().iter().map(|topic| topic.name()).filter(|name| !name.starts_with("__"));
        // The worker's own topic in any case, so that it never continues without a response from the group.
        let names: Vec<&str> =
            names.filter(|name| *name != self.topic).chain(std::iter::once(self.topic.as_str())).collect();
        let mut claims = Vec::new();
        for some in names.chunks(TOPICS_AT_ONCE) {
            let mut list = TopicPartitionList::new();
            some.iter().for_each(|name| _ = list.add_partition(name, PARTITION));
            let committed = self.consumer.committed_offsets(list, CALL_TIMEOUT).map_err(|error| self.error(&error))?;
            for element in committed.elements() {
                // Other programs may commit any metadata.
                if let Ok(claim) = serde_json::from_str(element.metadata()) {
                    claims.push((element.topic().to_owned(), claim));
                }
            }
        }
        Ok(claims)
    }

    /// Claims the group for this contract, unless that is already settled.
    ///
    /// # Errors
    /// When the group has a different contract, or cannot be read or written.
    pub fn settle(&self, contract: &Contract, config_topic_claimed: bool) -> Result<Claimed, ClaimError> {
        let mut ours = Claim { contract: contract.clone(), settled: false, config_topic_claimed };
        let (mut written, mut waiting): (bool, Option<(String, Instant)>) = (false, None);
        loop {
            let claims = self.read()?;
            match judge(contract, &self.topic, &claims, written) {
                Verdict::Lost(theirs) => {
                    let is_ours = |(topic, claim): &(String, Claim)| *topic == self.topic && *claim == ours;
                    if written && claims.iter().any(is_ours) {
                        // Otherwise workers that look later would wait for it.
                        let _ = self.commit(&self.topic, "");
                    }
                    contract.agrees(&theirs, "group.id")?;
                }
                Verdict::Wait(other) => {
                    match &waiting {
                        Some((known, since)) if *known == other => {
                            if since.elapsed() >= SETTLE_TIMEOUT {
                                tracing::warn!(topic = other, "a claim on the group was never settled and is removed");
                                let _ = self.commit(&other, "");
                                waiting = None;
                            }
                        }
                        _ => waiting = Some((other, Instant::now())),
                    }
                    std::thread::sleep(Duration::from_millis(100));
                    // Until ours is written, it is written even while waiting: of two that wait for each other, each
                    // must see the other's claim.
                    if written {
                        continue;
                    }
                }
                Verdict::Free => {
                    let known = claims.iter().find(|(topic, _)| *topic == self.topic).map(|(_, claim)| claim);
                    let is_said = |claim: &&Claim| {
                        claim.settled
                            && contract.is_said_by(&claim.contract)
                            && (claim.config_topic_claimed || !config_topic_claimed)
                    };
                    if known.filter(is_said).is_some() {
                        return Ok(Claimed::Settled);
                    }
                    ours.settled = written;
                }
            }
            match self.commit(&self.topic, &ours.to_metadata()) {
                Ok(()) => written = true,
                Err(KafkaError::ConsumerCommit(code)) if has_members(code) => {
                    // The members settled before they joined, so a claim of theirs is visible now.
                    let claims = self.read()?;
                    return match judge(contract, &self.topic, &claims, false) {
                        Verdict::Lost(theirs) => Err(contract.agrees(&theirs, "group.id").err().map_or_else(
                            || unclear("the group's claim has changed meanwhile").into(),
                            ClaimError::from,
                        )),
                        _ if claims.iter().any(|(topic, claim)| *topic == self.topic && claim.settled) => {
                            Ok(Claimed::Settled)
                        }
                        _ => Ok(Claimed::ByMembers),
                    };
                }
                Err(error) => return Err(self.error(&error).into()),
            }
        }
    }

    fn commit(&self, topic: &str, metadata: &str) -> Result<(), KafkaError> {
        self.consumer.commit(&to_commit(topic, metadata)?, CommitMode::Sync)
    }
}

fn unclear(text: &str) -> LogError {
    LogError { kind: LogErrorKind::Other, doing: "claiming the group", text: text.to_owned() }
}

/// Returns whether a commit from outside was rejected because the group has members.
fn has_members(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::UnknownMemberId
            | RDKafkaErrorCode::IllegalGeneration
            | RDKafkaErrorCode::RebalanceInProgress
            | RDKafkaErrorCode::StaleMemberEpoch
    )
}

#[cfg(test)]
#[path = "claim_tests.rs"]
mod tests;
