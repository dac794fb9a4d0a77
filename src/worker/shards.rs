//! The shards a worker holds: a thread for each that has streams, nothing for the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::connector::{ShardStreams, StreamPlan, StreamStates};
use crate::kafka::{GroupListener, KafkaLog};
use crate::shard::owner::Ended;
use crate::shard::{Contract, Grip, LogError, Owner, OwnerSettings, ShardCount, ShardId};

/// The shards of a worker.
pub(super) struct Shards {
    /// The streams of each shard that has any.
    plans: HashMap<ShardId, Vec<Arc<StreamPlan>>>,
    contract: Contract,
    log: Arc<KafkaLog>,
    settings: OwnerSettings,
    states: Arc<StreamStates>,
    runtime: Handle,
    /// Hears why a topic is refused.
    refused: mpsc::Sender<String>,
    joined: Box<dyn Fn() + Send + Sync>,
    held: Mutex<HashMap<ShardId, Held>>,
}

/// A shard that is assigned. One without streams has no thread, no producer, no socket.
struct Held {
    grip: Grip,
    thread: Option<JoinHandle<()>>,
}

impl Shards {
    pub(super) fn new(
        plans: Vec<Arc<StreamPlan>>,
        contract: Contract,
        log: Arc<KafkaLog>,
        settings: OwnerSettings,
        states: Arc<StreamStates>,
        runtime: Handle,
        refused: mpsc::Sender<String>,
        joined: Box<dyn Fn() + Send + Sync>,
    ) -> Self {
        let mut by_shard: HashMap<ShardId, Vec<Arc<StreamPlan>>> = HashMap::new();
        if let Some(shards) = ShardCount::new(contract.partitions) {
            for plan in plans {
                by_shard.entry(shards.shard_of(&plan.key.to_bytes())).or_default().push(plan);
            }
        }
        Self { plans: by_shard, contract, log, settings, states, runtime, refused, joined, held: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ShardId, Held>> {
        // Nothing panics while it is held, and a map is never half changed.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, shard: ShardId) -> Held {
        let grip = Grip::default();
        let thread = self.plans.get(&shard).and_then(|plans| self.start(shard, plans.clone(), grip.clone()));
        Held { grip, thread }
    }

    fn start(&self, shard: ShardId, plans: Vec<Arc<StreamPlan>>, grip: Grip) -> Option<JoinHandle<()>> {
        let owner = Owner {
            shard,
            contract: self.contract.clone(),
            log: Arc::clone(&self.log),
            sources: ShardStreams::new(plans, Arc::clone(&self.states), self.runtime.clone()),
            grip,
            runtime: self.runtime.clone(),
            settings: self.settings.clone(),
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
        drop(held);
        (self.joined)();
    }

    fn revoked(&self, shards: &[ShardId], lost: bool) {
        tracing::info!(shards = ?shards.iter().map(|shard| shard.0).collect::<Vec<_>>(), lost, "revoked");
        let leaving: Vec<(ShardId, Held)> = {
            let mut held = self.lock();
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
    }

    fn trouble(&self, error: &LogError) {
        tracing::warn!(%error, "the group cannot be reached at the moment");
    }
}
