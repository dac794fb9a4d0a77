//! The life of a shard in a worker: it is acquired, written, lost and acquired again, until it is released.
//!
//! **Contract.** An owner knows no topics but its own log: each record contains where it is written, and what happens
//! if it is refused ([`crate::model::Record`]).

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio_retry2::strategy::{ExponentialBackoff, jitter_with_bounds};

use super::acquire::{Acquired, acquire};
use super::context::OwnerContext;
use super::lease::ShardLease;
use super::losing::Losing;
use super::positions::{Outcome, SharedPositions};
use super::recover::{RecoverError, Recovered};
use super::refused_topics::RefusedTopics;
use super::report::OwnerReport;
use super::sources::{LostPositions, Sources, StartContext};
use super::transaction::{Failed, Transaction};
use super::unreadable::ShardRefusal;
use crate::model::{Committed, Publication, Sequences, ShardId, ShardLog};
use crate::supervision::{Part, fault_point};
use crate::telemetry;

/// Owns one shard, on its own thread.
pub struct Owner<L: ShardLog, S: Sources> {
    shard: ShardId,
    context: OwnerContext<L>,
    sources: S,
    lease: ShardLease,
    report: OwnerReport,
    losing: Losing,
    refused_topics: RefusedTopics,
    /// Whether the shard has been written to, as far as this owner knows.
    begun: bool,
}

/// Reasons why an owner ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// The shard was released.
    Released,
    /// The topic has a different contract; the worker has to stop.
    Refused(RecoverError),
}

/// Reasons why a shard was lost.
enum Lost {
    Released,
    Altered,
    /// A partition accepts no records at the moment; its streams find out when they are started again.
    Unavailable(String),
    Failed(Box<Failed>),
}

enum Arrival {
    Publication(Box<Publication>),
    Release,
    Altered,
    /// All senders are gone.
    Closed,
    Deadline,
}

/// The state of one acquisition of the shard, which ends with it.
struct Tenure<P> {
    producer: P,
    queue: mpsc::Receiver<Publication>,
    positions: SharedPositions,
    sequences: Sequences,
    /// The records that the shard's first transaction writes, if they are missing.
    first_records: Vec<(Vec<u8>, Vec<u8>)>,
    /// A publication that was received and did not fit into the transaction.
    held_over: Option<Publication>,
}

impl<L: ShardLog, S: Sources> Owner<L, S> {
    /// Creates an owner that has not acquired its shard yet. `report` shows its state to others.
    pub fn new(shard: ShardId, context: OwnerContext<L>, sources: S, lease: ShardLease, report: OwnerReport) -> Self {
        let (losing, refused_topics) = (Losing::default(), RefusedTopics::default());
        let begun = context.settings.begun;
        Self { shard, context, sources, lease, report, losing, refused_topics, begun }
    }

    /// Runs until the shard is released. Blocks, on the shard's own thread.
    pub fn run(mut self) -> Ended {
        let mut delays = None;
        let mut reason;
        while self.lease.is_held() {
            let began = Instant::now();
            let OwnerContext { log, contract, settings, .. } = &self.context;
            match acquire(&**log, self.shard, contract, &self.lease, settings.stall_timeout) {
                Ok(acquired) => {
                    let took = began.elapsed();
                    self.report.acquired();
                    telemetry::shard_acquired(took);
                    self.losing.acquired();
                    tracing::info!(
                        shard = self.shard.0,
                        offsets_topic = self.context.log.offsets_topic(),
                        took_ms = took.as_millis() as u64,
                        streams = acquired.recovered.positions.len(),
                        "acquired the shard"
                    );
                    match self.own(acquired, &mut delays) {
                        Lost::Released => return Ended::Released,
                        Lost::Altered => {
                            tracing::info!(
                                shard = self.shard.0,
                                offsets_topic = self.context.log.offsets_topic(),
                                "the shard's offsets were altered; acquiring it again"
                            );
                            continue;
                        }
                        Lost::Unavailable(why) => {
                            reason = "partition_unavailable";
                            telemetry::shard_lost(reason);
                            tracing::warn!(
                                shard = self.shard.0,
                                offsets_topic = self.context.log.offsets_topic(),
                                why,
                                "streams are set aside; acquiring the shard again for the others"
                            );
                        }
                        Lost::Failed(failed) => {
                            reason = failed.error.kind.reason();
                            self.report.lost(failed.error.to_string());
                            let shard = (self.shard, self.context.log.offsets_topic());
                            self.losing.lose(shard, *failed, &mut self.sources, &mut self.refused_topics);
                        }
                    }
                }
                Err(RecoverError::Released) => return Ended::Released,
                Err(error @ RecoverError::Contract(_)) => return Ended::Refused(error),
                Err(error) => {
                    reason = error.reason();
                    self.report.lost(error.to_string());
                    telemetry::shard_lost(reason);
                    tracing::warn!(
                    shard = self.shard.0,
                    offsets_topic = self.context.log.offsets_topic(),
                    %error,
                    "could not acquire the shard; trying again"
                    );
                    self.losing.not_acquired(self.shard, &self.context, &mut self.sources, began, &error);
                }
            }
            self.wait_before_reacquiring(&mut delays, reason);
        }
        Ended::Released
    }

    /// Writes publications until the shard is lost. The producer does not outlive this.
    fn own(&mut self, acquired: Acquired<L::Producer>, delays: &mut Option<ExponentialBackoff>) -> Lost {
        let mut tenure = self.begin(acquired);
        let mut deadline = None;
        loop {
            fault_point(Part::Shard);
            let arrival = match tenure.held_over.take() {
                Some(held_over) => Arrival::Publication(Box::new(held_over)),
                None => self.arrival(&mut tenure.queue, deadline),
            };
            let first = match arrival {
                Arrival::Publication(first) => *first,
                Arrival::Release => {
                    self.sources.stop();
                    deadline = Some(Instant::now() + self.context.settings.release_timeout);
                    continue;
                }
                Arrival::Altered => {
                    self.sources.stop();
                    return Lost::Altered;
                }
                Arrival::Closed | Arrival::Deadline => {
                    self.sources.stop();
                    return Lost::Released;
                }
            };
            let Some(mut first) = self.unpublished(first, &tenure.positions) else { continue };
            if let Some(reason) = self.unavailable(&first) {
                self.sources.stop();
                return Lost::Unavailable(reason);
            }
            self.refused_topics.drop_unwritable(&mut first, &*self.context.log);
            if first.is_empty() {
                continue;
            }
            match self.write(&mut tenure, first) {
                Ok(committed) => {
                    tenure.first_records.clear();
                    self.begun = true;
                    self.refused_topics.committed(committed.iter().flat_map(|one| &one.droppable_topics));
                    *delays = None;
                    self.losing.committed(&committed);
                    self.report.committed();
                    telemetry::committed(&committed);
                    self.sources.committed(&committed);
                }
                Err(failed) => {
                    self.sources.stop();
                    if !self.lease.is_held() {
                        return Lost::Released;
                    }
                    return Lost::Failed(failed);
                }
            }
        }
    }

    /// Starts the shard's streams with a new queue, so that fragments pulled before a loss cannot arrive after it.
    fn begin(&mut self, acquired: Acquired<L::Producer>) -> Tenure<L::Producer> {
        let Acquired { producer, recovered } = acquired;
        let (sender, queue) = mpsc::channel(self.context.settings.queue_fragments);
        let refused = self.refused(&recovered);
        // A shard that has lost its records must not look as if it had lost nothing, whatever is still written.
        let first_records =
            if refused.is_some() { Vec::new() } else { recovered.first_records(&self.context.contract) };
        if let Some(reason) = &refused {
            tracing::error!(
                shard = self.shard.0,
                offsets_topic = self.context.log.offsets_topic(),
                %reason,
                "no stream of the shard is pulled"
            );
        }
        let Recovered { positions, sequences, unreadable, lease_epoch, lost_by, .. } = recovered;
        let positions = SharedPositions::new(positions);
        let reason = format!(
            "records of shard {} of topic {} were deleted, and positions of streams with them. The connector's streams without a \
             position are not pulled, because they would be published again: stop the connector, and set or reset the offsets of \
             all its streams",
            self.shard,
            self.context.log.offsets_topic()
        );
        let start = StartContext {
            positions: positions.clone(),
            unreadable,
            refused,
            lost: LostPositions { connectors: lost_by, reason },
            lease_epoch,
        };
        self.sources.start(start, sender);
        Tenure { producer, queue, positions, sequences, first_records, held_over: None }
    }

    /// Waits until the config log has been applied up to the shard's config offset. Returns why no stream of the shard
    /// may be pulled, if none may.
    fn refused(&mut self, recovered: &Recovered) -> Option<ShardRefusal> {
        match &recovered.config_offset {
            Some(Ok(offset)) => {
                let lease = self.lease.clone();
                self.sources.wait_for_config(offset, &move || lease.is_held());
            }
            Some(Err(unreadable)) => return Some(unreadable.clone().into()),
            None => {}
        }
        let (shard, topic) = (self.shard, || self.context.log.offsets_topic().to_owned());
        if let Some(start) = recovered.emptied {
            return Some(ShardRefusal::RecordsDeleted { shard, topic: topic(), start });
        }
        if self.begun && !recovered.has_contract {
            return Some(ShardRefusal::Recreated { shard, topic: topic() });
        }
        self.begun |= recovered.has_contract;
        None
    }

    /// Returns the part of a publication to write. Of an already published fragment, only its notifications remain, if
    /// any.
    fn unpublished(&mut self, publication: Publication, positions: &SharedPositions) -> Option<Publication> {
        match positions.outcome(&publication) {
            Outcome::New => {
                let mut publication = publication;
                publication.keep_partitions(positions.get(&publication.key).as_ref());
                Some(publication)
            }
            Outcome::AlreadyPublished { last } => {
                telemetry::duplicate_dropped(&publication.key);
                tracing::debug!(stream = %publication.key.stream, %last, "dropping a fragment that is already published");
                self.sources.already_published(&publication.key, &last);
                (!publication.notifications.is_empty()).then(|| publication.without_fragment())
            }
        }
    }

    /// Returns why a publication cannot be written at the moment, as far as is known.
    fn unavailable(&self, publication: &Publication) -> Option<String> {
        let needed = publication.records.iter().filter(|record| !record.may_be_dropped());
        needed.into_iter().find_map(|record| self.context.log.unavailable(&record.topic, record.partition))
    }

    /// Writes one transaction with the given publication and others that are queued.
    fn write(&mut self, tenure: &mut Tenure<L::Producer>, first: Publication) -> Result<Vec<Committed>, Box<Failed>> {
        let Tenure { producer, queue, positions, sequences, first_records, held_over } = tenure;
        let began = Instant::now();
        let first = positions.admit(first, sequences);
        let only = self.losing.isolates_streams().then(|| Arc::clone(&first.key));
        let mut transaction = Transaction::begin(producer, self.context.settings.transaction, first)?;
        while transaction.has_room() {
            let Ok(next) = queue.try_recv() else { break };
            if only.as_ref().is_some_and(|only| next.key != *only) {
                *held_over = Some(next);
                break;
            }
            let Some(mut next) = self.unpublished(next, positions) else { continue };
            if self.unavailable(&next).is_some() {
                *held_over = Some(next);
                break;
            }
            self.refused_topics.drop_unwritable(&mut next, &*self.context.log);
            transaction.add(positions.admit(next, sequences))?;
        }
        let topic = Arc::from(self.context.log.offsets_topic());
        let committed = transaction.commit(&topic, self.shard, first_records)?;
        telemetry::transaction_committed(began.elapsed());
        Ok(committed)
    }

    fn arrival(&self, queue: &mut mpsc::Receiver<Publication>, deadline: Option<Instant>) -> Arrival {
        let releasing = deadline.is_some();
        self.context.runtime.block_on(async {
            let passed = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.lease.released(), if !releasing => Arrival::Release,
                () = self.lease.altered(), if !releasing => Arrival::Altered,
                () = passed => Arrival::Deadline,
                next = queue.recv() => next.map_or(Arrival::Closed, |next| Arrival::Publication(Box::new(next))),
            }
        })
    }

    /// Waits with jitter, or until the shard is released.
    fn wait_before_reacquiring(&self, delays: &mut Option<ExponentialBackoff>, reason: &'static str) {
        let delays = delays.get_or_insert_with(|| {
            let base_ms = u64::try_from(self.context.settings.reacquire_base.as_millis()).unwrap_or(u64::MAX);
            ExponentialBackoff::from_millis(2)
                .factor(base_ms.div_ceil(2))
                .max_delay(self.context.settings.reacquire_cap)
        });
        let longest = delays.next().unwrap_or(self.context.settings.reacquire_cap);
        let delay = jitter_with_bounds(0.25, 1.0)(longest);
        self.context.runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.lease.released() => {}
            }
        });
        if self.lease.is_held() {
            telemetry::shard_reacquired(reason);
        }
    }
}
