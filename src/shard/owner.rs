//! The life of a shard in a worker: take, write, lose, take again; until it is released.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kvs_mkv::FragmentNumber;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio_retry2::strategy::ExponentialBackoff;
use tokio_util::sync::CancellationToken;

use super::contract::Contract;
use super::gate::ConfigPlace;
use super::id::ShardId;
use super::log::ShardLog;
use super::losing::{BLOCKED_AFTER, Losing};
use super::notifications::Notifications;
use super::offset::OffsetKey;
use super::outgoing::Outgoing;
use super::positions::{SharedPositions, admit, published_before};
use super::recover::RecoverError;
use super::report::OwnerReport;
use super::sequence::Sequences;
use super::take::{Taken, take};
use super::transaction::{Committed, Failed, Transaction, TransactionLimits};
use crate::supervision::{Part, fault_point};
use crate::telemetry;

/// Whether a shard is still ours. Released once and for all; a shard that comes back is held by a new grip.
#[derive(Debug, Clone, Default)]
pub struct Grip {
    pub(super) released: CancellationToken,
    /// What the shard's partition says was altered by somebody else.
    altered: Arc<Notify>,
}

impl Grip {
    /// Whether the shard is still assigned to this worker.
    pub fn held(&self) -> bool {
        !self.released.is_cancelled()
    }

    /// The shard is to be taken anew: its partition does not say any more what its owner knows. An owner that writes
    /// finds out by being fenced; one that has nothing to write has to be told.
    pub fn take_again(&self) {
        self.altered.notify_one();
    }

    /// The shard is to be let go.
    pub fn release(&self) {
        self.released.cancel();
    }
}

/// What pulls the streams of a shard.
pub trait Sources: Send {
    /// Waits until a place of the config log is applied here, as long as `held`: a change of offsets asks for it.
    fn wait_for_config(&mut self, place: &ConfigPlace, held: &dyn Fn() -> bool);

    /// Begins to pull every stream of the shard that has not failed, from its position, into the queue. What was
    /// pulled before has been stopped.
    fn start(&mut self, beginning: Beginning, queue: mpsc::Sender<Outgoing>);

    /// Stops pulling. Senders of the queue are dropped soon after.
    fn stop(&mut self);

    /// Gives a stream up: its place is kept, the others go on.
    fn fail(&mut self, stream: &OffsetKey, reason: String);

    /// Hears what has been committed.
    fn committed(&mut self, _fragments: &[Committed]) {}

    /// Hears that a fragment has come that counts as published, for it is not above the stream's last one.
    fn already_published(&mut self, _stream: &OffsetKey, _last: &FragmentNumber) {}

    /// Hears that the broker has refused a record of a stream for its time. The shard is lost; it is pulled again.
    fn timestamp_refused(&mut self, _stream: &OffsetKey) {}

    /// Gives up all streams that write to a topic.
    fn fail_topic(&mut self, topic: &str, reason: String);

    /// Says of all streams that the shard cannot be taken, for so long that somebody should know. They go on by themselves
    /// when it is. `lease_end`: the end that its partition has now, which orders what is said of it.
    fn blocked(&mut self, reason: String, lease_end: i64);
}

/// What a taking of a shard hands to its sources.
#[derive(Debug, Clone, Default)]
pub struct Beginning {
    /// Where its streams are.
    pub positions: SharedPositions,
    /// Streams that cannot be pulled, with the reason.
    pub unreadable: HashMap<OffsetKey, String>,
    /// Why none of its streams can be pulled.
    pub refused: Option<String>,
    /// Orders the takings of a shard.
    pub generation: i64,
}

/// How a shard is owned.
#[derive(Debug, Clone)]
pub struct OwnerSettings {
    /// Bounds of a transaction.
    pub transaction: TransactionLimits,
    /// Fragments that wait for the shard's thread at most.
    pub queue_fragments: usize,
    /// Without progress for so long the recovery read is given up.
    pub stall_timeout: Duration,
    /// A released shard finishes within so long; below the session timeout (rule 10).
    pub release_timeout: Duration,
    /// The longest first delay before a lost shard is taken again.
    pub retake_base: Duration,
    /// The longest delay of all.
    pub retake_cap: Duration,
    /// A shard that could not be taken for so long is spoken of in its streams' states.
    pub blocked_after: Duration,
}

impl Default for OwnerSettings {
    fn default() -> Self {
        Self {
            transaction: TransactionLimits::default(),
            queue_fragments: 256,
            stall_timeout: Duration::from_secs(30),
            release_timeout: Duration::from_secs(5),
            retake_base: Duration::from_millis(200),
            retake_cap: Duration::from_secs(10),
            blocked_after: BLOCKED_AFTER,
        }
    }
}

/// Owns one shard on a thread of its own.
pub struct Owner<L: ShardLog, S: Sources> {
    /// The shard.
    pub shard: ShardId,
    /// What the offsets topic is bound to.
    pub contract: Contract,
    /// Where shards live.
    pub log: Arc<L>,
    /// What pulls its streams.
    pub sources: S,
    /// Whether it is still ours.
    pub grip: Grip,
    /// For waiting on the queue from this thread.
    pub runtime: Handle,
    /// How it is owned.
    pub settings: OwnerSettings,
    /// What it reports of itself.
    pub report: OwnerReport,
    /// What it has learned from losing the shard; nothing at first.
    pub losing: Losing,
    /// Whether notifications can be written; so it seems at first.
    pub notifications: Notifications,
}

/// Why the owner came to its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// The shard was released.
    Released,
    /// The topic is not ours to write; the worker has to stop.
    Refused(RecoverError),
}

/// Why a shard was lost.
enum Lost {
    Released,
    Altered,
    /// A partition takes no records at the moment: its streams find out when they are started again.
    Unavailable(String),
    Failed(Failed),
}

enum Arrival {
    Fragment(Box<Outgoing>),
    Release,
    Altered,
    /// All senders are gone.
    Closed,
    Deadline,
}

impl<L: ShardLog, S: Sources> Owner<L, S> {
    /// Runs until the shard is released. Blocks: on the shard's own thread.
    pub fn run(mut self) -> Ended {
        let mut delays = None;
        let mut reason;
        while self.grip.held() {
            let began = Instant::now();
            match take(&*self.log, self.shard, &self.contract, &self.grip, self.settings.stall_timeout) {
                Ok(taken) => {
                    let took = began.elapsed();
                    self.report.acquired();
                    telemetry::shard_taken(took);
                    self.losing.taken();
                    tracing::info!(
                        shard = self.shard.0,
                        took_ms = took.as_millis() as u64,
                        streams = taken.recovered.positions.len(),
                        "took the shard"
                    );
                    match self.own(taken, &mut delays) {
                        Lost::Released => return Ended::Released,
                        Lost::Altered => {
                            tracing::info!(shard = self.shard.0, "its offsets were altered: the shard is taken again");
                            continue;
                        }
                        Lost::Unavailable(why) => {
                            reason = "partition_unavailable";
                            telemetry::shard_lost(reason);
                            tracing::warn!(
                                shard = self.shard.0,
                                why,
                                "streams are set aside; the shard is taken again for the others"
                            );
                        }
                        Lost::Failed(failed) => {
                            reason = failed.error.kind.reason();
                            self.report.lost(failed.error.to_string());
                            self.lose(failed);
                        }
                    }
                }
                Err(RecoverError::Released) => return Ended::Released,
                Err(error @ RecoverError::Contract(_)) => return Ended::Refused(error),
                Err(error) => {
                    reason = error.reason();
                    self.report.lost(error.to_string());
                    telemetry::shard_lost(reason);
                    tracing::warn!(shard = self.shard.0, %error, "could not take the shard and will try again");
                    self.not_taken(began, &error);
                }
            }
            self.wait_before_retaking(&mut delays, reason);
        }
        Ended::Released
    }

    /// Writes what comes until the shard is lost. The producer does not outlive this.
    fn own(&mut self, taken: Taken<L::Producer>, delays: &mut Option<ExponentialBackoff>) -> Lost {
        let Taken { mut producer, recovered } = taken;
        // Each take has a queue of its own, so that what was pulled before a loss cannot come after it.
        let (sender, mut queue) = mpsc::channel(self.settings.queue_fragments);
        let mut first_records = recovered.first_records(&self.contract);
        let emptied = recovered.emptied.map(|start| {
            format!(
                "shard {} of topic {} begins at offset {start}, and what the group left in front is gone: records were deleted \
                 (cleanup.policy is or was not compact), and places of streams with them. Nothing of it is pulled, for \
                 it would be published again. Set cleanup.policy=compact; then stop the connectors and set or reset the \
                 offsets of all their streams",
                self.shard,
                self.log.offsets_topic()
            )
        });
        let refused = match &recovered.config_place {
            Some(Ok(place)) => {
                let grip = self.grip.clone();
                self.sources.wait_for_config(place, &move || grip.held());
                None
            }
            Some(Err(reason)) => {
                tracing::error!(shard = self.shard.0, reason, "nothing of the shard is pulled");
                Some(reason.clone())
            }
            None => None,
        };
        let refused = refused
            .or(emptied
                .inspect(|reason| tracing::error!(shard = self.shard.0, reason, "nothing of the shard is pulled")));
        let positions = SharedPositions::new(recovered.positions);
        let mut sequences = recovered.sequences;
        let (unreadable, generation) = (recovered.unreadable, recovered.generation);
        self.sources.start(Beginning { positions: positions.clone(), unreadable, refused, generation }, sender);
        let mut deadline = None;
        let mut held_over = None;
        loop {
            fault_point(Part::Shard);
            let arrival = match held_over.take() {
                Some(held_over) => Arrival::Fragment(Box::new(held_over)),
                None => self.arrival(&mut queue, deadline),
            };
            let first = match arrival {
                Arrival::Fragment(first) => *first,
                Arrival::Release => {
                    self.sources.stop();
                    deadline = Some(Instant::now() + self.settings.release_timeout);
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
            let Some(mut first) = self.unpublished(first, &positions) else { continue };
            first.keep_partition(positions.get(&first.key).as_ref());
            if let Some(reason) = first.unavailable(&*self.log) {
                self.sources.stop();
                return Lost::Unavailable(reason);
            }
            self.notifications.pass(&mut first, &*self.log);
            if first.records.is_empty() && first.notifications.is_empty() && first.offset.is_none() {
                continue;
            }
            let written = self.write(&mut producer, first, &mut queue, &positions, &mut sequences, &first_records);
            match written {
                Ok((committed, next)) => {
                    held_over = next;
                    first_records.clear();
                    self.notifications.written(committed.iter().any(|committed| committed.has_notifications));
                    *delays = None;
                    self.report.committed();
                    telemetry::committed(&committed);
                    self.sources.committed(&committed);
                }
                Err(failed) => {
                    self.sources.stop();
                    if !self.grip.held() {
                        return Lost::Released;
                    }
                    return Lost::Failed(failed);
                }
            }
        }
    }

    /// Returns what is to be written of it: of a fragment that was published before what is told along with it, if anything.
    fn unpublished(&mut self, outgoing: Outgoing, positions: &SharedPositions) -> Option<Outgoing> {
        let Some(last) = published_before(&outgoing, positions) else { return Some(outgoing) };
        self.sources.already_published(&outgoing.key, &last);
        (!outgoing.notifications.is_empty()).then(|| outgoing.without_fragment())
    }

    /// One transaction: the fragment at hand and what else is there.
    fn write(
        &mut self,
        producer: &mut L::Producer,
        first: Outgoing,
        queue: &mut mpsc::Receiver<Outgoing>,
        positions: &SharedPositions,
        sequences: &mut Sequences,
        first_records: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<(Vec<Committed>, Option<Outgoing>), Failed> {
        let began = Instant::now();
        let first = admit(first, positions, sequences);
        let topic_of = |outgoing: &Outgoing| outgoing.records.first().map(|record| Arc::clone(&record.topic));
        let (only, mut held_over) = (topic_of(&first).filter(|_| self.losing.one_topic_at_a_time), None);
        let mut transaction = Transaction::begin(producer, self.settings.transaction, first)?;
        while transaction.has_room() {
            let Ok(next) = queue.try_recv() else { break };
            if only.is_some() && topic_of(&next) != only {
                held_over = Some(next);
                break;
            }
            let Some(mut next) = self.unpublished(next, positions) else { continue };
            next.keep_partition(positions.get(&next.key).as_ref());
            if next.unavailable(&*self.log).is_some() {
                held_over = Some(next);
                break;
            }
            self.notifications.pass(&mut next, &*self.log);
            transaction.add(admit(next, positions, sequences))?;
        }
        let topic = Arc::from(self.log.offsets_topic());
        let committed = transaction.commit(&topic, self.shard, first_records)?;
        telemetry::transaction_committed(began.elapsed());
        Ok((committed, held_over))
    }

    fn arrival(&self, queue: &mut mpsc::Receiver<Outgoing>, deadline: Option<Instant>) -> Arrival {
        let releasing = deadline.is_some();
        self.runtime.block_on(async {
            let passed = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.grip.released.cancelled(), if !releasing => Arrival::Release,
                () = self.grip.altered.notified(), if !releasing => Arrival::Altered,
                () = passed => Arrival::Deadline,
                next = queue.recv() => next.map_or(Arrival::Closed, |next| Arrival::Fragment(Box::new(next))),
            }
        })
    }
}
