//! The streams of one shard: those it has now, and those added and removed while it is held.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kvs_client::FragmentNumber;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::publish::{keep_learning, last_words};
use super::state::{Interruption, StreamState};
use super::states::{Restart, StreamStates};
use super::{EarlierPositionError, StreamPlan, backfill, task};
use crate::model::{Committed, OffsetKey, Publication};
use crate::output::Notification;
use crate::shard::{ConfigGate, ConfigOffset, SharedPositions, Sources, StartContext};
use crate::supervision::{Part, catch_async};
use crate::telemetry;

/// The delay before an earlier position is looked up again.
const EARLIER_RETRY: Duration = Duration::from_secs(2);
/// How long a stream writes ingest time after the broker has refused a record's timestamp: what was wrong with one timestamp is
/// usually wrong with the next, and each refusal loses the shard.
const INGEST_TIME_FOR: Duration = Duration::from_secs(3_600);
/// How long a stream remembers which sizes its topics have refused: they may be given a higher limit meanwhile.
const REFUSAL_REMEMBERED_FOR: Duration = Duration::from_secs(3_600);

/// The streams of a shard. They are started at each acquisition of the shard and stopped at each loss, and can be added and
/// removed at any time.
pub struct LiveStreams {
    inner: Mutex<Inner>,
    states: Arc<StreamStates>,
    runtime: Handle,
}

#[derive(Default)]
struct Inner {
    plans: BTreeMap<OffsetKey, Arc<StreamPlan>>,
    running: Option<Running>,
    /// Streams that failed because the shard could not be acquired.
    blocked: Vec<OffsetKey>,
}

/// What belongs to one acquisition of the shard.
struct Running {
    /// The owner that started it: an abandoned owner must not stop what its successor has started.
    owner: u64,
    /// The positions of the shard's streams, and which streams cannot be pulled.
    start: StartContext,
    /// Keeps the queue open while no stream is pulled: a closed queue means that the shard is released.
    queue: mpsc::Sender<Publication>,
    tasks: HashMap<OffsetKey, CancellationToken>,
    all: CancellationToken,
}

impl LiveStreams {
    /// Creates an empty set; nothing is pulled before the shard is acquired.
    pub fn new(states: Arc<StreamStates>, runtime: Handle) -> Self {
        Self { inner: Mutex::default(), states, runtime }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while the lock is held, and its parts are changed one by one.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether there are no streams.
    pub fn is_empty(&self) -> bool {
        self.lock().plans.is_empty()
    }

    /// Returns the streams of a connector.
    pub fn of_connector(&self, connector: &str) -> Vec<Arc<StreamPlan>> {
        let inner = self.lock();
        inner.plans.values().filter(|plan| plan.key.connector == connector).cloned().collect()
    }

    /// Restarts those streams of a connector that pass the filter, within the current acquisition of the shard.
    pub fn restart(&self, connector: &str, passes: &dyn Fn(&StreamPlan, bool) -> bool) {
        let mut inner = self.lock();
        let Inner { plans, running, .. } = &mut *inner;
        for plan in plans.values().filter(|plan| plan.key.connector == connector) {
            if !passes(plan, self.states.has_failed(&plan.key)) {
                continue;
            }
            self.states.restarted(&plan.key, Restart::ByHand);
            if let Some(running) = running {
                self.spawn(running, plan);
            }
        }
    }

    /// Forgets the states of all streams, because the shard now belongs to another worker.
    pub fn forget_states(&self) {
        for key in self.lock().plans.keys() {
            self.states.remove(key);
        }
    }

    /// Adds a stream, which is pulled at once if the shard is held.
    pub fn add(&self, plan: Arc<StreamPlan>) {
        let mut inner = self.lock();
        inner.plans.insert((*plan.key).clone(), Arc::clone(&plan));
        if let Some(running) = &mut inner.running {
            self.spawn(running, &plan);
        }
    }

    /// Removes a stream; its last notification is published if the shard is held.
    pub fn remove(&self, key: &OffsetKey, last_words: Option<Publication>) {
        let mut inner = self.lock();
        inner.plans.remove(key);
        if let Some(running) = &mut inner.running {
            if let Some(task) = running.tasks.remove(key) {
                task.cancel();
            }
            if let Some(last_words) = last_words {
                let queue = running.queue.clone();
                self.runtime.spawn(catch_async(Part::Stream, async move {
                    // A shard that is lost meanwhile does not tell.
                    let _ = queue.send(last_words).await;
                }));
            }
        }
        drop(inner);
        self.states.remove(key);
    }

    fn spawn(&self, running: &mut Running, plan: &Arc<StreamPlan>) {
        self.states.begin(&plan.key, running.start.lease_epoch);
        telemetry::stream_started(&plan.key);
        if let Some(reason) = running.start.refusal(&plan.key) {
            self.states.fail(&plan.key, reason, Restart::ByHand);
        }
        let cancel = running.all.child_token();
        if let Some(before) = running.tasks.insert((*plan.key).clone(), cancel.clone()) {
            before.cancel();
        }
        let positions = running.start.positions.clone();
        let (plan, states, queue) = (Arc::clone(plan), Arc::clone(&self.states), running.queue.clone());
        self.runtime.spawn(async move {
            // Dropping the task closes its session; a partly received fragment is pulled again.
            tokio::select! {
                () = cancel.cancelled() => {}
                () = pull_supervised(plan, positions, states, queue) => {}
            }
        });
    }

    fn start(&self, owner: u64, start: StartContext, queue: mpsc::Sender<Publication>) {
        let mut inner = self.lock();
        if let Some(before) = inner.running.take() {
            before.all.cancel();
        }
        for key in inner.blocked.drain(..) {
            self.states.restarted(&key, Restart::ByHand);
        }
        let all = CancellationToken::new();
        let mut running = Running { owner, start, queue, tasks: HashMap::new(), all };
        for plan in inner.plans.values() {
            self.spawn(&mut running, plan);
        }
        inner.running = Some(running);
    }

    fn stop(&self, owner: u64) {
        let mut inner = self.lock();
        if inner.running.as_ref().is_none_or(|running| running.owner != owner) {
            return;
        }
        if let Some(running) = inner.running.take() {
            running.all.cancel();
        }
        for key in inner.plans.keys() {
            self.states.forget(key);
        }
    }
}

/// Pulls a stream, and learns its ARN meanwhile; a panic of either is a failure like any other.
async fn pull_supervised(
    plan: Arc<StreamPlan>,
    positions: SharedPositions,
    states: Arc<StreamStates>,
    queue: mpsc::Sender<Publication>,
) {
    let again = || async {
        tokio::select! {
            () = pull(Arc::clone(&plan), positions.clone(), Arc::clone(&states), queue.clone()) => {}
            never = keep_learning(&plan) => match never {},
        }
    };
    while let Err(panicked) = catch_async(Part::Stream, again()).await {
        states.fail(&plan.key, panicked.to_string(), Restart::Automatic);
        // The stream belongs to another worker now.
        if !states.is_failed(&plan.key) {
            return;
        }
    }
}

/// Pulls a stream, and pulls it again after failures according to the connector's policy.
async fn pull(
    plan: Arc<StreamPlan>,
    positions: SharedPositions,
    states: Arc<StreamStates>,
    queue: mpsc::Sender<Publication>,
) {
    loop {
        // A stream that had failed before the shard was lost continues to wait.
        while states.is_failed(&plan.key) {
            if let Some(reason) = states.look(&plan.key, |status| status.failure.clone()).flatten()
                && states.interrupt(&plan.key, Interruption::Failed)
            {
                // A shard that is lost meanwhile reports nothing.
                let _ = queue.send(last_words(&plan, &Notification::StreamFailed { reason: &reason })).await;
            }
            let Some(delay) = states.restart_in(&plan.key, &plan.context.restart) else {
                return std::future::pending().await;
            };
            tokio::time::sleep(delay).await;
            tracing::info!(connector = %plan.key.connector, stream = %plan.stream, "restarting the failed stream");
            states.restarted(&plan.key, Restart::Automatic);
        }
        if !adopt(&plan, &positions, &states).await {
            continue;
        }
        let (again, position) = (Arc::clone(&plan), positions.get(&plan.key));
        match plan.context.backfill.clone() {
            None => task::run(again, position, Arc::clone(&states), queue.clone()).await,
            Some(bounds) => backfill::run(again, bounds, position, Arc::clone(&states), queue.clone()).await,
        }
        if !states.is_failed(&plan.key) {
            return;
        }
    }
}

/// Adopts the stream's position under another key, if any; `false` means that the stream has failed.
async fn adopt(plan: &StreamPlan, positions: &SharedPositions, states: &StreamStates) -> bool {
    loop {
        match plan.context.earlier.position_of(&plan.key, positions.get(&plan.key).is_some()).await {
            Ok(None) => return true,
            Ok(Some(offset)) => {
                positions.adopt(&plan.key, offset);
                return true;
            }
            Err(EarlierPositionError::Unreadable(record)) => {
                states.fail(&plan.key, record.to_string(), Restart::ByHand);
                return false;
            }
            Err(error @ (EarlierPositionError::Shard { .. } | EarlierPositionError::StillPublished { .. })) => {
                let reason = error.to_string();
                tracing::warn!(connector = %plan.key.connector, stream = %plan.stream, reason, "trying again");
                states.set(&plan.key, StreamState::Retrying { reason });
                tokio::time::sleep(EARLIER_RETRY).await;
            }
        }
    }
}

/// The sources of a shard's owner.
pub struct ShardStreams {
    live: Arc<LiveStreams>,
    gate: Arc<ConfigGate>,
    owner: u64,
}

impl ShardStreams {
    /// Creates the sources for a new owner.
    pub fn new(live: Arc<LiveStreams>, gate: Arc<ConfigGate>) -> Self {
        static OWNERS: AtomicU64 = AtomicU64::new(0);
        Self { live, gate, owner: OWNERS.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Sources for ShardStreams {
    fn wait_for_config(&mut self, place: &ConfigOffset, held: &dyn Fn() -> bool) {
        self.gate.wait(place, held);
    }

    fn start(&mut self, start: StartContext, queue: mpsc::Sender<Publication>) {
        self.live.start(self.owner, start, queue);
    }

    fn stop(&mut self) {
        self.live.stop(self.owner);
    }

    fn blocked(&mut self, reason: String, lease_end: i64) {
        self.live.block(&reason, lease_end);
    }

    fn record_too_large(&mut self, stream: &OffsetKey, topic: &Arc<str>, size_bytes: usize, reason: String) {
        // With a tolerance for errors, the fragment is skipped when it comes again.
        let until = Instant::now() + REFUSAL_REMEMBERED_FOR;
        self.live.states.refuse_size(stream, (Arc::clone(topic), size_bytes), until);
        // This failure costs the shard, and its streams with it; it is reported nevertheless.
        self.live.states.begin(stream, 0);
        // The topic may accept larger records later. Each failing attempt makes the shard's other streams wait for an
        // acquisition, so the delay grows.
        self.live.states.fail(stream, reason, Restart::Automatic);
    }

    fn committed(&mut self, fragments: &[Committed]) {
        let streams: BTreeSet<&OffsetKey> =
            fragments.iter().filter(|one| one.moves_offset).map(|one| &*one.key).collect();
        for stream in streams {
            self.live.states.committed(stream);
        }
        for one in fragments {
            let written = self.live.states.written_topics();
            one.needed_topics.iter().for_each(|topic| written.note(&one.key.connector, topic));
        }
    }

    fn already_published(&mut self, stream: &OffsetKey, last: &FragmentNumber) {
        self.live.states.already_published(stream, last);
    }

    fn timestamp_refused(&mut self, stream: &OffsetKey) {
        self.live.states.refuse_timestamps(stream, Instant::now() + INGEST_TIME_FOR);
    }

    fn fail_topics(&mut self, topics: &BTreeSet<Arc<str>>, reason: String) {
        // All at once, or the shard would be lost once for each of them. They are retried, because the topic may be granted
        // or created.
        for plan in self.live.lock().plans.values().filter(|plan| plan.context.outputs.needs_all(&plan.key, topics)) {
            self.live.states.begin(&plan.key, 0);
            self.live.states.fail(&plan.key, reason.clone(), Restart::Automatic);
        }
    }
}

impl LiveStreams {
    /// Fails all streams because the shard cannot be acquired, until it is.
    fn block(&self, reason: &str, lease_end: i64) {
        let mut inner = self.lock();
        let Inner { plans, blocked, .. } = &mut *inner;
        for key in plans.values().map(|plan| &plan.key).filter(|key| !self.states.is_failed(key)) {
            self.states.begin(key, lease_end);
            self.states.fail(key, reason.to_owned(), Restart::Automatic);
            blocked.push((**key).clone());
        }
    }
}

impl Drop for ShardStreams {
    fn drop(&mut self) {
        self.live.stop(self.owner);
    }
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
