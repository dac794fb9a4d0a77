//! What can be asked of any worker for its whole group: connectors made, changed, paused, restarted; how they are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::settings::SettingsCheck;
use super::{Mode, Worker, turns};
use crate::cluster::change::{self, Change};
use crate::cluster::status::{StatusKey, topic_record};
use crate::cluster::{
    ChangeError, ConfigView, ConnectorEntry, Refusal, RestartRequest, RunState, Settings, Status, TargetState,
};
use crate::config::secrets;
use crate::{logging, open_files, telemetry};

/// Names of connectors there may be: a bound on what any worker keeps in memory.
const CONNECTORS_MAX: usize = 20_000;

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// It may not be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Kafka cannot be reached, or is not ready.
    #[error("{0}")]
    Unavailable(String),
    /// Kafka does not allow it.
    #[error("{0}")]
    NotAllowed(String),
}

impl From<ChangeError> for OperationError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Refused(refusal) => Self::Refused(refusal),
            ChangeError::Log(error) if error.kind.needs_a_grant() => Self::NotAllowed(error.to_string()),
            ChangeError::Log(_) => Self::Unavailable(error.to_string()),
        }
    }
}

/// A task: a stream of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskInfo {
    /// Its id, which stays as long as the stream is the connector's.
    pub id: u32,
    /// Name or ARN of its stream, as it is configured.
    pub stream: String,
}

/// How a connector and its tasks are.
#[derive(Debug, Clone)]
pub struct ConnectorStatus {
    /// The connector.
    pub connector: Status,
    /// Its tasks, by id; none when it is STOPPED.
    pub tasks: BTreeMap<u32, Status>,
}

/// How this worker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It has not joined its group yet; with the reason, where it is known.
    Starting(Option<String>),
    /// It works.
    Healthy,
    /// It has lost touch with Kafka, or cannot do its work, with the reason.
    Unhealthy(String),
}

impl Worker {
    /// `host:port`, by which others know it.
    pub fn id(&self) -> &str {
        &self.reporter.worker_id
    }

    /// Id of the Kafka cluster, once it is known.
    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.get().map(String::as_str)
    }

    /// Where it takes connectors from.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What it has measured, as Prometheus reads it.
    pub fn render_metrics(&self) -> String {
        telemetry::process(logging::lines_dropped(), open_files::probe().is_some());
        self.metrics.render()
    }

    /// How the streams are that are here.
    pub fn streams(&self) -> Vec<(crate::model::OffsetKey, crate::connector::state::StreamStatus)> {
        self.states.all()
    }

    /// What it logs.
    pub fn logging(&self) -> &crate::logging::Logging {
        &self.logging
    }

    /// How this worker is: it is healthy when its own heartbeat comes back to it through Kafka, every shard it holds has
    /// an owner that gets on, and it can open files.
    pub fn health(&self) -> Health {
        let out_of_files = open_files::probe();
        if !self.started.load(Ordering::Acquire) {
            return Health::Starting(out_of_files.or_else(|| self.shards.get().and_then(|shards| shards.apart())));
        }
        if let Some(reason) = out_of_files {
            return Health::Unhealthy(reason);
        }
        if self.statuses.look(|view| view.is_alive(self.id(), Instant::now())) {
            return match self.shards.get().and_then(|shards| shards.standing_still()) {
                Some(reason) => Health::Unhealthy(reason),
                None => Health::Healthy,
            };
        }
        let reason = self.statuses.trouble().unwrap_or_else(|| {
            "Kafka may not be reachable, or a transaction may hang on the topic (kafka-transactions.sh find-hanging)"
                .to_owned()
        });
        let topic = &self.config.status_topic;
        Health::Unhealthy(format!("Worker's own heartbeat in topic {topic} is older than its session: {reason}."))
    }

    /// What the config log says, as far as it has been read here.
    ///
    /// # Errors
    /// While the worker is starting.
    pub fn view(&self) -> Result<Arc<ConfigView>, OperationError> {
        if self.started.load(Ordering::Acquire) {
            return Ok(self.configs.view());
        }
        Err(OperationError::Unavailable("Worker is still starting up.".to_owned()))
    }

    /// A connector.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn connector(&self, name: &str) -> Result<ConnectorEntry, OperationError> {
        self.view()?.get(name).ok_or_else(|| Refusal::NotFound(name.to_owned()).into())
    }

    /// The tasks of a connector as they are shown: none when it is STOPPED.
    pub fn tasks_of(entry: &ConnectorEntry) -> Vec<TaskInfo> {
        if entry.target == TargetState::Stopped {
            return Vec::new();
        }
        entry.tasks.iter().map(|(&id, stream)| TaskInfo { id, stream: stream.clone() }).collect()
    }

    /// Makes a change when it is its turn, on a thread where waiting is allowed.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        decide: impl FnMut(&ConfigView) -> Result<Change<T>, Refusal> + Send + 'static,
    ) -> Result<(T, i64), OperationError> {
        self.change_after(|_| Ok(None), decide).await
    }

    /// The same behind what needs no fence: that refuses the change, or answers it when there is nothing to be changed.
    /// It goes by the log as far as it has been read here.
    async fn change_after<T: Send + 'static>(
        &self,
        before: impl FnOnce(&ConfigView) -> Result<Option<T>, Refusal> + Send + 'static,
        decide: impl FnMut(&ConfigView) -> Result<Change<T>, Refusal> + Send + 'static,
    ) -> Result<(T, i64), OperationError> {
        let turn = self.changes.turn().await?;
        let configs = Arc::clone(&self.configs);
        let changed = turns::within(turn, move || {
            let view = configs.view();
            match before(&view)? {
                Some(answer) => Ok((answer, view.position)),
                None => {
                    // Whoever holds it while the log is read makes the reader copy it.
                    drop(view);
                    configs.change(decide)
                }
            }
        });
        Ok(changed.await??)
    }

    /// Makes a connector.
    ///
    /// # Errors
    /// When there is one of that name, or its settings are wrong.
    pub async fn create(
        &self,
        name: &str,
        settings: Settings,
        initial: TargetState,
    ) -> Result<ConnectorEntry, OperationError> {
        self.view()?;
        let check = Arc::new(SettingsCheck::new(&self.config, name));
        let (checks, given, of) = (Arc::clone(&check), settings.clone(), name.to_owned());
        let before = move |view: &ConfigView| {
            // That there is one already is said under the fence: it may be gone by now.
            if !view.contains(&of) {
                checks.check(given, None)?;
            }
            Ok(None)
        };
        let name = name.to_owned();
        let decide = move |view: &ConfigView| {
            bounded(view, &name)?;
            let check = |settings, stored: Option<&Settings>| check.check(settings, stored);
            changed(view, &name, change::create(view, &name, settings.clone(), initial, &check)?)
        };
        self.change_after(before, decide).await.map(|(((), entry), _)| entry)
    }

    /// Sets a connector's settings; answers whether it was made by that, and the connector as it is then.
    ///
    /// # Errors
    /// When its settings are wrong.
    pub async fn put_config(&self, name: &str, settings: Settings) -> Result<(bool, ConnectorEntry), OperationError> {
        let check = Arc::new(SettingsCheck::new(&self.config, name));
        let (name, given) = (name.to_owned(), settings);
        let has_mask = given.values().any(|value| value == secrets::MASK);
        let put = move |view: &ConfigView| {
            bounded(view, &name)?;
            let check = |settings, stored: Option<&Settings>| check.check(settings, stored);
            changed(view, &name, change::put(view, &name, given.clone(), &check)?)
        };
        let put = Arc::new(put);
        let before = {
            let put = Arc::clone(&put);
            move |view: &ConfigView| {
                match put(view) {
                    // What is there already needs no fence.
                    Ok(now) => Ok(now.records.is_empty().then_some(now.answer)),
                    // What the mask stands for may not have been read here yet.
                    Err(_) if has_mask => Ok(None),
                    Err(refusal) => Err(refusal),
                }
            }
        };
        self.change_after(before, move |view| put(view)).await.map(|(answer, _)| answer)
    }

    /// Changes some of a connector's settings.
    ///
    /// # Errors
    /// When there is none of that name, or its settings would be wrong.
    pub async fn patch_config(
        &self,
        name: &str,
        patch: BTreeMap<String, Option<String>>,
    ) -> Result<ConnectorEntry, OperationError> {
        self.view()?;
        let check = SettingsCheck::new(&self.config, name);
        let name = name.to_owned();
        let patched = move |view: &ConfigView| {
            let check = |settings, stored: Option<&Settings>| check.check(settings, stored);
            changed(view, &name, change::patch(view, &name, &patch, &check)?)
        };
        let patched = Arc::new(patched);
        let before = {
            let patched = Arc::clone(&patched);
            move |view: &ConfigView| {
                // For its checks alone: what is patched may be newer than what has been read here, and then they are made
                // again.
                let _ = patched(view);
                Ok(None)
            }
        };
        self.change_after(before, move |view| patched(view)).await.map(|((_, entry), _)| entry)
    }

    /// Deletes a connector. Its offsets stay.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn delete(&self, name: &str) -> Result<(), OperationError> {
        self.view()?;
        let of = name.to_owned();
        self.change(move |view| change::delete(view, &of)).await?;
        for topic in self.topics(name) {
            self.statuses.write(topic_record(name, &topic, false));
        }
        Ok(())
    }

    /// Sets what a connector is to do.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn set_target(&self, name: &str, target: TargetState) -> Result<(), OperationError> {
        self.connector(name)?;
        let name = name.to_owned();
        self.change(move |view| change::set_target(view, &name, target)).await.map(|_| ())
    }

    /// Has all workers restart something.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn restart(&self, request: RestartRequest) -> Result<(), OperationError> {
        self.connector(&request.connector)?;
        self.change(move |view| change::restart(view, &request)).await.map(|_| ())
    }

    /// Sets a logger's level on all workers.
    ///
    /// # Errors
    /// When Kafka cannot be reached.
    pub async fn set_logger_everywhere(&self, name: &str, level: &str) -> Result<(), OperationError> {
        self.view()?;
        let (name, level) = (name.to_owned(), level.to_owned());
        self.change(move |_| Ok(change::logger(&name, &level))).await.map(|_| ())
    }

    /// How a connector and its tasks are, wherever they run.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn status(&self, name: &str) -> Result<ConnectorStatus, OperationError> {
        let entry = self.connector(name)?;
        Ok(self.statuses.look(|statuses| {
            let now = Instant::now();
            let mut connector = statuses.get(&StatusKey::Connector(name.to_owned()), now);
            if connector.reporter.worker_id.is_empty() {
                connector.reporter.worker_id.clone_from(&self.reporter.worker_id);
            }
            let tasks = Self::tasks_of(&entry).into_iter().map(|TaskInfo { id, .. }| {
                let mut status = statuses.get(&StatusKey::Task(name.to_owned(), id), now);
                if status.reporter.worker_id.is_empty() {
                    status.reporter.worker_id.clone_from(&self.reporter.worker_id);
                }
                (id, status)
            });
            ConnectorStatus { connector, tasks: tasks.collect() }
        }))
    }

    /// How a task is.
    ///
    /// # Errors
    /// When there is none of that name and id.
    pub fn task_status(&self, name: &str, id: u32) -> Result<Status, OperationError> {
        let tasks = self.status(name)?.tasks;
        tasks.get(&id).cloned().ok_or_else(|| Refusal::TaskNotFound(name.to_owned(), id).into())
    }

    /// The release that a worker runs.
    pub fn release_of(&self, worker_id: &str) -> String {
        let release = self.statuses.look(|view| view.release(worker_id).map(str::to_owned));
        release.unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned())
    }

    /// Topics that a connector has written to.
    pub fn topics(&self, name: &str) -> std::collections::BTreeSet<String> {
        self.statuses.look(|view| view.topics(name))
    }

    /// Forgets the topics that a connector has written to.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn reset_topics(&self, name: &str) -> Result<(), OperationError> {
        self.connector(name)?;
        for topic in self.topics(name) {
            self.statuses.write(topic_record(name, &topic, false));
        }
        let (turn, statuses) = (self.errands.turn().await?, Arc::clone(&self.statuses));
        turns::within(turn, move || statuses.flush(std::time::Duration::from_secs(1))).await
    }

    /// How a connector and its tasks will be in a moment, when a restart is asked for.
    pub fn restarting(mut status: ConnectorStatus, request: &RestartRequest) -> ConnectorStatus {
        let concerned = |status: &Status| !request.only_failed || status.state == RunState::Failed;
        if concerned(&status.connector) {
            status.connector.state = RunState::Restarting;
            status.connector.trace = None;
        }
        for task in status.tasks.values_mut().filter(|task| request.include_tasks && concerned(task)) {
            task.state = RunState::Restarting;
            task.trace = None;
        }
        status
    }
}

/// A change with the connector as it is when it is made: whoever looks later may find it changed again, or gone.
fn changed<T>(view: &ConfigView, name: &str, change: Change<T>) -> Result<Change<(T, ConnectorEntry)>, Refusal> {
    let entry = view.entry_after(name, &change.records).ok_or_else(|| Refusal::NotFound(name.to_owned()))?;
    Ok(Change { records: change.records, answer: (change.answer, entry) })
}

fn bounded(view: &ConfigView, name: &str) -> Result<(), Refusal> {
    if view.contains(name) || view.names().count() < CONNECTORS_MAX {
        return Ok(());
    }
    Err(Refusal::Invalid(format!("there are {CONNECTORS_MAX} connectors, and no more can be made")))
}
