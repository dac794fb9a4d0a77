//! The streams of one shard.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::state::StreamStates;
use super::{StreamPlan, task};
use crate::shard::{OffsetKey, Outgoing, Positions, Sources};

/// Pulls the streams of one shard.
pub struct ShardStreams {
    plans: Vec<Arc<StreamPlan>>,
    states: Arc<StreamStates>,
    runtime: Handle,
    running: Option<CancellationToken>,
}

impl ShardStreams {
    /// Nothing is pulled before the shard is taken.
    pub fn new(plans: Vec<Arc<StreamPlan>>, states: Arc<StreamStates>, runtime: Handle) -> Self {
        Self { plans, states, runtime, running: None }
    }
}

impl Sources for ShardStreams {
    fn start(&mut self, positions: &Positions, queue: mpsc::Sender<Outgoing>) {
        self.stop();
        let cancel = CancellationToken::new();
        for plan in &self.plans {
            if self.states.is_failed(&plan.key) {
                continue;
            }
            let position = positions.get(&*plan.key).cloned();
            let task = task::run(Arc::clone(plan), position, Arc::clone(&self.states), queue.clone());
            let cancelled = cancel.clone().cancelled_owned();
            self.runtime.spawn(async move {
                // Dropping the task closes its session; what it had of a fragment is pulled again.
                tokio::select! {
                    () = cancelled => {}
                    () = task => {}
                }
            });
        }
        self.running = Some(cancel);
        // While a failed stream is all there is, the queue must not look closed: nobody released the shard.
        let keep_open = self.running.clone();
        self.runtime.spawn(async move {
            if let Some(cancel) = keep_open {
                cancel.cancelled().await;
            }
            drop(queue);
        });
    }

    fn stop(&mut self) {
        if let Some(cancel) = self.running.take() {
            cancel.cancel();
        }
        for plan in &self.plans {
            self.states.forget(&plan.key);
        }
    }

    fn fail(&mut self, stream: &OffsetKey, reason: String) {
        self.states.fail(stream, reason);
    }
}

impl Drop for ShardStreams {
    fn drop(&mut self) {
        self.stop();
    }
}
