//! A worker: shards and connectors, from start to shutdown.
//!
//! **Contract.** [`run`] waits for Kafka, makes or checks the topics, joins the group, and owns what it is given until
//! it is told to stop or the topics turn out not to be its own. Nothing is pulled for a shard that is not assigned.

pub(crate) mod plan;
mod shards;
mod startup;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::config::{ConnectorConfig, WorkerConfig};
use crate::connector::StreamStates;
use crate::connector::discovery::{self, StreamListener};
use crate::kafka::{KafkaLog, Membership, Topics};
use crate::rest;

use shards::Shards;

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

/// What the worker shows of itself.
#[derive(Debug)]
pub struct WorkerView {
    /// Whether it has joined the group.
    pub started: AtomicBool,
    /// Its streams.
    pub states: Arc<StreamStates>,
    /// What renders the metrics.
    pub metrics: PrometheusHandle,
}

/// Runs a worker until `shutdown`.
///
/// # Errors
/// When it cannot start, or may not go on.
pub async fn run(
    config: WorkerConfig,
    connectors: Vec<ConnectorConfig>,
    metrics: PrometheusHandle,
    shutdown: CancellationToken,
) -> Result<(), WorkerError> {
    let states = Arc::new(StreamStates::default());
    let view = Arc::new(WorkerView { started: AtomicBool::new(false), states: Arc::clone(&states), metrics });
    let stop_rest = CancellationToken::new();
    let _stop_rest_at_the_end = stop_rest.clone().drop_guard();
    let address = rest::listen(config.listen, Arc::clone(&view), stop_rest)
        .await
        .map_err(|error| WorkerError::Unavailable(format!("cannot listen on {}: {error}", config.listen)))?;
    tracing::info!(url = %format!("http://{address}"), "listening");

    let settings = plan::kafka_settings(&config, &connectors);
    let topics = Topics::new(&settings)
        .map_err(|error| WorkerError::Config(format!("Kafka's client does not take the settings: {error}")))?;
    if !startup::wait_for_kafka(&topics, &settings.bootstrap_servers, &shutdown).await {
        return Ok(());
    }
    let contract = plan::contract(&config);
    startup::offsets_topic(&topics, &config).await?;
    let log = Arc::new(KafkaLog::new(settings.clone()));
    startup::check_contract(Arc::clone(&log), contract.clone(), config.shards).await?;
    let plans = plan::plans(&topics, &config, &connectors).await?;
    tracing::info!(
        connectors = connectors.len(),
        streams = plans.streams.len(),
        discoveries = plans.discoveries.len(),
        shards = config.shards.get(),
        "starting"
    );

    let (refused, mut refusals) = mpsc::channel(1);
    let owner_settings = plan::owner_settings(&config);
    let look_now: Vec<Arc<Notify>> = plans.discoveries.iter().map(|_| Arc::default()).collect();
    let shards = Arc::new(Shards::new(
        config.shards,
        contract,
        log,
        owner_settings,
        states,
        Handle::current(),
        refused,
        Box::new({
            let (view, look_now) = (Arc::clone(&view), look_now.clone());
            move || {
                view.started.store(true, Ordering::Release);
                // Shards that have come may have streams that nobody here has looked for.
                look_now.iter().for_each(|notify| notify.notify_one());
            }
        }),
    ));
    plans.streams.into_iter().for_each(|plan| shards.added(plan));
    let stop_looking = CancellationToken::new();
    let _stop_looking_at_the_end = stop_looking.clone().drop_guard();
    for ((connector, discovery, context), look_now) in plans.discoveries.into_iter().zip(look_now) {
        let listener: Arc<dyn StreamListener> = Arc::clone(&shards) as _;
        tokio::spawn(discovery::run(connector, discovery, context, listener, look_now, stop_looking.clone()));
    }
    let membership = Membership::join(&settings, Arc::clone(&shards))
        .map_err(|error| WorkerError::Unavailable(error.to_string()))?;
    let result = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        refusal = refusals.recv() => {
            let reason = refusal.unwrap_or_default();
            Err(WorkerError::Config(format!("topic {}: {reason}", config.offsets_topic)))
        }
    };
    tracing::info!("stopping: committing what is whole, leaving the group");
    // Leaving blocks until the shards are let go.
    if tokio::task::spawn_blocking(move || membership.leave()).await.is_err() {
        tracing::error!("leaving the group panicked");
    }
    tracing::info!("stopped");
    result
}
