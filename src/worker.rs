//! A worker: shards and connectors, from start to shutdown; and what it answers for its group.
//!
//! **Contract.** [`Worker::run`] waits for Kafka, makes or checks the topics, reads the config log, joins the group, and
//! owns what it is given until it is told to stop or the topics turn out not to be its own. Nothing is pulled for a shard
//! that is not assigned. Any worker answers for all of its group, and makes changes for all of it ([`operations`]).

mod agreement;
mod connectors;
pub mod offsets;
pub mod operations;
pub(crate) mod plan;
mod shards;
mod startup;
mod statuses;
mod validation;
mod watch;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::cluster::{ConfigLog, ConfigStore, Event, MemoryLog, StatusLog};
use crate::config::WorkerConfig;
use crate::config::connector::Given;
use crate::connector::StreamStates;
use crate::kafka::{DataTopics, KafkaConfigStore, KafkaLog, KafkaSettings, KafkaStatusStore, Membership, Topics};
use crate::logging::Logging;
use crate::shard::{ConfigGate, Contract};

use connectors::Connectors;
use plan::Dependencies;
use shards::Shards;
use statuses::{Speaker, Statuses};

pub use offsets::OffsetsError;
pub use operations::{OperationError, TaskInfo};

/// Why a worker ended without being told to.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The settings do not fit what is there: exit code 78.
    #[error("{0}")]
    Config(String),
    /// Something that is needed cannot be had: exit code 69.
    #[error("{0}")]
    Unavailable(String),
}

/// Where connectors come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The config topic; those that are given are put into it.
    Distributed,
    /// Those that are given, and what is changed over REST as long as this process lives.
    Standalone,
}

/// A worker, from before it has started.
pub struct Worker {
    config: Arc<WorkerConfig>,
    mode: Mode,
    /// What its group has agreed on, as it has it.
    contract: Contract,
    /// `host:port`, by which others know it.
    id: String,
    kafka: KafkaSettings,
    configs: Arc<ConfigLog>,
    statuses: Arc<StatusLog>,
    states: Arc<StreamStates>,
    gate: Arc<ConfigGate>,
    /// For questions about offsets, which are not to keep shards from being taken.
    offsets_log: Arc<KafkaLog>,
    altering: tokio::sync::Mutex<()>,
    /// Whether it has joined the group.
    started: AtomicBool,
    cluster_id: OnceLock<String>,
    dependencies: OnceLock<Arc<Dependencies>>,
    metrics: PrometheusHandle,
    logging: Logging,
}

impl Worker {
    /// Nothing runs and nobody is asked before [`Worker::run`].
    pub fn new(config: WorkerConfig, mode: Mode, id: String, metrics: PrometheusHandle, logging: Logging) -> Self {
        let kafka = plan::kafka_settings(&config);
        let configs: Arc<dyn ConfigStore> = match mode {
            Mode::Distributed => Arc::new(KafkaConfigStore::new(&kafka, &config.config_topic)),
            Mode::Standalone => Arc::new(MemoryLog::default()),
        };
        let mut contract = plan::contract(&config);
        if mode == Mode::Standalone {
            contract.config_topic = None;
        }
        let statuses = KafkaStatusStore::new(&kafka, &config.status_topic);
        Self {
            gate: Arc::new(ConfigGate::new(configs.topic())),
            configs: Arc::new(ConfigLog::new(configs, contract.clone())),
            statuses: Arc::new(StatusLog::new(Arc::new(statuses))),
            offsets_log: Arc::new(KafkaLog::new(kafka.clone())),
            config: Arc::new(config),
            mode,
            contract,
            id,
            kafka,
            states: Arc::default(),
            altering: tokio::sync::Mutex::default(),
            started: AtomicBool::new(false),
            cluster_id: OnceLock::new(),
            dependencies: OnceLock::new(),
            metrics,
            logging,
        }
    }

    /// Runs until `shutdown`.
    ///
    /// # Errors
    /// When it cannot start, or may not go on.
    pub async fn run(self: Arc<Self>, given: Vec<Given>, shutdown: CancellationToken) -> Result<(), WorkerError> {
        let config = Arc::clone(&self.config);
        let topics = Topics::new(&self.kafka).map_err(startup::refused_settings)?;
        if !startup::wait_for_kafka(&topics, &self.kafka.bootstrap_servers, &shutdown).await {
            return Ok(());
        }
        if let Some(id) = topics.cluster_id().await {
            let _ = self.cluster_id.set(id);
        }
        let contract = self.contract.clone();
        let Some(group) = self.ask_group(&shutdown).await? else { return Ok(()) };
        startup::storage_topics(&topics, &config).await?;
        let data_topics = Arc::new(DataTopics::new(&self.kafka).map_err(startup::refused_settings)?);
        let log = Arc::new(KafkaLog::new(self.kafka.clone()).with_data_topics(Arc::clone(&data_topics)));
        let offsets_begun = startup::check_contract(Arc::clone(&log), contract.clone(), config.shards).await?;
        let events = self.follow().await?;
        let names = given.iter().filter_map(|given| given.settings.get("name").cloned()).collect();
        let joining = self.agree(group, offsets_begun, names).await?;
        let dependencies = Arc::new(Dependencies::new(Arc::clone(&config), topics, Arc::clone(&data_topics))?);
        let _ = self.dependencies.set(Arc::clone(&dependencies));
        dependencies.share_calls(self.statuses.look(|view| view.workers().count()) + 1);
        self.put_given(given, &shutdown).await?;

        let (refused, mut refusals) = mpsc::channel(1);
        let shards = Arc::new(Shards::new(
            config.shards,
            contract,
            log,
            plan::owner_settings(&config),
            Arc::clone(&self.states),
            Handle::current(),
            refused,
            Arc::clone(&self.gate),
        ));
        let connectors = Arc::new(Connectors::new(
            Arc::clone(&dependencies),
            Arc::clone(&shards),
            Arc::clone(&self.gate),
            Handle::current(),
        ));
        let statuses = Arc::new(Statuses {
            worker_id: self.id.clone(),
            session_timeout: Duration::from_millis(config.session_timeout_ms),
            configs: Arc::clone(&self.configs),
            log: Arc::clone(&self.statuses),
            shards: Arc::clone(&shards),
            connectors: Arc::clone(&connectors),
            states: Arc::clone(&self.states),
            written: Mutex::default(),
            finding: Arc::new(Semaphore::new(1)),
            dependencies: Arc::clone(&dependencies),
        });
        let worker = Arc::clone(&self);
        let started = Box::new(move || worker.started.store(true, Ordering::Release));
        shards.listen(Box::new(Speaker { statuses: Arc::clone(&statuses), started }));
        let stop = CancellationToken::new();
        let _stop_at_the_end = stop.clone().drop_guard();
        tokio::spawn(watch::data_topics(data_topics, stop.clone()));
        connectors.apply(&self.configs.view());
        tokio::spawn(Arc::clone(&self).follow_configs(
            Arc::clone(&connectors),
            Arc::clone(&shards),
            events,
            stop.clone(),
        ));
        tracing::info!(
            worker_id = self.id,
            connectors = self.configs.view().names().count(),
            shards = config.shards.get(),
            mode = ?self.mode,
            "starting"
        );
        if config.group_protocol == crate::kafka::settings::GroupProtocol::Consumer {
            tracing::info!("group.protocol=consumer: the session timeout is the broker's, or the group's own");
        }
        let membership = Membership::join(&joining, Arc::clone(&shards))
            .map_err(|error| WorkerError::Unavailable(error.to_string()))?;
        let (changed, mut changes) = mpsc::channel(1);
        tokio::spawn(self.watch_storage_topics(Arc::clone(&shards), changed, stop.clone())?);
        let speaking = tokio::spawn(Arc::clone(&statuses).run(stop.clone()));
        let result = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            refusal = refusals.recv() => {
                let reason = refusal.unwrap_or_default();
                Err(WorkerError::Config(format!("topic {}: {reason}", config.offsets_topic)))
            }
            Some(reason) = changes.recv() => Err(WorkerError::Config(reason)),
        };
        tracing::info!("stopping: committing what is whole, leaving the group");
        speaking.abort();
        // Leaving blocks until the shards are let go.
        let configs = Arc::clone(&self.configs);
        let left = tokio::task::spawn_blocking(move || {
            membership.leave();
            statuses.leave();
            configs.stop();
            statuses.log.stop();
        });
        if left.await.is_err() {
            tracing::error!("leaving the group panicked");
        }
        tracing::info!("stopped");
        result
    }

    /// Begins to follow the two logs.
    async fn follow(&self) -> Result<mpsc::UnboundedReceiver<Event>, WorkerError> {
        let (sender, events) = mpsc::unbounded_channel();
        let (configs, statuses) = (Arc::clone(&self.configs), Arc::clone(&self.statuses));
        let followed = tokio::task::spawn_blocking(move || {
            startup::patiently(|| configs.follow(sender.clone()))?;
            startup::patiently(|| statuses.follow())
        });
        let followed = followed.await.map_err(|error| WorkerError::Unavailable(error.to_string()))?;
        followed.map_err(startup::unavailable)?;
        if let Err(refusal) = self.configs.check_contract(&self.configs.view()) {
            return Err(WorkerError::Config(format!("topic {}: {refusal}", self.configs.topic())));
        }
        Ok(events)
    }

    /// Puts the connectors that were given into the log, as PUT config does.
    async fn put_given(&self, given: Vec<Given>, shutdown: &CancellationToken) -> Result<(), WorkerError> {
        for Given { place, settings } in given {
            let name = settings.get("name").cloned().unwrap_or_default();
            let put = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                put = self.put_config(&name, settings) => put,
            };
            match put {
                Ok(_) => tracing::info!(connector = name, place, "the connector's file is applied"),
                Err(OperationError::Unavailable(reason)) => return Err(WorkerError::Unavailable(reason)),
                Err(error) => return Err(WorkerError::Config(format!("{place}: {error}"))),
            }
        }
        Ok(())
    }

    /// Makes what the config log says so, as it goes on.
    async fn follow_configs(
        self: Arc<Self>,
        connectors: Arc<Connectors>,
        shards: Arc<Shards>,
        mut events: mpsc::UnboundedReceiver<Event>,
        stop: CancellationToken,
    ) {
        let mut moved = self.configs.watch();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = moved.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    connectors.apply(&self.configs.view());
                }
                event = events.recv() => match event {
                    None => return,
                    Some(Event::Restart(request)) => {
                        tracing::info!(connector = request.connector, task = request.task, "a restart is asked for");
                        let view = self.configs.view();
                        connectors.apply(&view);
                        connectors.restart(&request, &view);
                    }
                    Some(Event::Altered(altered)) => shards.take_again(&altered),
                    Some(Event::Logger { name, level }) => _ = self.logging.set(&name, &level),
                },
            }
        }
    }
}
