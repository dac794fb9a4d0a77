//! The shards that a worker holds. Each shard with streams has a thread; the others need nothing.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::error::WorkerError;
use super::shard_topics::{ShardTopics, TopicOwners};
use super::unusable_topic::UnusableTopic;
use crate::cluster::AlteredShards;
use crate::connector::{LiveStreams, ShardStreams, StreamPlan, StreamStates};
use crate::kafka::{GroupListener, MembershipEnd};
use crate::logging::repeated::Repeated;
use crate::model::{LogError, OffsetKey, Publication, TopicShard};
use crate::shard::owner::Ended;
use crate::shard::{ConfigGate, Owner, OwnerReport, ShardLease};
use crate::supervision::{Part, catch};
use crate::telemetry;

/// The pause before a shard's thread that has panicked is restarted; it doubles each time.
const AGAIN_AFTER_PANIC: Duration = Duration::from_millis(500);
/// The number of consecutive panics of a shard's thread, each soon after its start, after which the worker exits.
const PANICS_MAX: u32 = 5;
/// How long a thread must run before a panic for earlier ones to be forgotten.
const BEGUN_WELL_AFTER: Duration = Duration::from_secs(60);

/// How long the group may be unreachable before the worker is unhealthy.
const APART_AFTER: Duration = Duration::from_secs(30);

/// The shards of a worker.
pub(super) struct Shards {
    /// The streams of each shard that has or had any.
    streams: Mutex<HashMap<TopicShard, Arc<LiveStreams>>>,
    topics: ShardTopics,
    states: Arc<StreamStates>,
    /// Receives why the worker has to exit.
    endings: mpsc::Sender<WorkerError>,
    /// Receives why a connector's own topic can no longer be used.
    refusals: mpsc::Sender<TopicRefusal>,
    gate: Arc<ConfigGate>,
    listener: OnceLock<Box<dyn ShardListener>>,
    /// Counts assignments and revocations.
    epoch: AtomicU64,
    held: Mutex<HashMap<TopicShard, Held>>,
    /// The shards that the group has assigned to this worker; those of topics that are open are held. Locked within `held`.
    assigned: Mutex<BTreeSet<TopicShard>>,
    /// Why the group cannot be joined or reached, while it cannot, and since when.
    apart: Mutex<Option<(Instant, String)>>,
    apart_said: Repeated,
}

/// A connector's own offsets topic that can no longer be used.
#[derive(Debug)]
pub(super) struct TopicRefusal {
    /// The topic.
    pub(super) topic: String,
    /// Why.
    pub(super) reason: UnusableTopic,
}

/// Listens for changes of a worker's shards.
pub(super) trait ShardListener: Send + Sync {
    /// Called when shards have been assigned, maybe none.
    fn assigned(&self);
    /// Called when shards have been released in order, before others may acquire them.
    fn released(&self, shards: &[TopicShard]);
}

/// A shard that is assigned. Without streams it has no thread, no producer and no socket.
struct Held {
    lease: ShardLease,
    report: OwnerReport,
    thread: Option<JoinHandle<()>>,
}

impl Shards {
    /// Creates the collection, with no shard held.
    pub(super) fn new(
        topics: ShardTopics,
        states: Arc<StreamStates>,
        endings: mpsc::Sender<WorkerError>,
        refusals: mpsc::Sender<TopicRefusal>,
        gate: Arc<ConfigGate>,
    ) -> Self {
        Self {
            streams: Mutex::default(),
            topics,
            states,
            endings,
            refusals,
            gate,
            listener: OnceLock::new(),
            epoch: AtomicU64::new(0),
            held: Mutex::default(),
            assigned: Mutex::default(),
            apart: Mutex::default(),
            apart_said: Repeated::default(),
        }
    }

    /// Sets the listener. Only the first one counts.
    pub(super) fn listen(&self, listener: Box<dyn ShardListener>) {
        let _ = self.listener.set(listener);
    }

    /// Returns a number that changes whenever other shards are held than before.
    pub(super) fn held_version(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Returns the topics that the shards belong to.
    pub(super) fn topics(&self) -> &ShardTopics {
        &self.topics
    }

    /// Returns the shards that are held.
    pub(super) fn held(&self) -> BTreeSet<TopicShard> {
        self.lock().keys().cloned().collect()
    }

    /// Returns the shards of a topic that are held.
    pub(super) fn held_of(&self, topic: &str) -> Vec<i32> {
        self.lock().keys().filter(|shard| &*shard.topic == topic).map(|shard| shard.shard.0).collect()
    }

    /// Returns the number of shards of a topic; zero if it is not open.
    pub(super) fn count_of(&self, topic: &str) -> i32 {
        self.topics.owners_of(&topic.into()).map_or(0, |owners| owners.count.get())
    }

    /// Opens a topic of connectors' own: its shards are held as far as they are assigned to this worker, now or later. The group
    /// does not assign them again when it has not noticed that the topic was closed in between.
    pub(super) fn open(&self, topic: Arc<str>, owners: TopicOwners) {
        let mut held = self.lock();
        self.topics.open(Arc::clone(&topic), owners);
        let assigned: Vec<TopicShard> =
            self.lock_assigned().iter().filter(|shard| shard.topic == topic).cloned().collect();
        self.hold_all(&mut held, &assigned);
    }

    /// Closes a topic: releases its shards, whether the group revokes them or not. Blocks until they are released, within the bound.
    pub(super) fn close(&self, topic: &str) {
        self.topics.remove(topic);
        let held: Vec<TopicShard> = self.lock().keys().filter(|shard| &*shard.topic == topic).cloned().collect();
        if !held.is_empty() {
            self.release(&held, true);
        }
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|shard, live| &*shard.topic != topic || !live.is_empty());
    }

    /// Acquires shards again, if they are held, because offsets in their partitions were altered.
    pub(super) fn reacquire(&self, altered: &AlteredShards) {
        let held = self.lock();
        let shards = altered.in_group(self.topics.workers_topic());
        shards.iter().filter_map(|shard| held.get(shard)).for_each(|held| held.lease.reacquire());
    }

    /// Acquires a shard again, if it is held, because records were deleted from its partition.
    pub(super) fn records_deleted(&self, shard: &TopicShard) {
        if let Some(held) = self.lock().get(shard) {
            held.lease.reacquire();
        }
    }

    /// Stops all streams of a connector.
    pub(super) fn remove_connector(&self, connector: &str) {
        for live in self.all_live() {
            for plan in live.of_connector(connector) {
                live.remove(&plan.key, None);
            }
        }
    }

    /// Restarts the streams of a connector for which `passes` returns true.
    pub(super) fn restart(&self, connector: &str, passes: &dyn Fn(&StreamPlan, bool) -> bool) {
        for live in self.all_live() {
            live.restart(connector, passes);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TopicShard, Held>> {
        // Nothing panics while the lock is held, and the map is never half changed.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the streams of a shard. Must not be called with a shard's own lock held.
    fn live(&self, shard: &TopicShard) -> Arc<LiveStreams> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(LiveStreams::new(Arc::clone(&self.states), self.topics.workers().runtime.clone()));
        Arc::clone(streams.entry(shard.clone()).or_insert_with(new))
    }

    fn all_live(&self) -> Vec<Arc<LiveStreams>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn lock_assigned(&self) -> MutexGuard<'_, BTreeSet<TopicShard>> {
        // Nothing panics while it is held, and shards are put in and taken out one by one.
        self.assigned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds shards that are assigned to this worker and whose topics are open.
    fn hold_all(&self, held: &mut HashMap<TopicShard, Held>, shards: &[TopicShard]) {
        for shard in shards {
            // Partitions that were added to a topic are no shards.
            let Some(owners) = self.topics.owners_of(&shard.topic).filter(|owners| owners.has(shard.shard)) else {
                continue;
            };
            let new = self.hold(shard, owners);
            if let Some(old) = held.insert(shard.clone(), new) {
                old.lease.release();
            }
        }
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    fn hold(&self, shard: &TopicShard, owners: TopicOwners) -> Held {
        let (lease, report) = (ShardLease::default(), OwnerReport::default());
        let live = self.live(shard);
        let thread = if live.is_empty() { None } else { self.start(shard, owners, live, &lease, &report) };
        Held { lease, report, thread }
    }

    fn start(
        &self,
        shard: &TopicShard,
        TopicOwners { owners, .. }: TopicOwners,
        live: Arc<LiveStreams>,
        lease: &ShardLease,
        report: &OwnerReport,
    ) -> Option<JoinHandle<()>> {
        let gate = Arc::clone(&self.gate);
        let (lease, report) = (lease.clone(), report.clone());
        let (endings, refusals, is_workers) =
            (self.endings.clone(), self.refusals.clone(), shard.topic == *self.topics.workers_topic());
        let (TopicShard { topic, shard }, name) = (shard.clone(), self.topics.named(shard));
        // A new one after each panic, so that nothing of the old one's state is used again.
        let owner = {
            let (lease, report) = (lease.clone(), report.clone());
            move || {
                let sources = ShardStreams::new(Arc::clone(&live), Arc::clone(&gate));
                Owner::new(shard, owners.clone(), sources, lease.clone(), report.clone())
            }
        };
        let run = move || {
            let mut panics = 0;
            while lease.is_held() {
                let began = Instant::now();
                let panicked = match catch(Part::Shard, || owner().run()) {
                    Ok(Ended::Released) => return,
                    Ok(Ended::Refused(error)) => {
                        // A full queue is no problem: one entry is enough to end the worker or close the topic.
                        if is_workers {
                            let _ = endings.try_send(WorkerError::Config(format!("topic {topic}: {error}")));
                        } else {
                            let topic = (*topic).to_owned();
                            let reason = UnusableTopic::Refused { topic: topic.clone(), source: error };
                            let _ = refusals.try_send(TopicRefusal { topic, reason });
                        }
                        return;
                    }
                    Err(panicked) => panicked,
                };
                panics = if began.elapsed() >= BEGUN_WELL_AFTER { 1 } else { panics + 1 };
                telemetry::shard_lost("panic");
                report.died(panicked.to_string());
                if panics >= PANICS_MAX {
                    let _ = endings.try_send(WorkerError::Panicked(panicked));
                    return;
                }
                tracing::error!(shard = name, %panicked, "the shard's thread panicked; the shard is lost, and acquired again");
                wait_while_held(&lease, AGAIN_AFTER_PANIC.saturating_mul(1 << panics));
                telemetry::shard_reacquired("panic");
            }
        };
        match std::thread::Builder::new().name(format!("shard-{shard}")).spawn(run) {
            Ok(thread) => Some(thread),
            Err(error) => {
                let reason = format!(
                    "no thread can be started for shard {shard}: {error}; raise the limit on threads (ulimit -u, pids.max)"
                );
                let _ = self.endings.try_send(WorkerError::Unavailable(reason));
                None
            }
        }
    }

    /// Releases shards. `lost`: they may be another's already.
    fn release(&self, shards: &[TopicShard], lost: bool) {
        let leaving: Vec<(TopicShard, Held)> = {
            let mut held = self.lock();
            self.epoch.fetch_add(1, Ordering::AcqRel);
            shards.iter().filter_map(|shard| held.remove_entry(shard)).collect()
        };
        for (_, held) in &leaving {
            held.lease.release();
        }
        // Shards finish side by side; one that does not within the bound is abandoned: whoever takes it fences it.
        let deadline = Instant::now() + self.topics.workers().settings.release_timeout + Duration::from_millis(500);
        for (shard, held) in leaving {
            let Some(thread) = held.thread else { continue };
            while !thread.is_finished() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(2));
            }
            if !thread.is_finished() {
                tracing::warn!(
                    shard = self.topics.named(&shard),
                    "the shard did not finish in time and is abandoned: its next owner fences it"
                );
            } else if thread.join().is_err() {
                tracing::error!(
                    shard = self.topics.named(&shard),
                    "the shard's thread panicked while it was supervised"
                );
            }
        }
        for shard in shards {
            self.live(shard).forget_states();
        }
        // What may be another's already is not spoken of.
        if let Some(listener) = self.listener.get()
            && !lost
        {
            listener.released(shards);
        }
    }

    /// Returns why a stream's shard does not get on, if it does not.
    pub(super) fn trouble_of(&self, key: &OffsetKey) -> Option<String> {
        self.lock().get(&self.topics.shard_of(key)?).filter(|held| held.thread.is_some())?.report.trouble()
    }

    /// Returns why this worker does not do its part for its group, if that has lasted longer than a takeover takes.
    pub(super) fn standing_still(&self) -> Option<String> {
        let held = self.lock();
        let shards = held.iter().filter(|(_, held)| held.thread.is_some());
        let worst = shards.filter_map(|(shard, held)| held.report.standing_still().map(|found| (found, shard)));
        let ended = held.iter().find(|(_, held)| held.thread.as_ref().is_some_and(JoinHandle::is_finished));
        if let Some((shard, _)) = ended {
            return Some(format!("Shard {} is held here and its thread has ended.", self.topics.named(shard)));
        }
        if let Some(((duration, reason), shard)) = worst.max_by_key(|((duration, _), _)| *duration) {
            return Some(format!(
                "Shard {} has made no progress for {} s: {reason}",
                self.topics.named(shard),
                duration.as_secs()
            ));
        }
        drop(held);
        let apart = self.apart.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, reason) = apart.as_ref()?;
        let lasts = since.elapsed();
        (lasts >= APART_AFTER).then(|| format!("The group has not been joined for {} s: {reason}", lasts.as_secs()))
    }

    /// Returns why the group cannot be joined or reached; `None` while it can.
    pub(super) fn apart(&self) -> Option<String> {
        self.apart.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(_, reason)| reason.clone())
    }
}

/// Waits for `pause`, or until the shard is released.
fn wait_while_held(lease: &ShardLease, pause: Duration) {
    let until = Instant::now() + pause;
    while lease.is_held() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The methods that discovery calls, through the connector's runner.
impl Shards {
    pub(super) fn holds(&self, key: &OffsetKey) -> bool {
        self.topics.shard_of(key).is_some_and(|shard| self.lock().contains_key(&shard))
    }

    pub(super) fn streams(&self, connector: &str) -> Vec<Arc<StreamPlan>> {
        self.all_live().iter().flat_map(|live| live.of_connector(connector)).collect()
    }

    pub(super) fn is_gone(&self, key: &OffsetKey) -> bool {
        self.states.is_gone(key)
    }

    pub(super) fn added(&self, plan: Arc<StreamPlan>) {
        let shard = self.topics.shard_of(&plan.key);
        // The topic has been closed since: the connector is about to be started again.
        let Some((shard, owners)) = shard.and_then(|shard| Some((shard.clone(), self.topics.owners_of(&shard.topic)?)))
        else {
            return;
        };
        let live = self.live(&shard);
        let mut held = self.lock();
        live.add(plan);
        // The first stream of a shard that is already held.
        if let Some(held) = held.get_mut(&shard)
            && held.thread.is_none()
        {
            // The shard needed no owner until now.
            held.report = OwnerReport::default();
            held.thread = self.start(&shard, owners, live, &held.lease, &held.report);
        }
    }

    pub(super) fn removed(&self, key: &OffsetKey, last_words: Option<Publication>) {
        if let Some(shard) = self.topics.shard_of(key) {
            self.live(&shard).remove(key, last_words);
        }
    }
}

impl GroupListener for Shards {
    fn assigned(&self, shards: &[TopicShard]) {
        tracing::info!(shards = self.topics.listed(shards), "assigned");
        let mut held = self.lock();
        self.lock_assigned().extend(shards.iter().cloned());
        self.hold_all(&mut held, shards);
        drop(held);
        if let Some(listener) = self.listener.get() {
            listener.assigned();
        }
    }

    fn revoked(&self, shards: &[TopicShard], lost: bool) {
        tracing::info!(shards = self.topics.listed(shards), lost, "revoked");
        {
            let _held = self.lock();
            self.lock_assigned().retain(|assigned| !shards.contains(assigned));
        }
        self.release(shards, lost);
    }

    fn trouble(&self, error: Option<&LogError>) {
        let mut apart = self.apart.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(error) = error else {
            apart.take();
            if let Some(lasted) = self.apart_said.over() {
                tracing::info!(lasted_s = lasted.as_secs(), "the group is reached again");
            }
            return;
        };
        let since = apart.as_ref().map_or_else(Instant::now, |(since, _)| *since);
        *apart = Some((since, error.to_string()));
        if let Some(times) = self.apart_said.again(&error.to_string()) {
            tracing::warn!(%error, times, "the group cannot be reached at the moment; check the brokers of bootstrap.servers");
        }
    }

    fn ended(&self, end: MembershipEnd) {
        let has_panicked = matches!(end, MembershipEnd::Panicked(_));
        let error = match end {
            MembershipEnd::Namesake { .. } => WorkerError::Config(end.to_string()),
            MembershipEnd::Panicked(panicked) => WorkerError::Panicked(panicked),
            MembershipEnd::Refused(error) => WorkerError::Unavailable(error.to_string()),
        };
        // First, because what follows may take long, or panic.
        let _ = self.endings.try_send(error);
        if has_panicked {
            // The thread that would have revoked these shards is gone; an assignment may have been under way, too.
            let held: Vec<TopicShard> = self.lock().keys().cloned().collect();
            if let Err(panicked) = catch(Part::Membership, || self.revoked(&held, true)) {
                tracing::error!(%panicked, "releasing the shards panicked; their next owners fence them");
            }
        }
    }
}

#[cfg(test)]
#[path = "shards_tests.rs"]
mod tests;
