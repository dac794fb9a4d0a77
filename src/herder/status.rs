//! Returns the statuses of connectors and their tasks, wherever they run, and the topics that they have written to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connectors::{TaskInfo, tasks_of};
use super::error::OperationError;
use super::{Herder, turns};
use crate::cluster::status::{StatusKey, topic_record};
use crate::cluster::{Refusal, ReportedState, RestartRequest, Status};

/// How long to wait until forgotten topics are written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The statuses of a connector and its tasks.
#[derive(Debug, Clone)]
pub struct ConnectorStatus {
    /// The connector's own status.
    pub connector: Status,
    /// The statuses of its tasks, by id; none when it is STOPPED.
    pub tasks: BTreeMap<u32, Status>,
}

impl ConnectorStatus {
    /// Returns the statuses as they will be once a requested restart has begun.
    #[must_use]
    pub fn restarting(mut self, request: &RestartRequest) -> Self {
        let concerned = |status: &Status| !request.only_failed || status.state == ReportedState::Failed;
        if concerned(&self.connector) {
            self.connector.state = ReportedState::Restarting;
            self.connector.trace = None;
        }
        for task in self.tasks.values_mut().filter(|task| request.include_tasks && concerned(task)) {
            task.state = ReportedState::Restarting;
            task.trace = None;
        }
        self
    }
}

impl Herder {
    /// Returns the statuses of a connector and its tasks, wherever they run.
    ///
    /// # Errors
    /// `NotFound` when there is no such connector.
    pub fn status(&self, name: &str) -> Result<ConnectorStatus, OperationError> {
        let entry = self.connector(name)?;
        Ok(self.statuses.look(|statuses| {
            let now = Instant::now();
            let apart = (!statuses.is_alive(&self.worker_id, now)).then(|| self.apart());
            let status = |key: &StatusKey| {
                let mut status = statuses.get(key, now);
                if status.state == ReportedState::Unassigned
                    && let Some(apart) = &apart
                {
                    status.trace = Some(apart.clone());
                }
                if status.reporter.worker_id.is_empty() {
                    status.reporter.worker_id.clone_from(&self.worker_id);
                }
                status
            };
            let tasks = tasks_of(&entry)
                .into_iter()
                .map(|TaskInfo { id, .. }| (id, status(&StatusKey::Task(name.to_owned(), id))));
            ConnectorStatus { connector: status(&StatusKey::Connector(name.to_owned())), tasks: tasks.collect() }
        }))
    }

    /// Returns the status of a task.
    ///
    /// # Errors
    /// `NotFound` or `TaskNotFound` when there is no such connector or task.
    pub fn task_status(&self, name: &str, id: u32) -> Result<Status, OperationError> {
        let tasks = self.status(name)?.tasks;
        tasks.get(&id).cloned().ok_or_else(|| Refusal::TaskNotFound(name.to_owned(), id).into())
    }

    /// Returns the software version of a worker; for a worker that has not reported one, this worker's.
    pub fn version_of(&self, worker_id: &str) -> String {
        let version = self.statuses.look(|view| view.version(worker_id).map(str::to_owned));
        version.unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned())
    }

    /// Returns the topics that a connector has written to.
    pub fn topics(&self, name: &str) -> BTreeSet<String> {
        self.statuses.look(|view| view.topics(name).cloned().unwrap_or_default())
    }

    /// Forgets the topics that a connector has written to.
    ///
    /// # Errors
    /// `NotFound` when there is no such connector; when its turn does not come.
    pub async fn reset_topics(&self, name: &str) -> Result<(), OperationError> {
        self.connector(name)?;
        self.forget_topics(name);
        let (turn, statuses) = (self.errands.turn().await?, Arc::clone(&self.statuses));
        turns::within(turn, move || statuses.flush(FLUSH_TIMEOUT)).await;
        Ok(())
    }

    pub(super) fn forget_topics(&self, name: &str) {
        for topic in self.topics(name) {
            self.statuses.write(topic_record(name, &topic, false));
        }
    }
}
