//! The herder: group-wide operations that every worker offers, like Kafka Connect's herder. The REST API is built on
//! it.
//!
//! **Contract.** A herder reads the group's state from what this worker has read of the config log and the status
//! topic, and makes changes for the group under the log's fence. It starts nothing by itself and knows nothing of HTTP.
//! Slow operations run a few at a time, in order and within bounds ([`turns`]). The worker's [`Phase`] contains what
//! exists at each moment.

mod changes;
mod connectors;
mod editor;
mod error;
mod health;
mod offsets;
mod phase;
mod settings;
mod status;
pub(crate) mod turns;
mod validation;

use std::sync::Arc;

use tokio::sync::watch;

use crate::cluster::{ConfigLog, ConfigView, StatusLog};
use crate::config::WorkerConfig;
use crate::connector::StreamStates;
use crate::connector::state::StreamStatus;
use crate::kafka::KafkaLog;
use crate::logging::{self, Logging};
use crate::model::{Contract, OffsetKey};
use crate::open_files;
use crate::telemetry::{self, Metrics};

pub(crate) use changes::Changes;
pub use connectors::{TaskInfo, tasks_of};
pub use editor::{Alterations, Offsets};
pub use error::{OffsetsError, OperationError};
pub use health::{FailedConnector, Health};
pub(crate) use phase::{Member, Phase};
pub use status::ConnectorStatus;

use editor::OffsetsEditor;
use turns::Turns;

/// Group-wide operations, as one worker offers them.
pub struct Herder {
    config: Arc<WorkerConfig>,
    /// `host:port`, which identifies the worker to others.
    worker_id: String,
    phase: watch::Receiver<Phase>,
    configs: Arc<ConfigLog>,
    statuses: Arc<StatusLog>,
    changes: Changes,
    offsets: OffsetsEditor,
    /// Turns of operations that neither change connectors nor concern offsets.
    errands: Turns,
    /// The states of the streams on this worker.
    states: Arc<StreamStates>,
    metrics: Metrics,
    logging: Logging,
}

/// The dependencies of a herder.
pub(crate) struct Parts {
    pub(crate) config: Arc<WorkerConfig>,
    pub(crate) worker_id: String,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) configs: Arc<ConfigLog>,
    pub(crate) statuses: Arc<StatusLog>,
    /// For requests about offsets, which must not keep shards from being acquired.
    pub(crate) offsets_log: Arc<KafkaLog>,
    pub(crate) contract: Contract,
    pub(crate) states: Arc<StreamStates>,
    pub(crate) metrics: Metrics,
    pub(crate) logging: Logging,
}

impl Herder {
    /// Creates the herder of a worker that has not started yet.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { config, worker_id, phase, configs, statuses, offsets_log, contract, states, metrics, logging } =
            parts;
        let changes = Changes::new(Arc::clone(&configs));
        let offsets = OffsetsEditor::new(offsets_log, Arc::clone(&config), contract, changes.clone());
        let errands = Turns::new(turns::ERRANDS);
        Self { config, worker_id, phase, configs, statuses, changes, offsets, errands, states, metrics, logging }
    }

    /// Returns `host:port`, which identifies this worker to others.
    pub fn worker_id(&self) -> &str {
        &self.worker_id
    }

    /// Returns the id of the Kafka cluster, once it is known.
    pub fn cluster_id(&self) -> Option<String> {
        self.phase.borrow().cluster_id().map(str::to_owned)
    }

    /// Returns the queue of changes to the config log, for changes that the worker makes by itself.
    pub(crate) fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Returns this worker's metrics in Prometheus's text format.
    pub fn render_metrics(&self) -> String {
        telemetry::process(logging::lines_dropped(), open_files::probe().is_some());
        telemetry::health(self.health() == Health::Healthy, self.failed_connectors().len());
        self.metrics.render()
    }

    /// Returns the status of each stream on this worker.
    pub fn streams(&self) -> Vec<(OffsetKey, StreamStatus)> {
        self.states.all()
    }

    /// Returns the loggers of this worker.
    pub fn logging(&self) -> &Logging {
        &self.logging
    }

    /// Sets a logger's level on all workers.
    ///
    /// # Errors
    /// While the worker is starting, and when Kafka cannot be reached.
    pub async fn set_logger_everywhere(&self, name: &str, level: &str) -> Result<(), OperationError> {
        self.view()?;
        let (name, level) = (name.to_owned(), level.to_owned());
        self.changes.make(move |_| Ok(crate::cluster::change::logger(&name, &level))).await.map(|_| ())
    }

    /// Returns the config log's content, as far as this worker has read it.
    ///
    /// # Errors
    /// While the worker is starting.
    pub fn view(&self) -> Result<Arc<ConfigView>, OperationError> {
        let phase = self.phase.borrow();
        if phase.is_member() {
            Ok(self.configs.view())
        } else {
            Err(OperationError::Starting { reason: phase.waits_for() })
        }
    }
}
