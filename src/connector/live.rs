//! The streams of one shard: those it has now, and those that come and go while it is held.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::state::StreamStates;
use super::{StreamPlan, backfill, task};
use crate::shard::{OffsetKey, Outgoing, Positions, Sources};

/// The streams of a shard. Started at each taking of the shard and stopped at each loss; streams may be added and
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
}

/// What belongs to one taking of the shard.
struct Running {
    /// Whose it is: an owner that was abandoned must not stop what its successor has started.
    owner: u64,
    /// Where streams were when the shard was taken. One that is added later begins there, too; what it had published
    /// since is dropped by the shard's owner.
    positions: Positions,
    /// While no stream is pulled, the queue must not look closed: nobody released the shard.
    queue: mpsc::Sender<Outgoing>,
    tasks: HashMap<OffsetKey, CancellationToken>,
    all: CancellationToken,
}

impl LiveStreams {
    /// Nothing is pulled before the shard is taken.
    pub fn new(states: Arc<StreamStates>, runtime: Handle) -> Self {
        Self { inner: Mutex::default(), states, runtime }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it is held, and its parts are changed one by one.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lock().plans.is_empty()
    }

    /// The streams of a connector.
    pub fn of_connector(&self, connector: &str) -> Vec<Arc<StreamPlan>> {
        let inner = self.lock();
        inner.plans.values().filter(|plan| plan.key.connector == connector).cloned().collect()
    }

    /// Adds a stream, which is pulled at once if the shard is held.
    pub fn add(&self, plan: Arc<StreamPlan>) {
        let mut inner = self.lock();
        inner.plans.insert((*plan.key).clone(), Arc::clone(&plan));
        if let Some(running) = &mut inner.running {
            self.spawn(running, &plan);
        }
    }

    /// Ends a stream; what is still to be told of it is published, if the shard is held.
    pub fn remove(&self, key: &OffsetKey, last_words: Option<Outgoing>) {
        let mut inner = self.lock();
        inner.plans.remove(key);
        if let Some(running) = &mut inner.running {
            if let Some(task) = running.tasks.remove(key) {
                task.cancel();
            }
            if let Some(last_words) = last_words {
                let queue = running.queue.clone();
                self.runtime.spawn(async move {
                    // A shard that is lost meanwhile does not tell.
                    let _ = queue.send(last_words).await;
                });
            }
        }
        drop(inner);
        self.states.remove(key);
    }

    fn spawn(&self, running: &mut Running, plan: &Arc<StreamPlan>) {
        self.states.begin(&plan.key);
        if self.states.is_failed(&plan.key) {
            return;
        }
        let cancel = running.all.child_token();
        if let Some(before) = running.tasks.insert((*plan.key).clone(), cancel.clone()) {
            before.cancel();
        }
        let position = running.positions.get(&*plan.key).cloned();
        let (plan, states, queue) = (Arc::clone(plan), Arc::clone(&self.states), running.queue.clone());
        self.runtime.spawn(async move {
            let pulling = async {
                match plan.context.backfill {
                    None => task::run(plan, position, states, queue).await,
                    Some(range) => backfill::run(plan, range, position, states, queue).await,
                }
            };
            // Dropping the task closes its session; what it had of a fragment is pulled again.
            tokio::select! {
                () = cancel.cancelled() => {}
                () = pulling => {}
            }
        });
    }

    fn start(&self, owner: u64, positions: &Positions, queue: mpsc::Sender<Outgoing>) {
        let mut inner = self.lock();
        if let Some(before) = inner.running.take() {
            before.all.cancel();
        }
        let all = CancellationToken::new();
        let mut running = Running { owner, positions: positions.clone(), queue, tasks: HashMap::new(), all };
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

/// The sources of a shard's owner.
pub struct ShardStreams {
    live: Arc<LiveStreams>,
    owner: u64,
}

impl ShardStreams {
    /// For a new owner.
    pub fn new(live: Arc<LiveStreams>) -> Self {
        static OWNERS: AtomicU64 = AtomicU64::new(0);
        Self { live, owner: OWNERS.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Sources for ShardStreams {
    fn start(&mut self, positions: &Positions, queue: mpsc::Sender<Outgoing>) {
        self.live.start(self.owner, positions, queue);
    }

    fn stop(&mut self) {
        self.live.stop(self.owner);
    }

    fn fail(&mut self, stream: &OffsetKey, reason: String) {
        // The shard is lost by it, and the streams with it: this is said all the same.
        self.live.states.begin(stream);
        self.live.states.fail(stream, reason);
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
