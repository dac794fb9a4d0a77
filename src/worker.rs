//! A worker: shards and connectors, from start to shutdown; and what it answers for its group.
//!
//! **Contract.** [`Worker::run`] waits for Kafka, makes or checks the topics, reads the config log, joins the group, and
//! owns what it is given until it is told to stop or the topics turn out not to be its own. Nothing is pulled for a shard
//! that is not assigned. Any worker answers for all of its group, and makes changes for all of it ([`operations`]).

mod agreement;
pub mod clients;
mod connectors;
mod earlier;
pub mod offsets;
pub mod operations;
pub(crate) mod plan;
mod settings;
mod shards;
mod startup;
mod statuses;
pub(crate) mod turns;
mod unassigned;
mod validation;
mod watch;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cluster::status::Reporter;
use crate::cluster::{ConfigLog, ConfigStore, Event, FollowerEnded, MemoryLog, StatusLog};
use crate::config::WorkerConfig;
use crate::config::connector::ConnectorFile;
use crate::connector::StreamStates;
use crate::kafka::{DataTopics, KafkaConfigStore, KafkaLog, KafkaSettings, KafkaStatusStore, Membership, Topics};
use crate::logging::Logging;
use crate::model::Contract;
use crate::open_files;
use crate::shard::{ConfigGate, OwnerContext};
use crate::supervision::{Panicked, Part, catch_async, catch_blocking, fault_point};
use crate::telemetry::{self, Metrics, UPKEEP_EVERY};

use connectors::Connectors;
use plan::Dependencies;
use shards::Shards;
use statuses::{Speaker, Statuses};
use turns::Turns;

pub use offsets::OffsetsError;
pub use operations::{OperationError, TaskInfo};

/// Events of the config log that wait to be done: restarts, alterations, levels of loggers.
const EVENTS_MAX: usize = 1_000;

/// Reasons to end that wait to be heard: one is enough.
const ENDINGS_MAX: usize = 16;

/// Why a worker ended without being told to.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The settings do not fit what is there: exit code 78.
    #[error("{0}")]
    Config(String),
    /// Something that is needed cannot be had: exit code 69.
    #[error("{0}")]
    Unavailable(String),
    /// A part of it has panicked, and it cannot go on without: exit code 70, upon which systemd or Kubernetes starts it
    /// again.
    #[error(transparent)]
    Panicked(#[from] Panicked),
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
    /// By which others know it.
    reporter: Reporter,
    kafka: KafkaSettings,
    configs: Arc<ConfigLog>,
    statuses: Arc<StatusLog>,
    states: Arc<StreamStates>,
    gate: Arc<ConfigGate>,
    /// For questions about offsets, which are not to keep shards from being taken.
    offsets_log: Arc<KafkaLog>,
    changes: Arc<Turns>,
    alterations: Turns,
    readings: Turns,
    errands: Turns,
    /// Whether it has joined the group.
    started: AtomicBool,
    cluster_id: OnceLock<String>,
    dependencies: OnceLock<Arc<Dependencies>>,
    shards: OnceLock<Arc<Shards>>,
    metrics: Metrics,
    logging: Logging,
}

impl Worker {
    /// Nothing runs and nobody is asked before [`Worker::run`].
    pub fn new(config: WorkerConfig, mode: Mode, id: String, metrics: Metrics, logging: Logging) -> Self {
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
            reporter: Reporter::new(&id),
            kafka,
            states: Arc::default(),
            changes: Arc::new(Turns::new(turns::CHANGES)),
            alterations: Turns::new(turns::ALTERATIONS),
            readings: Turns::new(turns::READINGS),
            errands: Turns::new(turns::ERRANDS),
            started: AtomicBool::new(false),
            cluster_id: OnceLock::new(),
            dependencies: OnceLock::new(),
            shards: OnceLock::new(),
            metrics,
            logging,
        }
    }

    /// Runs until `shutdown`, or until a part that it cannot do without has ended; `rest_ends` says that of its REST API.
    ///
    /// # Errors
    /// When it cannot start, or may not go on.
    pub async fn run(
        self: Arc<Self>,
        given: Vec<ConnectorFile>,
        shutdown: CancellationToken,
        mut rest_ends: mpsc::Receiver<Panicked>,
    ) -> Result<(), WorkerError> {
        let config = Arc::clone(&self.config);
        let (endings, mut ends) = mpsc::channel(ENDINGS_MAX);
        let stop = CancellationToken::new();
        let _stop_at_the_end = stop.clone().drop_guard();
        supervise(Part::Metrics, Arc::clone(&self).keep_metrics(stop.clone()), &endings);
        supervise(Part::OpenFiles, open_files::watch(stop.clone()), &endings);
        let topics = Arc::new(Topics::new(&self.kafka).map_err(startup::refused_settings)?);
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
        let events = self.follow(&endings).await?;
        if !startup::refuse_namesake(&self.statuses, &config, &self.reporter, &shutdown).await? {
            return Ok(());
        }
        let names = given.iter().filter_map(|given| given.settings.get("name").cloned()).collect();
        let joining = self.agree(group, offsets_begun, names).await?;
        let dependencies = Arc::new(Dependencies::new(Arc::clone(&config), topics, Arc::clone(&data_topics)));
        let _ = self.dependencies.set(Arc::clone(&dependencies));
        dependencies.share_calls(self.statuses.look(|view| view.workers(Instant::now()).count()) + 1);
        self.put_given(given, &shutdown).await?;

        let owners =
            OwnerContext { log, contract, settings: plan::owner_settings(&config), runtime: Handle::current() };
        let shards = Arc::new(Shards::new(
            config.shards,
            owners,
            Arc::clone(&self.states),
            endings.clone(),
            Arc::clone(&self.gate),
        ));
        let _ = self.shards.set(Arc::clone(&shards));
        let connectors = Arc::new(Connectors::new(
            Arc::clone(&dependencies),
            Arc::clone(&shards),
            Arc::clone(&self.gate),
            Handle::current(),
        ));
        let statuses = Arc::new(Statuses {
            reporter: self.reporter.clone(),
            group_instance_id: config.group_instance_id.clone(),
            session_timeout: Duration::from_millis(config.session_timeout_ms),
            configs: Arc::clone(&self.configs),
            log: Arc::clone(&self.statuses),
            shards: Arc::clone(&shards),
            connectors: Arc::clone(&connectors),
            states: Arc::clone(&self.states),
            written: Mutex::default(),
            unassigned: Mutex::default(),
            finding: Arc::new(Semaphore::new(1)),
            changes: Arc::clone(&self.changes),
            dependencies: Arc::clone(&dependencies),
        });
        let worker = Arc::clone(&self);
        let started = Box::new(move || worker.started.store(true, Ordering::Release));
        shards.listen(Box::new(Speaker { statuses: Arc::clone(&statuses), started }));
        supervise(Part::DataTopics, watch::data_topics(data_topics, stop.clone()), &endings);
        connectors.apply(&self.configs.view());
        let following =
            Arc::clone(&self).follow_configs(Arc::clone(&connectors), Arc::clone(&shards), events, stop.clone());
        supervise(Part::Configs, following, &endings);
        tracing::info!(
            worker_id = self.reporter.worker_id,
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
        let watching =
            self.watch_storage_topics(Arc::clone(&shards), Arc::clone(&dependencies), endings.clone(), stop.clone())?;
        supervise(Part::StorageTopics, watching, &endings);
        let reporting = supervise(Part::Statuses, Arc::clone(&statuses).run(stop.clone()), &endings);
        let result = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            Some(error) = ends.recv() => Err(error),
            Some(panicked) = rest_ends.recv() => Err(panicked.into()),
        };
        if let Err(error) = &result {
            tracing::error!(%error, "the worker cannot go on and ends");
        }
        tracing::info!("stopping: committing what is whole, leaving the group");
        reporting.abort();
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

    /// Looks after what is measured: nothing of it grows with time.
    async fn keep_metrics(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(UPKEEP_EVERY) => {}
            }
            if let Some(dependencies) = self.dependencies.get() {
                telemetry::budget_used(dependencies.budget_used_bytes());
            }
            let worker = Arc::clone(&self);
            let keep = move || {
                fault_point(Part::Metrics);
                let here = worker.states.names();
                worker.metrics.upkeep(|connector, stream| {
                    // Calls that are about no stream have an empty one.
                    here.get(connector).is_some_and(|streams| stream.is_empty() || streams.contains(stream))
                });
            };
            if let Err(panicked) = catch_blocking(Part::Metrics, keep).await {
                panicked.go_on();
            }
        }
    }

    /// Begins to follow the two logs.
    async fn follow(&self, endings: &mpsc::Sender<WorkerError>) -> Result<mpsc::Receiver<Event>, WorkerError> {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let (configs, statuses) = (Arc::clone(&self.configs), Arc::clone(&self.statuses));
        let endings = endings.clone();
        let ended: FollowerEnded = Arc::new(move |panicked| _ = endings.try_send(WorkerError::Panicked(panicked)));
        let followed = tokio::task::spawn_blocking(move || {
            startup::patiently(|| configs.follow(sender.clone(), &ended))?;
            startup::patiently(|| statuses.follow(&ended))
        });
        let followed = followed.await.map_err(|error| WorkerError::Unavailable(error.to_string()))?;
        followed.map_err(startup::unavailable)?;
        if let Err(refusal) = self.configs.check_contract(&self.configs.view()) {
            return Err(WorkerError::Config(format!("topic {}: {refusal}", self.configs.topic())));
        }
        Ok(events)
    }

    /// Puts the connectors that were given into the log, as PUT config does.
    async fn put_given(&self, given: Vec<ConnectorFile>, shutdown: &CancellationToken) -> Result<(), WorkerError> {
        for ConnectorFile { place, settings } in given {
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
        mut events: mpsc::Receiver<Event>,
        stop: CancellationToken,
    ) {
        let mut moved = self.configs.watch();
        loop {
            fault_point(Part::Configs);
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
                    Some(Event::Altered(altered)) => shards.reacquire(&altered),
                    Some(Event::Logger { name, level }) => _ = self.logging.set(&name, &level),
                },
            }
        }
    }
}

/// Runs a part that the worker cannot do without, and ends the worker when it panics.
fn supervise(
    part: Part,
    run: impl Future<Output = ()> + Send + 'static,
    endings: &mpsc::Sender<WorkerError>,
) -> JoinHandle<()> {
    let endings = endings.clone();
    tokio::spawn(async move {
        if let Err(panicked) = catch_async(part, run).await {
            let _ = endings.send(WorkerError::Panicked(panicked)).await;
        }
    })
}
