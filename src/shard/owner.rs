//! The life of a shard in a worker: take, write, lose, take again; until it is released.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio_retry2::strategy::{ExponentialBackoff, jitter_with_bounds};
use tokio_util::sync::CancellationToken;

use super::contract::Contract;
use super::gate::ConfigPlace;
use super::id::ShardId;
use super::log::{LogErrorKind, ShardLog};
use super::offset::{OffsetKey, StoredOffset};
use super::outgoing::Outgoing;
use super::recover::{Positions, RecoverError};
use super::take::{Taken, take};
use super::transaction::{Committed, Failed, Transaction, TransactionLimits};
use crate::telemetry;

/// Whether a shard is still ours. Released once and for all; a shard that comes back is held by a new grip.
#[derive(Debug, Clone, Default)]
pub struct Grip {
    released: CancellationToken,
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

    /// Hears that the broker has refused a record of a stream for its time. The shard is lost; it is pulled again.
    fn timestamp_refused(&mut self, _stream: &OffsetKey) {}

    /// Gives up all streams that write to a topic.
    fn fail_topic(&mut self, topic: &str, reason: String);
}

/// Where the streams of a shard are: from the recovery read, and then as fragments are written.
#[derive(Debug, Clone, Default)]
pub struct SharedPositions(Arc<Mutex<Positions>>);

impl SharedPositions {
    /// As they were read.
    pub fn new(positions: Positions) -> Self {
        Self(Arc::new(Mutex::new(positions)))
    }

    fn lock(&self) -> MutexGuard<'_, Positions> {
        // Nothing panics while it is held, and a map is never half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a stream is.
    pub fn get(&self, key: &OffsetKey) -> Option<StoredOffset> {
        self.lock().get(key).cloned()
    }
}

/// What a taking of a shard hands to its sources.
#[derive(Debug, Clone, Default)]
pub struct Beginning {
    /// Where its streams are.
    pub positions: SharedPositions,
    /// Streams that cannot be pulled, with the reason.
    pub unreadable: HashMap<OffsetKey, String>,
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
    /// Since a transaction for several topics was refused; false at first.
    pub one_topic_at_a_time: bool,
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
    Failed(Failed),
}

enum Arrival {
    Fragment(Outgoing),
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
                    telemetry::shard_taken(took);
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
                        Lost::Failed(failed) => {
                            reason = failed.error.kind.reason();
                            self.lose(failed);
                        }
                    }
                }
                Err(RecoverError::Released) => return Ended::Released,
                Err(error @ RecoverError::Contract(_)) => return Ended::Refused(error),
                Err(error) => {
                    reason = error.reason();
                    telemetry::shard_lost(reason);
                    tracing::warn!(shard = self.shard.0, %error, "could not take the shard and will try again");
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
        let mut contract = (!recovered.has_contract).then(|| self.contract.clone());
        if let Some(place) = &recovered.config_place {
            let grip = self.grip.clone();
            self.sources.wait_for_config(place, &move || grip.held());
        }
        let positions = SharedPositions::new(recovered.positions);
        let (unreadable, generation) = (recovered.unreadable, recovered.generation);
        self.sources.start(Beginning { positions: positions.clone(), unreadable, generation }, sender);
        let mut deadline = None;
        let mut held_over = None;
        loop {
            let arrival = match held_over.take() {
                Some(held_over) => Arrival::Fragment(held_over),
                None => self.arrival(&mut queue, deadline),
            };
            let first = match arrival {
                Arrival::Fragment(first) => first,
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
            let Some(first) = fresh(first, &positions) else { continue };
            let written = self.write(&mut producer, first, &mut queue, &positions, contract.as_ref());
            match written {
                Ok((committed, next)) => {
                    held_over = next;
                    contract = None;
                    *delays = None;
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

    /// One transaction: the fragment at hand and what else is there.
    fn write(
        &self,
        producer: &mut L::Producer,
        first: Outgoing,
        queue: &mut mpsc::Receiver<Outgoing>,
        positions: &SharedPositions,
        contract: Option<&Contract>,
    ) -> Result<(Vec<Committed>, Option<Outgoing>), Failed> {
        let began = Instant::now();
        note(positions, &first);
        let topic_of = |outgoing: &Outgoing| outgoing.records.first().map(|record| Arc::clone(&record.topic));
        let (only, mut held_over) = (topic_of(&first).filter(|_| self.one_topic_at_a_time), None);
        let mut transaction = Transaction::begin(producer, self.settings.transaction, first)?;
        while transaction.has_room() {
            let Ok(next) = queue.try_recv() else { break };
            if only.is_some() && topic_of(&next) != only {
                held_over = Some(next);
                break;
            }
            if let Some(next) = fresh(next, positions) {
                note(positions, &next);
                transaction.add(next)?;
            }
        }
        let topic = Arc::from(self.log.offsets_topic());
        let committed = transaction.commit(&topic, self.shard, contract)?;
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
                next = queue.recv() => next.map_or(Arrival::Closed, Arrival::Fragment),
            }
        })
    }

    fn lose(&mut self, failed: Failed) {
        let Failed { error, stream, topics } = failed;
        telemetry::shard_lost(error.kind.reason());
        match (&error.kind, stream) {
            (LogErrorKind::RecordTooLarge { size_bytes, limit_bytes, .. }, Some(stream)) => {
                let limit =
                    limit_bytes.map_or("the topic's max.message.bytes".to_owned(), |limit| format!("{limit} bytes"));
                let reason = format!(
                    "a record of {size_bytes} bytes is larger than its topic takes ({limit}); raise max.message.bytes of \
                     the topic, or lower kvs.fragment.max.size.bytes"
                );
                self.sources.fail(&stream, reason);
            }
            (LogErrorKind::TimestampRefused { .. }, Some(stream)) => {
                tracing::warn!(shard = self.shard.0, connector = %stream.connector, stream = %stream.stream, %error,
                    "the broker takes no record with the time that record.timestamp asks for: the stream's records get their \
                     ingest time for an hour; see message.timestamp.before.max.ms and message.timestamp.after.max.ms of the \
                     topic, and the clocks");
                self.sources.timestamp_refused(&stream);
            }
            (LogErrorKind::TopicRefused { topic, .. }, Some(_)) => {
                self.sources.fail_topic(topic, error.to_string());
            }
            (LogErrorKind::NotAuthorized, _) if topics.len() == 1 => {
                for topic in &topics {
                    self.sources.fail_topic(topic, error.to_string());
                }
            }
            (LogErrorKind::NotAuthorized, _) if !topics.is_empty() => {
                // Kafka does not say which. One at a time it shows, and nobody fails for another's topic.
                self.one_topic_at_a_time = true;
                tracing::warn!(shard = self.shard.0, %error, "lost the shard; from now on a transaction has one topic's fragments");
            }
            (LogErrorKind::Fenced, _) => {
                // A take-over, or the broker's transaction timeout: they look alike (rules 5 and 7).
                tracing::warn!(shard = self.shard.0, %error, "fenced; the shard is taken again if it is still ours");
            }
            _ => tracing::warn!(shard = self.shard.0, %error, "lost the shard; it is taken again if it is still ours"),
        }
    }

    /// Waits with full jitter, unless the shard is released meanwhile.
    fn wait_before_retaking(&self, delays: &mut Option<ExponentialBackoff>, reason: &'static str) {
        let delays = delays.get_or_insert_with(|| {
            let base_ms = u64::try_from(self.settings.retake_base.as_millis()).unwrap_or(u64::MAX);
            ExponentialBackoff::from_millis(2).factor(base_ms.div_ceil(2)).max_delay(self.settings.retake_cap)
        });
        let longest = delays.next().unwrap_or(self.settings.retake_cap);
        let delay = jitter_with_bounds(0.25, 1.0)(longest);
        self.runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.grip.released.cancelled() => {}
            }
        });
        if self.grip.held() {
            telemetry::shard_retaken(reason);
        }
    }
}

/// The fragment, if it is above the last one of its stream; what is not was published before.
fn fresh(outgoing: Outgoing, positions: &SharedPositions) -> Option<Outgoing> {
    let last = match (positions.get(&outgoing.key), &outgoing.offset) {
        (Some(last), Some(offset)) if offset.fragment_number <= last.fragment_number => last.fragment_number,
        _ => return Some(outgoing),
    };
    telemetry::duplicate_dropped(&outgoing.key);
    tracing::debug!(stream = %outgoing.key.stream, %last, "a fragment that was published before is dropped");
    None
}

/// What is being written counts as the stream's last from now on; if it fails, all is read anew.
fn note(positions: &SharedPositions, outgoing: &Outgoing) {
    if let Some(offset) = &outgoing.offset {
        positions.lock().insert((*outgoing.key).clone(), offset.clone());
    }
}
