//! The connectors that a worker runs, reconciled with the config log.
//!
//! **Contract.** [`Connectors::apply`] stops connectors at once that are no longer wanted or whose settings have changed,
//! and starts new ones; only then does the config offset count as applied. Each connector starts on its own and is retried
//! with back-off if it cannot: none waits for another.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::offsets_topics::{OffsetsTopics, TopicListener};
use super::plan::{ConnectorPlan, Dependencies, Refused};
use super::shards::Shards;
use crate::cluster::{AlteredShards, ConfigView, OffsetsHome, RestartRequest, Settings, TargetState, change};
use crate::config::RestartPolicy;
use crate::config::table::connector::records::OFFSETS_TOPIC;
use crate::connector::StreamPlan;
use crate::connector::discovery::{self, Nothing, StreamListener};
use crate::model::{OffsetKey, Publication};
use crate::output::Outputs;
use crate::shard::ConfigGate;
use crate::supervision::{Part, catch_async, fault_point};

/// The back-off for a connector that cannot start.
const RETRY: RestartPolicy =
    RestartPolicy { timeout: None, base: std::time::Duration::from_secs(1), cap: std::time::Duration::from_secs(60) };

/// The connectors of a worker.
pub(super) struct Connectors {
    dependencies: Arc<Dependencies>,
    shards: Arc<Shards>,
    offsets_topics: Arc<OffsetsTopics>,
    gate: Arc<ConfigGate>,
    runtime: Handle,
    registry: Arc<Registry>,
}

/// The connectors that run on this worker, by name.
#[derive(Default)]
struct Registry {
    entries: Mutex<BTreeMap<String, Entry>>,
    version: AtomicU64,
}

/// The state of a connector that runs on this worker, or is about to.
struct Entry {
    settings: Settings,
    /// Where its offsets are.
    home: OffsetsHome,
    cancel: CancellationToken,
    /// Wakes the connector's runner to look for streams, or to try to start, now.
    wake: Arc<Notify>,
    failed: Option<String>,
    /// Why its streams cannot be looked for at the moment.
    trouble: Option<String>,
    /// Why no streams were found, if none were.
    nothing: Option<Nothing>,
    /// Whether it has a task on any worker.
    has_tasks: bool,
    /// What is published for its streams, once it has started.
    outputs: Option<Outputs>,
    /// The epoch of the shards at which discovery last finished.
    looked: Option<u64>,
}

impl Entry {
    fn trouble(&self) -> Option<String> {
        // Other workers may have found streams that this one does not have.
        let nothing = self.nothing.as_ref().filter(|nothing| nothing.everywhere || !self.has_tasks);
        self.trouble.clone().or_else(|| nothing.map(|nothing| format!("no streams are found: {}", nothing.reason)))
    }
}

/// The status of a connector on this worker.
pub(super) struct RunnerStatus {
    /// Why it cannot start.
    pub(super) failed: Option<String>,
    /// Why its streams cannot be discovered at the moment, or why none were found.
    pub(super) trouble: Option<String>,
    /// The epoch of the held shards for which discovery has reported all streams.
    pub(super) looked: Option<u64>,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        // Nothing panics while the lock is held, and entries are changed one by one.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Updates a connector's entry, unless the calling runner has been replaced.
    fn note(&self, name: &str, cancel: &CancellationToken, note: impl FnOnce(&mut Entry)) {
        let mut entries = self.lock();
        if !cancel.is_cancelled()
            && let Some(entry) = entries.get_mut(name)
        {
            note(entry);
            self.version.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Connectors {
    pub(super) fn new(
        dependencies: Arc<Dependencies>,
        shards: Arc<Shards>,
        offsets_topics: Arc<OffsetsTopics>,
        gate: Arc<ConfigGate>,
        runtime: Handle,
    ) -> Self {
        Self { dependencies, shards, offsets_topics, gate, runtime, registry: Arc::default() }
    }

    /// Stops and starts connectors so that exactly those in the log run.
    pub(super) fn apply(&self, view: &ConfigView) {
        let mut entries = self.registry.lock();
        // A record that cannot be read is refused when the connector is planned.
        let home = |name: &String| OffsetsHome { moving: None, ..view.offsets_home(name).unwrap_or_default() };
        let runs_on = |name: &String, entry: &Entry| {
            view.target(name) == TargetState::Started
                && matches!(view.settings(name), Some(Ok(now)) if *now == entry.settings)
                && home(name) == entry.home
        };
        entries.retain(|name, entry| {
            let stays = runs_on(name, entry);
            if !stays {
                self.end(name, entry);
            }
            stays
        });
        let all = view.names().filter_map(|name| Some((name, view.settings(name)?.as_ref().ok()?)));
        self.dependencies.set_group_topics(all);
        let homes = view.homes().filter(|(name, _)| view.contains(name));
        self.shards.topics().set_homes(homes.map(|(name, topic)| (name.clone(), topic.as_str().into())).collect());
        for name in view.names() {
            if let Some(Ok(settings)) = view.settings(name)
                && view.target(name) == TargetState::Started
                && !entries.contains_key(name)
            {
                entries.insert(name.clone(), self.begin(name, settings, home(name)));
            }
        }
        for (name, entry) in entries.iter_mut() {
            entry.has_tasks = view.tasks(name).is_some_and(|tasks| !tasks.is_empty());
        }
        self.registry.version.fetch_add(1, Ordering::AcqRel);
        drop(entries);
        self.gate.apply(view.position);
    }

    fn end(&self, name: &str, entry: &Entry) {
        entry.cancel.cancel();
        self.shards.remove_connector(name);
        tracing::info!(connector = name, "connector stopped on this worker");
    }

    fn begin(&self, name: &str, settings: &Settings, home: OffsetsHome) -> Entry {
        let (cancel, wake) = (CancellationToken::new(), Arc::new(Notify::new()));
        let runner = Runner {
            name: name.to_owned(),
            settings: settings.clone(),
            home: home.clone(),
            offsets_topics: Arc::clone(&self.offsets_topics),
            dependencies: Arc::clone(&self.dependencies),
            shards: Arc::clone(&self.shards),
            registry: Arc::clone(&self.registry),
            cancel: cancel.clone(),
            wake: Arc::clone(&wake),
        };
        let cancelled = cancel.clone();
        self.runtime.spawn(async move {
            tokio::select! {
                () = cancelled.cancelled() => {}
                () = Arc::new(runner).run_supervised() => {}
            }
        });
        Entry {
            settings: settings.clone(),
            home,
            cancel,
            wake,
            failed: None,
            trouble: None,
            nothing: None,
            has_tasks: false,
            outputs: None,
            looked: None,
        }
    }

    /// Restarts the connector, tasks or task that a request names.
    pub(super) fn restart(&self, request: &RestartRequest, view: &ConfigView) {
        let name = &request.connector;
        let task = request.task.map(|id| view.tasks(name).and_then(|tasks| tasks.get(&id)));
        if let Some(task) = task {
            return self.shards.restart(name, &|plan, _| Some(plan.stream.as_str()) == task.map(String::as_str));
        }
        let mut entries = self.registry.lock();
        let Some(entry) = entries.get_mut(name) else { return };
        if request.include_tasks && !request.only_failed {
            // Starts everything again, which also reads files of secrets again.
            self.begin_again(name, entry);
            return;
        }
        entry.wake.notify_one();
        drop(entries);
        if request.include_tasks {
            self.shards.restart(name, &|_, failed| failed);
        }
    }

    fn begin_again(&self, name: &str, entry: &mut Entry) {
        let (settings, home, has_tasks) = (entry.settings.clone(), entry.home.clone(), entry.has_tasks);
        self.end(name, entry);
        *entry = Entry { has_tasks, ..self.begin(name, &settings, home) };
    }

    /// Has shards acquired again whose offsets were altered, and their topic looked at again if it could not be used: this may
    /// have begun it again.
    pub(super) fn altered(&self, altered: &AlteredShards) {
        self.shards.reacquire(altered);
        if let Some(topic) = &altered.topic {
            self.offsets_topics.look_again(topic);
        }
    }

    /// Wakes all runners, because newly assigned shards may have streams that this worker has not looked for.
    pub(super) fn look_now(&self) {
        self.registry.lock().values().for_each(|entry| entry.wake.notify_one());
    }

    /// Returns a number that changes whenever a connector's entry does.
    pub(super) fn version(&self) -> u64 {
        self.registry.version.load(Ordering::Acquire)
    }

    /// Returns the status of a connector on this worker; `None`: it does not run here.
    pub(super) fn status_of(&self, name: &str) -> Option<RunnerStatus> {
        let entries = self.registry.lock();
        entries.get(name).map(|entry| RunnerStatus {
            failed: entry.failed.clone(),
            trouble: entry.trouble(),
            looked: entry.looked,
        })
    }

    /// Returns the streams of a connector that are in shards of this worker.
    pub(super) fn streams(&self, name: &str) -> Vec<Arc<StreamPlan>> {
        self.shards.streams(name).into_iter().filter(|plan| self.shards.holds(&plan.key)).collect()
    }
}

impl TopicListener for Connectors {
    fn looked(&self) {
        self.look_now();
    }

    /// Starts the connectors again that have their offsets in the topic: they wait for it, or fail with the reason.
    fn lost(&self, topic: &str) {
        for (name, entry) in self.registry.lock().iter_mut() {
            if entry.home.topic.as_deref() == Some(topic) {
                self.begin_again(name, entry);
            }
        }
    }
}

/// Runs one connector.
struct Runner {
    name: String,
    settings: Settings,
    home: OffsetsHome,
    offsets_topics: Arc<OffsetsTopics>,
    dependencies: Arc<Dependencies>,
    shards: Arc<Shards>,
    registry: Arc<Registry>,
    cancel: CancellationToken,
    wake: Arc<Notify>,
}

impl Runner {
    /// Runs the connector, and restarts it after a panic. Its streams continue meanwhile, and are then restarted with
    /// it.
    async fn run_supervised(self: Arc<Self>) {
        let mut panics = 0;
        while let Err(panicked) = catch_async(Part::Connector, Arc::clone(&self).run()).await {
            panics += 1;
            let delay = RETRY.delay(panics);
            tracing::error!(
                connector = self.name,
                %panicked,
                delay_ms = delay.as_millis() as u64,
                "the connector's runner panicked and is restarted"
            );
            self.registry.note(&self.name, &self.cancel, |entry| entry.failed = Some(panicked.to_string()));
            tokio::time::sleep(delay).await;
        }
    }

    async fn run(self: Arc<Self>) {
        let ConnectorPlan { streams, discovery, .. } = self.plan().await;
        tracing::info!(
            connector = self.name,
            streams = streams.len(),
            discovers = discovery.is_some(),
            "connector started on this worker"
        );
        for plan in streams {
            self.added(plan);
        }
        if let Some((conditions, context)) = discovery {
            let (listener, wake) = (Arc::clone(&self) as Arc<dyn StreamListener>, Arc::clone(&self.wake));
            discovery::run(self.name.clone(), conditions, context, listener, wake, self.cancel.clone()).await;
        }
    }

    /// Refuses to start with a topic that does not contain the connector's offsets, or cannot be used: every stream
    /// would be published again.
    async fn offsets_are_there(&self) -> Result<(), Refused> {
        let workers = &self.dependencies.config.offsets_topic;
        let named = self.settings.get(OFFSETS_TOPIC.name()).filter(|topic| !topic.is_empty() && *topic != workers);
        if named != self.home.topic.as_ref() {
            return Err(Refused(format!(
                "the offsets of the connector are in topic {}, and its settings name {}: the settings were written by a worker \
                 of an earlier version, which does not support connectors' own offsets topics; stop the connector and write \
                 its settings again, through a worker of this version",
                self.home.topic.as_ref().unwrap_or(workers),
                named.unwrap_or(workers)
            )));
        }
        change::are_there(&self.name, &self.home).map_err(|refusal| Refused(refusal.to_string()))?;
        match &self.home.topic {
            None => Ok(()),
            Some(topic) => self.offsets_topics.opened(topic).await.map_err(|reason| Refused(reason.to_string())),
        }
    }

    /// Tries to start until it succeeds.
    async fn plan(&self) -> ConnectorPlan {
        let mut failures = 0;
        loop {
            fault_point(Part::Connector);
            let planned = match self.offsets_are_there().await {
                Ok(()) => self.dependencies.plan(&self.settings, self.home.topic.is_some()).await,
                Err(refused) => Err(refused),
            };
            match planned {
                Ok(plan) => {
                    let outputs = Some(plan.outputs.clone());
                    self.registry
                        .note(&self.name, &self.cancel, |entry| (entry.failed, entry.outputs) = (None, outputs));
                    return plan;
                }
                Err(Refused(reason)) => {
                    failures += 1;
                    let delay = RETRY.delay(failures);
                    tracing::error!(
                        connector = self.name,
                        reason,
                        delay_ms = delay.as_millis() as u64,
                        "the connector cannot start; trying again"
                    );
                    self.registry.note(&self.name, &self.cancel, |entry| entry.failed = Some(reason));
                    tokio::select! {
                        () = tokio::time::sleep(delay) => {}
                        () = self.wake.notified() => {}
                    }
                }
            }
        }
    }
}

/// Passes on what discovery finds, unless this runner has been replaced.
impl StreamListener for Runner {
    fn epoch(&self) -> u64 {
        self.shards.held_version()
    }

    fn looked(&self, connector: &str, epoch: u64, nothing: Option<Nothing>) {
        self.registry.note(connector, &self.cancel, |entry| {
            (entry.looked, entry.trouble, entry.nothing) = (Some(epoch), None, nothing);
        });
    }

    fn not_looked(&self, connector: &str, reason: String) {
        self.registry.note(connector, &self.cancel, |entry| entry.trouble = Some(reason));
    }

    fn holds(&self, key: &OffsetKey) -> bool {
        self.shards.holds(key)
    }

    fn streams(&self, connector: &str) -> Vec<Arc<StreamPlan>> {
        self.shards.streams(connector)
    }

    fn is_gone(&self, key: &OffsetKey) -> bool {
        self.shards.is_gone(key)
    }

    fn added(&self, plan: Arc<StreamPlan>) {
        // A runner is stopped under this lock, which also removes the streams it added before.
        let _entries = self.registry.lock();
        if !self.cancel.is_cancelled() {
            self.shards.added(plan);
        }
    }

    fn removed(&self, key: &OffsetKey, last_words: Option<Publication>) {
        let _entries = self.registry.lock();
        if !self.cancel.is_cancelled() {
            self.shards.removed(key, last_words);
        }
    }
}

#[cfg(test)]
#[path = "connectors_tests.rs"]
mod tests;
