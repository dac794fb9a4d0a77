//! Turns settings into what runs.

use std::sync::Arc;
use std::time::Duration;

use kvs_client::{CallLimits, Client, MemoryBudget, StreamRef};
use tokio::sync::{OnceCell, Semaphore};

use super::earlier::{NoEarlierPositions, PositionsByArn};
use crate::cluster::Settings;
use crate::config::connector::{Discovery, ErrorsTolerance, StreamsConfig};
use crate::config::secrets::Resolved;
use crate::config::service_errors::explain;
use crate::config::{ConnectorConfig, WorkerConfig, check};
use crate::connector::{ConnectorContext, EarlierPositions, StreamPlan};
use crate::kafka::{DataTopics, KafkaLog, KafkaSettings, Topics};
use crate::model::{Contract, OffsetKey};
use crate::output::{Outputs, PrepareError, Preparer, RECORD_OVERHEAD_BYTES};
use crate::payload_store::AwsCredentials;
use crate::shard::OwnerSettings;
use crate::shard::transaction::TransactionLimits;
use crate::supervision::{Part, blocking};
use crate::telemetry::CallMetrics;

/// librdkafka's maximum of `message.max.bytes`.
const MESSAGE_MAX_BYTES: usize = 1_000_000_000;
/// The maximum number of connectors that start at once; each asks Kafka for its topic.
const STARTING_MAX: usize = 8;

/// Returns how the worker reaches Kafka. Records may be as large as the memory budget lets fragments be.
pub(crate) fn kafka_settings(config: &WorkerConfig) -> KafkaSettings {
    KafkaSettings {
        bootstrap_servers: config.bootstrap_servers.clone(),
        common: config.common.clone(),
        producer: config.producer.clone(),
        consumer: config.consumer.clone(),
        admin: config.admin.clone(),
        group_id: config.group_id.clone(),
        offsets_topic: config.offsets_topic.clone(),
        session_timeout_ms: config.session_timeout_ms,
        group_instance_id: config.group_instance_id.clone(),
        group_protocol: config.group_protocol,
        transaction_timeout_ms: config.transaction_timeout_ms,
        message_max_bytes: (config.memory_budget_size_bytes + RECORD_OVERHEAD_BYTES).min(MESSAGE_MAX_BYTES),
        claim: None,
    }
}

/// Returns this worker's version of what the group has agreed on.
pub(crate) fn contract(config: &WorkerConfig) -> Contract {
    Contract {
        offsets_topic: Some(config.offsets_topic.clone()),
        config_topic: Some(config.config_topic.clone()),
        status_topic: Some(config.status_topic.clone()),
        ..Contract::of_group(&config.group_id, config.shards.get())
    }
}

pub(super) fn owner_settings(config: &WorkerConfig) -> OwnerSettings {
    OwnerSettings {
        transaction: TransactionLimits {
            size_bytes: config.transaction_max_size_bytes,
            duration: config.transaction_max_duration,
            ..TransactionLimits::default()
        },
        // Below the session timeout (rule 10), and within the shutdown.
        release_timeout: config.shutdown_timeout.min(Duration::from_millis(config.session_timeout_ms / 2)),
        ..OwnerSettings::default()
    }
}

/// What all connectors of a worker share.
pub(super) struct Dependencies {
    /// The worker's settings.
    pub(super) config: Arc<WorkerConfig>,
    /// Looks topics up and creates them.
    pub(super) topics: Arc<Topics>,
    budget: MemoryBudget,
    limits: Arc<CallLimits>,
    outputs: Preparer,
    earlier: Arc<dyn EarlierPositions>,
    /// Bounds the connectors that start at once.
    starting: Semaphore,
}

/// Why a connector cannot run. The text contains no resolved reference.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(pub(super) String);

/// Why a connector whose settings are valid cannot run.
#[derive(Debug, thiserror::Error)]
enum PlanError {
    /// Its outputs cannot be prepared.
    #[error(transparent)]
    Outputs(#[from] PrepareError),
    /// The service cannot be called with its settings.
    #[error("{}", explain(.0))]
    Client(#[from] kvs_client::Error),
}

/// A connector that is ready to run.
pub(super) struct ConnectorPlan {
    /// The streams that are listed.
    pub(super) streams: Vec<Arc<StreamPlan>>,
    /// What is published for its streams.
    pub(super) outputs: Outputs,
    /// The conditions, if its streams are to be discovered.
    pub(super) discovery: Option<(Discovery, Arc<ConnectorContext>)>,
}

impl Dependencies {
    pub(super) fn new(config: Arc<WorkerConfig>, topics: Arc<Topics>, data_topics: Arc<DataTopics>) -> Self {
        // With readers of its own, so that reading all shards does not keep any from being acquired.
        let log = Arc::new(KafkaLog::new(kafka_settings(&config)));
        let earlier = Arc::new(PositionsByArn::new(log, contract(&config), config.shards));
        Self {
            earlier,
            budget: MemoryBudget::new(config.memory_budget_size_bytes),
            limits: Arc::default(),
            outputs: Preparer::new(Arc::clone(&config), Arc::clone(&topics), data_topics),
            starting: Semaphore::new(STARTING_MAX),
            config,
            topics,
        }
    }

    /// Resolves a connector's references, creates or checks its data topic, and returns the connector ready to run.
    /// `own_offsets_topic`: its offsets are not in the worker's topic.
    ///
    /// # Errors
    /// When it cannot run; the text contains no resolved reference.
    pub(super) async fn plan(&self, settings: &Settings, own_offsets_topic: bool) -> Result<ConnectorPlan, Refused> {
        let _turn = self.starting.acquire().await.map_err(|error| Refused(error.to_string()))?;
        // The check reads files of secrets.
        let (config, given) = (Arc::clone(&self.config), settings.clone());
        let checked = move || check::connector(Some(&config), "settings", &given);
        let checked = blocking(Part::Connector, checked).await;
        let (connector, resolved) = checked.map_err(|problems| {
            let problems = problems.iter().map(|problem| format!("{}: {}", problem.key, problem.reason));
            Refused(problems.collect::<Vec<_>>().join("; "))
        })?;
        // A note may contain what a reference was resolved to, or something derived from it.
        for note in connector.notes.iter().filter(|_| resolved.settings == *settings) {
            tracing::info!(connector = connector.name, "{note}");
        }
        let planned = self.plan_resolved(&connector, resolved.clone(), own_offsets_topic).await;
        planned.map_err(|error| Refused(resolved.hide(&error.to_string())))
    }

    /// Sets the settings of all connectors of the group: a template of one leads to no topic that another one has for something else.
    pub(super) fn set_group_topics<'a>(&self, connectors: impl Iterator<Item = (&'a String, &'a Settings)>) {
        self.outputs.group_topics().set(connectors);
    }

    /// Returns how many bytes of the memory budget are in use.
    pub(super) fn budget_used_bytes(&self) -> usize {
        self.budget.used_bytes()
    }

    /// Shares an account's limits on calls among this many workers of the group.
    pub(super) fn share_calls(&self, workers: usize) {
        self.limits.share_among(workers);
    }

    /// Creates a client of the service with a connector's settings.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(super) async fn client(&self, connector: &ConnectorConfig) -> Result<Client, kvs_client::Error> {
        let client = Client::new(connector.client.clone(), Arc::clone(&self.limits)).await?;
        Ok(client.with_observer(Box::new(CallMetrics { connector: connector.name.clone() })))
    }

    /// Returns what starting a connector would find wrong with its topics, as setting and reason. The topics are looked
    /// up, not created.
    pub(super) async fn topic_problems(&self, connector: &ConnectorConfig) -> Vec<(String, String)> {
        self.outputs.problems(connector).await
    }

    async fn plan_resolved(
        &self,
        connector: &ConnectorConfig,
        resolved: Resolved,
        own_offsets_topic: bool,
    ) -> Result<ConnectorPlan, PlanError> {
        let client = Arc::new(self.client(connector).await?);
        let mut connector = connector.clone();
        if let Some(store) = &mut connector.payload.store {
            // As far as the settings do not say it, the region is where the client has it from.
            store.region.get_or_insert_with(|| client.region().to_owned());
        }
        let connector = &connector;
        let credentials: Arc<dyn AwsCredentials> = Arc::<Client>::clone(&client);
        let outputs = self.outputs.prepare(connector, credentials).await?;
        let mut puller = connector.puller.clone();
        puller.pass_over_unparsable = connector.errors_tolerance == ErrorsTolerance::All;
        puller.memory_factor = connector.memory_factor();
        puller.raw_max_bytes = connector.dead_letters.as_ref().map_or(0, |letters| letters.value_max_bytes);
        let context = Arc::new(ConnectorContext {
            client,
            budget: self.budget.clone(),
            puller,
            // Positions under ARNs were moved along to the connector's own topic.
            earlier: if own_offsets_topic { Arc::new(NoEarlierPositions) } else { Arc::clone(&self.earlier) },
            silent_after: connector.silent_after,
            restart: connector.restart,
            backfill: connector.backfill.clone(),
            discovered: matches!(connector.streams, StreamsConfig::Discovered(_)),
            outputs: outputs.clone(),
            resolved,
        });
        let plan = |stream: &StreamRef| {
            let key = OffsetKey::of_stream(&connector.name, stream.as_str());
            let (stream, context) = (stream.clone(), Arc::clone(&context));
            Arc::new(StreamPlan { key: Arc::new(key), stream, context, arn: OnceCell::new() })
        };
        let (streams, discovery) = match &connector.streams {
            StreamsConfig::Listed(streams) => (streams.iter().map(plan).collect(), None),
            StreamsConfig::Discovered(discovery) => (Vec::new(), Some((discovery.clone(), context))),
        };
        Ok(ConnectorPlan { streams, outputs, discovery })
    }
}
