//! From settings to what runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kvs_client::{CallLimits, Client, MemoryBudget, PullerConfig, StreamRef};
use tokio::sync::{OnceCell, Semaphore};

use super::WorkerError;
use super::earlier::PositionsByArn;
use crate::cluster::Settings;
use crate::config::connector::{Discovery, ErrorsTolerance, StreamsConfig};
use crate::config::keys::TOPIC_CREATION_PREFIX;
use crate::config::secrets::Resolved;
use crate::config::{ConnectorConfig, WorkerConfig, check};
use crate::connector::{ConnectorContext, EarlierPositions, StreamPlan};
use crate::kafka::topics::TopicPlan;
use crate::kafka::{DataTopic, DataTopics, KafkaLog, KafkaSettings, PlanSettings, TopicError, TopicFacts, Topics};
use crate::record::{AvroValue, NotificationTopic, TimestampPolicy, ValueEncoder};
use crate::shard::transaction::TransactionLimits;
use crate::model::{Contract, OffsetKey};
use crate::shard::{OwnerSettings};
use crate::telemetry::CallMetrics;

/// What a record is larger than its payload, at most: index of the frames, tracks, tags, key, headers.
const RECORD_OVERHEAD_BYTES: usize = 4 << 20;
/// librdkafka takes no larger one.
const MESSAGE_MAX_BYTES: usize = 1_000_000_000;
/// So many connectors are started side by side: each asks Kafka for its topic.
const STARTING_MAX: usize = 8;
/// How long a topic that we make keeps its records, when the connector does not say: a week, as Kafka has it.
const DEFAULT_RETENTION_MS: &str = "604800000";

/// How long notifications are kept, when we make their topic: 30 days.
const NOTIFICATIONS_RETENTION_MS: &str = "2592000000";

/// How the worker reaches Kafka; records as large as its memory budget lets fragments be.
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

/// What the group has agreed on, as this worker has it.
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
    /// Asks for topics and makes them.
    pub(super) topics: Topics,
    budget: MemoryBudget,
    limits: Arc<CallLimits>,
    encoder: Arc<dyn ValueEncoder>,
    notifications: tokio::sync::Mutex<Option<(NotificationTopic, Arc<DataTopic>)>>,
    data_topics: Arc<DataTopics>,
    earlier: Arc<dyn EarlierPositions>,
    /// Connectors that are being started at once.
    starting: Semaphore,
}

/// A connector that is ready to run.
pub(super) struct ConnectorPlan {
    /// Streams that are listed.
    pub(super) streams: Vec<Arc<StreamPlan>>,
    /// Conditions, if its streams are to be looked for.
    pub(super) discovery: Option<(Discovery, Arc<ConnectorContext>)>,
}

impl Dependencies {
    pub(super) fn new(
        config: Arc<WorkerConfig>,
        topics: Topics,
        data_topics: Arc<DataTopics>,
    ) -> Result<Self, WorkerError> {
        let encoder = AvroValue::new().map_err(|error| WorkerError::Config(error.to_string()))?;
        // With readers of its own: a look at all shards is not to keep any from being taken.
        let log = Arc::new(KafkaLog::new(kafka_settings(&config)));
        let earlier = Arc::new(PositionsByArn::new(log, contract(&config), config.shards));
        Ok(Self {
            earlier,
            budget: MemoryBudget::new(config.memory_budget_size_bytes),
            limits: Arc::default(),
            encoder: Arc::new(encoder),
            notifications: tokio::sync::Mutex::default(),
            data_topics,
            starting: Semaphore::new(STARTING_MAX),
            config,
            topics,
        })
    }

    /// A connector with its references resolved and its data topic made or checked.
    ///
    /// # Errors
    /// Why it cannot run, in words that show no resolved reference.
    pub(super) async fn plan(&self, settings: &Settings) -> Result<ConnectorPlan, String> {
        let _turn = self.starting.acquire().await.map_err(|error| error.to_string())?;
        // Files of secrets are read for it.
        let (config, given) = (Arc::clone(&self.config), settings.clone());
        let checked = move || check::connector(Some(&config), "settings", &given);
        let checked = tokio::task::spawn_blocking(checked).await.map_err(|error| error.to_string())?;
        let (connector, resolved) = checked.map_err(|problems| {
            problems.iter().map(|problem| format!("{}: {}", problem.key, problem.reason)).collect::<Vec<_>>().join("; ")
        })?;
        // What a reference was resolved to is not shown, nor what was made of it.
        for note in connector.notes.iter().filter(|_| resolved.settings == *settings) {
            tracing::info!(connector = connector.name, "{note}");
        }
        let planned = self.plan_resolved(&connector, resolved.clone()).await;
        planned.map_err(|reason| resolved.hide(&reason))
    }

    /// Returns how many bytes of the memory budget are in use.
    pub(super) fn budget_used_bytes(&self) -> usize {
        self.budget.used_bytes()
    }

    /// An account's limits on calls are shared with the other workers of the group.
    pub(super) fn share_calls(&self, workers: usize) {
        self.limits.share_among(workers);
    }

    /// A client of the service, with a connector's settings.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn client(&self, connector: &ConnectorConfig) -> Result<Client, String> {
        let client = Client::new(connector.client.clone(), Arc::clone(&self.limits)).await;
        let client = client.map_err(|error| error.to_string())?;
        Ok(client.with_observer(Box::new(CallMetrics { connector: connector.name.clone() })))
    }

    /// The topic of notifications; made or checked when it is first needed, and again when it is gone.
    async fn notifications_topic(&self) -> NotificationTopic {
        let mut known = self.notifications.lock().await;
        if let Some((notifications, data_topic)) = &*known
            && data_topic.count().is_ok()
        {
            return notifications.clone();
        }
        let plan = TopicPlan {
            name: self.config.notifications_topic.clone(),
            partitions: 1,
            replication_factor: self.config.offsets_replication_factor,
            config: BTreeMap::from([("retention.ms".to_owned(), NOTIFICATIONS_RETENTION_MS.to_owned())]),
            settings: PlanSettings {
                name: "notifications.topic",
                partitions: None,
                replication_factor: "offset.storage.replication.factor",
                config_prefix: None,
            },
        };
        let name: Arc<str> = plan.name.as_str().into();
        match self.topics.ensure(&plan).await {
            Ok(facts) => {
                let notifications = NotificationTopic { name, partitions: facts.partitions };
                *known = Some((notifications.clone(), self.data_topics.topic(&plan.name, facts.partitions)));
                notifications
            }
            Err(error) => {
                // No fragment waits for it.
                tracing::warn!(%error, "notifications.topic cannot be used: what would be told there is dropped");
                NotificationTopic { name, partitions: 1 }
            }
        }
    }

    /// What making a connector would find wrong with its data topic, which is looked at and not made: setting and reason.
    pub(super) async fn data_topic_problems(&self, connector: &ConnectorConfig) -> Vec<(String, String)> {
        let plan = data_topic(connector);
        match self.topics.look(&plan).await {
            Ok(Some(facts)) => {
                let checked = check_data_topic(connector, &facts);
                checked.err().map(|(key, reason)| (key.to_owned(), reason)).into_iter().collect()
            }
            // It would be made with the configuration that is planned.
            Ok(None) => {
                let config = plan.config.clone();
                let facts = TopicFacts { partitions: plan.partitions, config, created: true };
                let checked = check_data_topic(connector, &facts);
                checked.err().map(|(key, reason)| (key.to_owned(), reason)).into_iter().collect()
            }
            Err(TopicError::Refused { faults, .. }) => {
                faults.into_iter().map(|fault| (fault.key, fault.reason)).collect()
            }
            Err(error) => vec![(plan.settings.name.to_owned(), error.to_string())],
        }
    }

    async fn plan_resolved(&self, connector: &ConnectorConfig, resolved: Resolved) -> Result<ConnectorPlan, String> {
        let notifications = self.notifications_topic().await;
        let plan = data_topic(connector);
        let facts = self.topics.ensure(&plan).await.map_err(|error| error.to_string())?;
        check_data_topic(connector, &facts).map_err(|(_, reason)| reason)?;
        let client = self.client(connector).await?;
        let context = Arc::new(ConnectorContext {
            client: Arc::new(client),
            budget: self.budget.clone(),
            puller: PullerConfig {
                pass_over_unparsable: connector.errors_tolerance == ErrorsTolerance::All,
                ..connector.puller.clone()
            },
            earlier: Arc::clone(&self.earlier),
            restart: connector.restart,
            backfill: connector.backfill.clone(),
            discovered: matches!(connector.streams, StreamsConfig::Discovered(_)),
            topic: connector.topic.as_str().into(),
            partitions: self.data_topics.topic(&connector.topic, facts.partitions),
            notifications,
            key_format: connector.key_format,
            encoder: Arc::clone(&self.encoder),
            timestamps: timestamp_policy(connector, &facts),
            resolved,
        });
        let plan = |stream: &StreamRef| {
            let key = OffsetKey::of_stream(&connector.name, stream.as_str());
            let (stream, context) = (stream.clone(), Arc::clone(&context));
            Arc::new(StreamPlan { key: Arc::new(key), stream, context, arn: OnceCell::new() })
        };
        Ok(match &connector.streams {
            StreamsConfig::Listed(streams) => {
                ConnectorPlan { streams: streams.iter().map(plan).collect(), discovery: None }
            }
            StreamsConfig::Discovered(discovery) => {
                ConnectorPlan { streams: Vec::new(), discovery: Some((discovery.clone(), context)) }
            }
        })
    }
}

fn timestamp_policy(connector: &ConnectorConfig, facts: &TopicFacts) -> TimestampPolicy {
    let deletes = facts.config.get("cleanup.policy").is_none_or(|policy| policy.contains("delete"));
    TimestampPolicy {
        wanted: connector.record_timestamp,
        retention_ms: facts.number("retention.ms").filter(|&retention_ms| deletes && retention_ms >= 0),
        before_max_ms: facts.number("message.timestamp.before.max.ms").unwrap_or(i64::MAX),
        after_max_ms: facts.number("message.timestamp.after.max.ms").unwrap_or(3_600_000),
    }
}

/// The data topic of a connector, as it is made when it is missing.
fn data_topic(connector: &ConnectorConfig) -> TopicPlan {
    let mut plan = TopicPlan {
        name: connector.topic.clone(),
        partitions: connector.topic_partitions,
        replication_factor: connector.topic_replication_factor,
        config: connector.topic_config.clone(),
        settings: PlanSettings {
            name: "topic",
            partitions: Some("topic.creation.default.partitions"),
            replication_factor: "topic.creation.default.replication.factor",
            config_prefix: Some(TOPIC_CREATION_PREFIX),
        },
    };
    let record_size_bytes = connector.fragment_max_size_bytes() + RECORD_OVERHEAD_BYTES;
    let mut default = |key: &str, value: String| _ = plan.config.entry(key.to_owned()).or_insert(value);
    default("max.message.bytes", record_size_bytes.to_string());
    default("retention.ms", DEFAULT_RETENTION_MS.to_owned());
    plan
}

/// Whether a data topic takes what its connector writes.
///
/// # Errors
/// The setting that it does not go together with, and the reason.
fn check_data_topic(connector: &ConnectorConfig, facts: &TopicFacts) -> Result<(), (&'static str, String)> {
    let limit = connector.fragment_max_size_bytes();
    let max_message_bytes = facts.number("max.message.bytes").unwrap_or(i64::MAX);
    if max_message_bytes < i64::try_from(limit).unwrap_or(i64::MAX) {
        let reason = format!(
            "topic {}: its max.message.bytes is {max_message_bytes} and connector {:?} lets fragments have {limit} bytes \
             (kvs.fragment.max.size.bytes): raise the one or lower the other",
            connector.topic, connector.name
        );
        return Err(("kvs.fragment.max.size.bytes", reason));
    }
    Ok(())
}
