//! What a group has agreed on, kept with the group itself: workers that share nothing but `group.id` find each other there.
//!
//! **Contract.** The claim is the metadata of an offset that the group has committed on partition 0 of its offsets topic. It is
//! looked for on every topic. Kafka takes such a commit from outside only while the group has no members, so nobody can
//! claim a group beside workers that run. Workers that begin at one moment write what they are about to claim first, look,
//! and only then settle: of two that see each other the one whose offsets topic's name comes first wins. Whoever finds a
//! settled claim that is another one is refused before it joins, and disturbs nobody.

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
/// A claim that is neither settled nor withdrawn within this time is of a worker that has died.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(10);
/// Topics that are asked about in one call.
const TOPICS_AT_ONCE: usize = 500;

/// Why a group is not this worker's.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// It has agreed on something else.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// It cannot be asked.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// What has become of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// It holds.
    Settled,
    /// The group has members that have left none: workers of an earlier version. Its members fill it in.
    ByMembers,
}

/// Asks for a group's claims, and makes one. All calls block.
pub struct GroupClaims {
    consumer: BaseConsumer<LogContext>,
    group_id: String,
    topic: String,
}

/// What is to be done about the claims of others that are seen.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Nobody is in the way.
    Free,
    /// This topic's claim has to be settled or withdrawn first.
    Wait(String),
    /// This one has it.
    Lost(Contract),
}

/// Decides between this worker's claim and others'; `settling`: this one is written, and not settled.
fn judge(ours: &Contract, topic: &str, claims: &[(String, Claim)], settling: bool) -> Verdict {
    let others = || claims.iter().filter(|(_, claim)| ours.agrees(&claim.contract, "group.id").is_err());
    if let Some((_, claim)) = others().find(|(_, claim)| claim.settled) {
        return Verdict::Lost(claim.contract.clone());
    }
    match others().min_by_key(|(other, _)| other) {
        None => Verdict::Free,
        // It looks as well, and sees ours.
        Some((other, claim)) if settling && other.as_str() < topic => Verdict::Lost(claim.contract.clone()),
        Some((other, _)) => Verdict::Wait(other.clone()),
    }
}

impl GroupClaims {
    /// For the settings' group.
    ///
    /// # Errors
    /// When librdkafka does not take the settings.
    pub fn new(settings: &KafkaSettings) -> Result<Self, LogError> {
        let made = settings.claim_config().create_with_context(LogContext);
        let consumer = made.map_err(|error| to_log_error("making a client of the group", &error))?;
        Ok(Self { consumer, group_id: settings.group_id.clone(), topic: settings.offsets_topic.clone() })
    }

    fn error(&self, error: &KafkaError) -> LogError {
        let grant = format!("Read on group {}, and Read and Describe on topic {}", self.group_id, self.topic);
        needing(to_log_error("asking the group what it has agreed on", error), &grant)
    }

    /// Returns the claims of the group, each with the topic it is on.
    ///
    /// # Errors
    /// When they cannot be asked for.
    pub fn read(&self) -> Result<Vec<(String, Claim)>, LogError> {
        let metadata = self.consumer.fetch_metadata(None, CALL_TIMEOUT).map_err(|error| self.error(&error))?;
        let names = metadata.topics().iter().map(|topic| topic.name()).filter(|name| !name.starts_with("__"));
        // Its own one in any case: nobody is to go on without having heard the group.
        let names: Vec<&str> =
            names.filter(|name| *name != self.topic).chain(std::iter::once(self.topic.as_str())).collect();
        let mut claims = Vec::new();
        for some in names.chunks(TOPICS_AT_ONCE) {
            let mut list = TopicPartitionList::new();
            some.iter().for_each(|name| _ = list.add_partition(name, PARTITION));
            let committed = self.consumer.committed_offsets(list, CALL_TIMEOUT).map_err(|error| self.error(&error))?;
            for element in committed.elements() {
                // Others may commit what they like.
                if let Ok(claim) = serde_json::from_str(element.metadata()) {
                    claims.push((element.topic().to_owned(), claim));
                }
            }
        }
        Ok(claims)
    }

    /// Makes the group this worker's, unless it is.
    ///
    /// # Errors
    /// When it has agreed on something else, or cannot be asked.
    pub fn settle(&self, contract: &Contract, config_topic_claimed: bool) -> Result<Claimed, ClaimError> {
        let mut ours = Claim { contract: contract.clone(), settled: false, config_topic_claimed };
        let (mut written, mut waiting): (bool, Option<(String, Instant)>) = (false, None);
        loop {
            let claims = self.read()?;
            match judge(contract, &self.topic, &claims, written) {
                Verdict::Lost(theirs) => {
                    let is_ours = |(topic, claim): &(String, Claim)| *topic == self.topic && *claim == ours;
                    if written && claims.iter().any(is_ours) {
                        // Whoever looks later is not to wait for it.
                        let _ = self.commit(&self.topic, "");
                    }
                    contract.agrees(&theirs, "group.id")?;
                }
                Verdict::Wait(other) => {
                    match &waiting {
                        Some((known, since)) if *known == other => {
                            if since.elapsed() >= SETTLE_TIMEOUT {
                                tracing::warn!(
                                    topic = other,
                                    "a claim on the group was never settled and is taken away"
                                );
                                let _ = self.commit(&other, "");
                                waiting = None;
                            }
                        }
                        _ => waiting = Some((other, Instant::now())),
                    }
                    std::thread::sleep(Duration::from_millis(100));
                    // Seen by it all the same: of two that wait for each other neither may be without a claim.
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
                    // Whoever has settled has done so before it joined: it is seen now.
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

/// Commits from outside are not taken while a group has members.
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
