//! Tasks that no living worker reports of, said in the log.
//!
//! **Contract.** A shard that somebody has who is no worker of ours (any consumer may join a group), or that nobody takes,
//! has tasks that stand still without anybody whose part it is. Every worker looks for them now and again, and says it
//! once a minute for as long as the same ones are found.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::cluster::status::{StatusKey, StatusView};
use crate::cluster::{ConfigView, ReportedState, TargetState};
use crate::logging::repeated::Repeated;

/// How often it is looked; what is found twice running has lasted longer than a rebalance.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// Tasks that are remembered from one look to the next.
const REMEMBERED_MAX: usize = 1_000;

/// What the last look found.
#[derive(Default)]
pub(super) struct Unassigned {
    looked: Option<Instant>,
    before: BTreeSet<(String, u32)>,
    said: Repeated,
}

impl Unassigned {
    /// Looks, if it is time.
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
                        "no living worker reports of tasks, this one for example: their shards are held by nobody, or by \
                         members of the group that are no workers (kafka-consumer-groups.sh --describe --members)"
                    );
                }
            }
            None => {
                if let Some(lasted) = self.said.over() {
                    tracing::info!(lasted_s = lasted.as_secs(), "all tasks are reported of again");
                }
            }
        }
        self.before = found;
    }
}

/// Tasks of connectors that are to run which nobody who is alive has.
fn find(configs: &ConfigView, statuses: &StatusView, now: Instant) -> BTreeSet<(String, u32)> {
    let started = configs.names().filter(|name| configs.target(name) == TargetState::Started);
    let tasks = started.flat_map(|name| configs.tasks(name).into_iter().flatten().map(move |(&id, _)| (name, id)));
    let unassigned = tasks.filter(|(name, id)| {
        let counting = statuses.counting(&StatusKey::Task((*name).clone(), *id), now);
        // Whoever has it says why it does not run yet.
        counting.is_none_or(|status| status.state == ReportedState::Unassigned && status.trace.is_none())
    });
    unassigned.take(REMEMBERED_MAX).map(|(name, id)| (name.clone(), id)).collect()
}

#[cfg(test)]
#[path = "unassigned_tests.rs"]
mod tests;
