//! The statuses that the status topic should have of this worker's connectors and tasks.

use std::collections::{BTreeMap, BTreeSet};

use super::StatusReporter;
use crate::cluster::status::{StatusKey, StatusView};
use crate::cluster::{ConfigView, ReportedState, Status, TargetState};
use crate::connector::Reported;
use crate::connector::state::StreamStatus;
use crate::model::{OffsetKey, TopicShard};

/// The trace of a task whose shard is held here, and whose stream has not begun.
const NOT_BEGUN: &str = "this worker has its shard and is about to begin: the connector looks up its topics, or the shard is being \
    acquired; if this lasts, Kafka or the source of the AWS settings does not respond: see this worker's log";

impl StatusReporter {
    /// Returns the statuses that the topic should have of the connectors and tasks on this worker. A task that has no
    /// lease because nothing is pulled is reported with the highest epoch that any worker has reported: among equal
    /// epochs the last report counts.
    pub(super) fn wanted(
        &self,
        view: &ConfigView,
        held: &BTreeSet<TopicShard>,
        statuses: &StatusView,
    ) -> BTreeMap<StatusKey, Status> {
        let mut wanted = BTreeMap::new();
        for name in view.names() {
            let target = view.target(name);
            let run = self.parts.connectors.status_of(name);
            let (failed, trouble) = run.map_or((None, None), |run| (run.failed, run.trouble));
            let broken = view.refused(name).map(ToString::to_string).or(failed);
            if self.is_home(name, held) {
                let (state, trace) = match (target, &broken) {
                    (_, Some(reason)) => (ReportedState::Failed, Some(reason.clone())),
                    (TargetState::Started, None) => (ReportedState::Running, trouble),
                    (TargetState::Paused, None) => (ReportedState::Paused, None),
                    (TargetState::Stopped, None) => (ReportedState::Stopped, None),
                };
                let status_key = StatusKey::Connector(name.clone());
                let status = self.status(state, trace, statuses.highest_epoch(&status_key));
                wanted.insert(status_key, status);
            }
            if target == TargetState::Stopped {
                continue;
            }
            for (&id, stream) in view.tasks(name).into_iter().flatten() {
                let key = OffsetKey::of_stream(name, stream);
                if !self.parts.shards.topics().shard_of(&key).is_some_and(|shard| held.contains(&shard)) {
                    continue;
                }
                let status_key = StatusKey::Task(name.clone(), id);
                let highest = statuses.highest_epoch(&status_key);
                let of_stream = |status: &StreamStatus| {
                    let (state, trace) = match status.reported() {
                        Reported::Failed(reason) => (ReportedState::Failed, Some(reason)),
                        Reported::Starting(reason) => (ReportedState::Unassigned, Some(reason)),
                        Reported::Running(trace) => (ReportedState::Running, trace),
                    };
                    // A stream that failed because of its shard has no lease.
                    let lease_epoch = if status.lease_epoch > 0 { status.lease_epoch } else { highest };
                    self.status(state, trace, lease_epoch)
                };
                let unleased = |state, trace| self.status(state, trace, highest);
                let status = match (target, &broken) {
                    (TargetState::Paused, _) => unleased(ReportedState::Paused, None),
                    (_, Some(reason)) => unleased(ReportedState::Failed, Some(reason.clone())),
                    _ => self.parts.states.look(&key, of_stream).unwrap_or_else(|| {
                        let trouble = self.parts.shards.trouble_of(&key);
                        unleased(ReportedState::Unassigned, trouble.or_else(|| Some(NOT_BEGUN.to_owned())))
                    }),
                };
                wanted.insert(status_key, status);
            }
        }
        wanted
    }
}
