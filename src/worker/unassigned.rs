//! Logs tasks that no live worker reports.
//!
//! **Contract.** When a shard is assigned to a member that is no worker (any consumer may join a group), or no member
//! acquires it, its tasks make no progress and nobody reports that. Every worker looks for such tasks from time to
//! time, and logs them once a minute while it finds the same ones.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::cluster::status::{StatusKey, StatusView};
use crate::cluster::{ConfigView, ReportedState, TargetState};
use crate::logging::repeated::Repeated;

/// The interval between two looks; what two consecutive looks find has lasted longer than a rebalance.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// The maximum number of tasks remembered from one look to the next.
const REMEMBERED_MAX: usize = 1_000;

/// What the last look found.
#[derive(Default)]
pub(super) struct Unassigned {
    looked: Option<Instant>,
    before: BTreeSet<(String, u32)>,
    said: Repeated,
}

impl Unassigned {
    /// Looks for such tasks, if it is time to.
    pub(super) fn look(&mut self, configs: &ConfigView, statuses: &StatusView, now: Instant) {
        if self.looked.is_some_and(|looked| now.saturating_duration_since(looked) < LOOK_EVERY) {
            return;
        }
        self.looked = Some(now);
        let found = find(configs, statuses, now);
        let both: Vec<&(String, u32)> = found.iter().filter(|task| self.before.contains(*task)).collect();
        match both.first() {
            Some((connector, task)) => {
                if self.said.again("").is_some() {
                    tracing::warn!(
                        tasks = both.len(),
                        connector,
                        task,
                        "no live worker reports some tasks, for example this one: their shards are held by nobody, or by \
                         members of the group that are not workers (kafka-consumer-groups.sh --describe --members)"
                    );
                }
            }
            None => {
                if let Some(lasted) = self.said.over() {
                    tracing::info!(lasted_s = lasted.as_secs(), "all tasks are reported again");
                }
            }
        }
        self.before = found;
    }
}

/// Returns the tasks of started connectors that no live worker reports.
fn find(configs: &ConfigView, statuses: &StatusView, now: Instant) -> BTreeSet<(String, u32)> {
    let started = configs.names().filter(|name| configs.target(name) == TargetState::Started);
    let tasks = started.flat_map(|name| configs.tasks(name).into_iter().flatten().map(move |(&id, _)| (name, id)));
    let unassigned = tasks.filter(|(name, id)| {
        let counting = statuses.counting(&StatusKey::Task((*name).clone(), *id), now);
        // A worker that has the task reports why it does not run yet.
        counting.is_none_or(|status| status.state == ReportedState::Unassigned && status.trace.is_none())
    });
    unassigned.take(REMEMBERED_MAX).map(|(name, id)| (name.clone(), id)).collect()
}

#[cfg(test)]
#[path = "unassigned_tests.rs"]
mod tests;
