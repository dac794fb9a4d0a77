//! The shards a worker holds: a thread for each that has streams, nothing for the others.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::connector::{LiveStreams, ShardStreams, StreamPlan, StreamStates};
use crate::kafka::{GroupListener, KafkaLog};
use crate::shard::owner::Ended;
use crate::shard::{
    ConfigGate, Contract, Grip, LogError, Losing, Notifications, OffsetKey, Outgoing, Owner, OwnerSettings, ShardCount,
    ShardId,
};

/// The shards of a worker.
pub(super) struct Shards {
    /// The streams of each shard that has or had any.
    streams: Mutex<HashMap<ShardId, Arc<LiveStreams>>>,
    count: ShardCount,
    contract: Contract,
    log: Arc<KafkaLog>,
    settings: OwnerSettings,
    states: Arc<StreamStates>,
    runtime: Handle,
    /// Hears why a topic is refused.
    refused: mpsc::Sender<String>,
    gate: Arc<ConfigGate>,
    listener: OnceLock<Box<dyn ShardListener>>,
    /// Counts assignments and revocations.
    epoch: AtomicU64,
    held: Mutex<HashMap<ShardId, Held>>,
}

/// Hears what happens to a worker's shards.
pub(super) trait ShardListener: Send + Sync {
    /// Shards have come, maybe none.
    fn assigned(&self);
    /// Shards are let go, in order; before others may have them.
    fn released(&self, shards: &[ShardId]);
}

/// A shard that is assigned. One without streams has no thread, no producer, no socket.
struct Held {
    grip: Grip,
    thread: Option<JoinHandle<()>>,
}

impl Shards {
    pub(super) fn new(
        count: ShardCount,
        contract: Contract,
        log: Arc<KafkaLog>,
        settings: OwnerSettings,
        states: Arc<StreamStates>,
        runtime: Handle,
        refused: mpsc::Sender<String>,
        gate: Arc<ConfigGate>,
    ) -> Self {
        let (streams, held) = (Mutex::default(), Mutex::default());
        let (listener, epoch) = (OnceLock::new(), AtomicU64::new(0));
        Self { streams, count, contract, log, settings, states, runtime, refused, gate, listener, epoch, held }
    }

    /// Who hears of what happens; only the first one is taken.
    pub(super) fn listen(&self, listener: Box<dyn ShardListener>) {
        let _ = self.listener.set(listener);
    }

    /// Another one when other shards are held than before.
    pub(super) fn held_version(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Shards that are held.
    pub(super) fn held(&self) -> BTreeSet<ShardId> {
        self.lock().keys().copied().collect()
    }

    /// The shard of a stream.
    pub(super) fn shard_of(&self, key: &OffsetKey) -> ShardId {
        self.count.shard_of(&key.to_bytes())
    }

    /// Takes shards again that are held, for what their partitions say was altered.
    pub(super) fn take_again(&self, shards: &[ShardId]) {
        let held = self.lock();
        shards.iter().filter_map(|shard| held.get(shard)).for_each(|held| held.grip.take_again());
    }

    /// Ends all streams of a connector.
    pub(super) fn remove_connector(&self, connector: &str) {
        for live in self.all_live() {
            for plan in live.of_connector(connector) {
                live.remove(&plan.key, None);
            }
        }
    }

    /// Starts streams of a connector again that pass.
    pub(super) fn restart(&self, connector: &str, passes: &dyn Fn(&StreamPlan, bool) -> bool) {
        for live in self.all_live() {
            live.restart(connector, passes);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ShardId, Held>> {
        // Nothing panics while it is held, and a map is never half changed.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The streams of a shard. Never called with a shard's own lock held.
    fn live(&self, shard: ShardId) -> Arc<LiveStreams> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(LiveStreams::new(Arc::clone(&self.states), self.runtime.clone()));
        Arc::clone(streams.entry(shard).or_insert_with(new))
    }

    fn all_live(&self) -> Vec<Arc<LiveStreams>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn hold(&self, shard: ShardId) -> Held {
        let grip = Grip::default();
        let live = self.live(shard);
        let thread = if live.is_empty() { None } else { self.start(shard, live, grip.clone()) };
        Held { grip, thread }
    }

    fn start(&self, shard: ShardId, live: Arc<LiveStreams>, grip: Grip) -> Option<JoinHandle<()>> {
        let owner = Owner {
            shard,
            contract: self.contract.clone(),
            log: Arc::clone(&self.log),
            sources: ShardStreams::new(live, Arc::clone(&self.gate)),
            grip,
            runtime: self.runtime.clone(),
            settings: self.settings.clone(),
            losing: Losing::default(),
            notifications: Notifications::default(),
        };
        let refused = self.refused.clone();
        let started = std::thread::Builder::new().name(format!("shard-{shard}")).spawn(move || {
            if let Ended::Refused(error) = owner.run() {
                // One is enough to end the worker.
                let _ = refused.try_send(error.to_string());
            }
        });
        match started {
            Ok(thread) => Some(thread),
            Err(error) => {
                let _ = self.refused.try_send(format!("no thread can be started for shard {shard}: {error}"));
                None
            }
        }
    }
}

/// What discovery asks for, by way of the connector's run.
impl Shards {
    pub(super) fn holds(&self, key: &OffsetKey) -> bool {
        self.lock().contains_key(&self.shard_of(key))
    }

    pub(super) fn streams(&self, connector: &str) -> Vec<Arc<StreamPlan>> {
        self.all_live().iter().flat_map(|live| live.of_connector(connector)).collect()
    }

    pub(super) fn is_gone(&self, key: &OffsetKey) -> bool {
        self.states.is_gone(key)
    }

    pub(super) fn added(&self, plan: Arc<StreamPlan>) {
        let shard = self.shard_of(&plan.key);
        let live = self.live(shard);
        let mut held = self.lock();
        live.add(plan);
        // The first stream of a shard that is held already.
        if let Some(held) = held.get_mut(&shard)
            && held.thread.is_none()
        {
            held.thread = self.start(shard, live, held.grip.clone());
        }
    }

    pub(super) fn removed(&self, key: &OffsetKey, last_words: Option<Outgoing>) {
        self.live(self.shard_of(key)).remove(key, last_words);
    }
}

impl GroupListener for Shards {
    fn assigned(&self, shards: &[ShardId]) {
        tracing::info!(shards = ?shards.iter().map(|shard| shard.0).collect::<Vec<_>>(), "assigned");
        let mut held = self.lock();
        for &shard in shards {
            let new = self.hold(shard);
            if let Some(old) = held.insert(shard, new) {
                old.grip.release();
            }
        }
        self.epoch.fetch_add(1, Ordering::AcqRel);
        drop(held);
        if let Some(listener) = self.listener.get() {
            listener.assigned();
        }
    }

    fn revoked(&self, shards: &[ShardId], lost: bool) {
        tracing::info!(shards = ?shards.iter().map(|shard| shard.0).collect::<Vec<_>>(), lost, "revoked");
        let leaving: Vec<(ShardId, Held)> = {
            let mut held = self.lock();
            self.epoch.fetch_add(1, Ordering::AcqRel);
            shards.iter().filter_map(|shard| held.remove_entry(shard)).collect()
        };
        for (_, held) in &leaving {
            held.grip.release();
        }
        // Shards finish side by side; one that does not within the bound is abandoned: whoever takes it fences it.
        let deadline = Instant::now() + self.settings.release_timeout + Duration::from_millis(500);
        for (shard, held) in leaving {
            let Some(thread) = held.thread else { continue };
            while !thread.is_finished() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(2));
            }
            if !thread.is_finished() {
                tracing::warn!(
                    shard = shard.0,
                    "the shard did not finish in time and is abandoned: its next owner fences it"
                );
            } else if thread.join().is_err() {
                tracing::error!(shard = shard.0, "the shard's thread panicked");
            }
        }
        for &shard in shards {
            self.live(shard).forget_states();
        }
        // What may be another's already is not spoken of.
        if let Some(listener) = self.listener.get()
            && !lost
        {
            listener.released(shards);
        }
    }

    fn trouble(&self, error: &LogError) {
        tracing::warn!(%error, "the group cannot be reached at the moment");
    }
}
