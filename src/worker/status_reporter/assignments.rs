//! Reacts to assigned and released shards: connectors look for streams, and released tasks are reported as UNASSIGNED.

use std::sync::Arc;

use tokio::sync::watch;

use super::{HOME, LAST_WORDS, StatusReporter};
use crate::cluster::ReportedState;
use crate::cluster::status::StatusKey;
use crate::herder::Phase;
use crate::model::{OffsetKey, TopicShard};
use crate::worker::shards::ShardListener;

/// Listens for shards that are assigned to a worker and released by it.
pub(in crate::worker) struct Assignments {
    pub(in crate::worker) statuses: Arc<StatusReporter>,
    /// The first assignment makes the worker a member of its group.
    pub(in crate::worker) phase: watch::Sender<Phase>,
}

impl ShardListener for Assignments {
    fn assigned(&self) {
        self.phase.send_if_modified(Phase::joined);
        self.statuses.parts.connectors.look_now();
    }

    fn released(&self, shards: &[TopicShard]) {
        let statuses = &self.statuses;
        let view = statuses.parts.configs.view();
        let of_shard = |name: &String, stream: &String| {
            let key = OffsetKey::of_stream(name, stream);
            statuses.parts.shards.topics().shard_of(&key).is_some_and(|shard| shards.contains(&shard))
        };
        let is_home = |name: &String| {
            let key = OffsetKey { connector: name.clone(), stream: HOME.to_owned() };
            shards.contains(&statuses.parts.shards.topics().workers_shard_of(&key))
        };
        let mut keys = Vec::new();
        for name in view.names() {
            if is_home(name) {
                keys.push(StatusKey::Connector(name.clone()));
            }
            let tasks = view.tasks(name).into_iter().flatten();
            keys.extend(
                tasks.filter(|(_, stream)| of_shard(name, stream)).map(|(&id, _)| StatusKey::Task(name.clone(), id)),
            );
        }
        let mut records = Vec::new();
        statuses.parts.log.look(|reported| {
            for key in keys {
                if let Some(before) = reported.reported_by(&key, &statuses.parts.reporter.worker_id) {
                    records.push(key.record(Some(&statuses.status(
                        ReportedState::Unassigned,
                        None,
                        before.lease_epoch,
                    ))));
                }
            }
        });
        if !records.is_empty() {
            statuses.write(records);
            statuses.parts.log.flush(LAST_WORDS);
        }
    }
}
