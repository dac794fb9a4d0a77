//! A worker's life: it starts, joins its group and holds shards, and stops.
//!
//! **Contract.** [`Worker::run`] waits for Kafka, creates or checks the topics, reads the config log, joins the group,
//! and owns the shards assigned to it until it is stopped or the topics turn out not to be its own. Nothing is pulled
//! for a shard that is not assigned. Its [`Phase`] contains what exists at each moment; group-wide operations are in
//! its [`Herder`].

mod agreement;
pub mod clients;
pub mod connections;
mod connectors;
mod earlier;
mod error;
mod joining;
mod member;
mod offsets_topics;
pub(crate) mod plan;
mod shard_topics;
mod shards;
mod standalone;
mod startup;
mod status_reporter;
mod supervisor;
mod unassigned;
mod unusable_topic;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch as watched};
use tokio_util::sync::CancellationToken;

use crate::cluster::status::Reporter;
use crate::cluster::{ConfigLog, ConfigStore, Event, MemoryLog, StatusLog};
use crate::config::WorkerConfig;
use crate::config::connector::ConnectorFile;
use crate::connector::StreamStates;
use crate::herder::{self, Herder, Phase};
use crate::kafka::{KafkaConfigStore, KafkaLog, KafkaSettings, KafkaStatusStore};
use crate::logging::Logging;
use crate::model::Contract;
use crate::open_files;
use crate::supervision::{Panicked, Part, catch_blocking, fault_point};
use crate::telemetry::{self, Metrics, UPKEEP_EVERY};

use connectors::Connectors;
pub use error::WorkerError;
use supervisor::Supervisor;

/// The time after which a worker exits even if it has not left its group. Nothing is lost: what was not committed is
/// pulled again.
const LEAVE_MAX: Duration = Duration::from_millis(9_500);

/// Where connectors come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The config topic, into which the connectors' files are written.
    Distributed,
    /// The connectors' files, and changes over REST for as long as this process lives.
    Standalone,
}

/// A worker, started or not.
pub struct Worker {
    config: Arc<WorkerConfig>,
    mode: Mode,
    /// This worker's version of what its group has agreed on.
    contract: Contract,
    /// Identifies this run of the worker to others.
    reporter: Reporter,
    kafka: KafkaSettings,
    configs: Arc<ConfigLog>,
    statuses: Arc<StatusLog>,
    /// For requests about offsets, which must not keep shards from being acquired.
    offsets_log: Arc<KafkaLog>,
    states: Arc<StreamStates>,
    phase: watched::Sender<Phase>,
    herder: Arc<Herder>,
    metrics: Metrics,
}

impl Worker {
    /// Creates a worker. Nothing runs and nothing is contacted before [`Worker::run`].
    pub fn new(config: WorkerConfig, mode: Mode, id: String, metrics: Metrics, logging: Logging) -> Self {
        let config = Arc::new(config);
        let kafka = plan::kafka_settings(&config);
        let store: Arc<dyn ConfigStore> = match mode {
            Mode::Distributed => Arc::new(KafkaConfigStore::new(&kafka, &config.config_topic)),
            Mode::Standalone => Arc::new(MemoryLog::default()),
        };
        let mut contract = plan::contract(&config);
        if mode == Mode::Standalone {
            contract.config_topic = None;
        }
        let configs = Arc::new(ConfigLog::new(store, contract.clone()));
        let statuses = Arc::new(StatusLog::new(Arc::new(KafkaStatusStore::new(&kafka, &config.status_topic))));
        let offsets_log = Arc::new(KafkaLog::new(kafka.clone()));
        let states = Arc::<StreamStates>::default();
        let phase = watched::Sender::new(Phase::Starting { cluster_id: None, waiting: None });
        let herder = Herder::new(herder::Parts {
            config: Arc::clone(&config),
            worker_id: id.clone(),
            phase: phase.subscribe(),
            configs: Arc::clone(&configs),
            statuses: Arc::clone(&statuses),
            offsets_log: Arc::clone(&offsets_log),
            contract: contract.clone(),
            states: Arc::clone(&states),
            metrics: metrics.clone(),
            logging,
        });
        Self {
            config,
            mode,
            contract,
            reporter: Reporter::new(&id),
            kafka,
            configs,
            statuses,
            offsets_log,
            states,
            phase,
            herder: Arc::new(herder),
            metrics,
        }
    }

    /// Returns the worker's herder.
    pub fn herder(&self) -> &Arc<Herder> {
        &self.herder
    }

    /// Runs until `shutdown`, or until an indispensable part has ended; `rest_ends` reports the end of the REST API.
    ///
    /// # Errors
    /// When it cannot start, or must not continue.
    pub async fn run(
        self: Arc<Self>,
        given: Vec<ConnectorFile>,
        shutdown: CancellationToken,
        mut rest_ends: mpsc::Receiver<Panicked>,
    ) -> Result<(), WorkerError> {
        let (supervisor, mut ends) = Supervisor::new();
        let _stop_at_the_end = supervisor.stop.clone().drop_guard();
        supervisor.start(Part::Metrics, Arc::clone(&self).keep_metrics(supervisor.stop.clone()));
        supervisor.start(Part::OpenFiles, open_files::watch(supervisor.stop.clone()));
        let prepared = tokio::select! {
            // When a part has ended, that is the reason for failures that follow from it.
            biased;
            error = end_of_a_part(&mut ends, &mut rest_ends) => {
                tracing::error!(%error, "the worker cannot start and exits");
                return Err(error);
            }
            prepared = self.prepare(given, &supervisor, &shutdown) => prepared?,
        };
        let Some(prepared) = prepared else { return Ok(()) };
        let joined = Arc::clone(&self).join(prepared, &supervisor)?;
        let result = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            error = end_of_a_part(&mut ends, &mut rest_ends) => Err(error),
        };
        if let Err(error) = &result {
            tracing::error!(%error, "the worker cannot continue and exits");
        }
        tracing::info!("stopping: committing complete fragments, leaving the group");
        self.phase.send_modify(Phase::stop);
        let left = within(LEAVE_MAX, joined.leave(&self.configs, &self.statuses)).await;
        // Why the worker exits matters more than how leaving went.
        result.and(left)
    }

    /// Maintains the metrics, so that they do not grow with time.
    async fn keep_metrics(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(UPKEEP_EVERY) => {}
            }
            let member = self.phase.borrow().member().cloned();
            if let Some(member) = member {
                telemetry::budget_used(member.budget_used_bytes());
            }
            let worker = Arc::clone(&self);
            let keep = move || {
                fault_point(Part::Metrics);
                let here = worker.states.names();
                worker.metrics.upkeep(|connector, stream| {
                    // Calls that concern no stream are recorded with an empty one.
                    here.get(connector).is_some_and(|streams| stream.is_empty() || streams.contains(stream))
                });
            };
            if let Err(panicked) = catch_blocking(Part::Metrics, keep).await {
                panicked.go_on();
            }
        }
    }

    /// Applies the config log as it grows, until stopped.
    async fn follow_configs(
        self: Arc<Self>,
        connectors: Arc<Connectors>,
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
                        tracing::info!(connector = request.connector, task = request.task, "restart requested");
                        let view = self.configs.view();
                        connectors.apply(&view);
                        connectors.restart(&request, &view);
                    }
                    Some(Event::Altered(altered)) => connectors.altered(&altered),
                    Some(Event::Logger { name, level }) => _ = self.herder.logging().set(&name, &level),
                },
            }
        }
    }
}

/// Leaves the group, for at most `limit`.
///
/// # Errors
/// When leaving panics.
async fn within(limit: Duration, leaving: impl Future<Output = Result<(), Panicked>>) -> Result<(), WorkerError> {
    match tokio::time::timeout(limit, leaving).await {
        Ok(Ok(())) => tracing::info!("stopped"),
        Ok(Err(panicked)) => {
            tracing::error!(%panicked, "leaving the group panicked; uncommitted fragments are pulled again");
            return Err(panicked.into());
        }
        Err(_) => {
            tracing::warn!("the shutdown takes too long and is cut short; uncommitted fragments are pulled again");
        }
    }
    Ok(())
}

/// Waits until an indispensable part has ended. Returns why the worker has to exit.
async fn end_of_a_part(
    ends: &mut mpsc::Receiver<WorkerError>,
    rest_ends: &mut mpsc::Receiver<Panicked>,
) -> WorkerError {
    tokio::select! {
        Some(error) = ends.recv() => error,
        Some(panicked) = rest_ends.recv() => panicked.into(),
        else => std::future::pending().await,
    }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
