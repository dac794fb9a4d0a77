//! From settings to what runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kvs_client::{CallLimits, Client, MemoryBudget};
use tokio::sync::OnceCell;

use super::WorkerError;
use crate::config::connector::{Discovery, StreamsConfig};
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::connector::{ConnectorContext, StreamPlan};
use crate::kafka::topics::TopicPlan;
use crate::kafka::{KafkaSettings, TopicFacts, Topics};
use crate::record::{AvroValue, NotificationTopic, TimestampPolicy, ValueEncoder};
use crate::shard::transaction::TransactionLimits;
use crate::shard::{Contract, OffsetKey, OwnerSettings};
use crate::telemetry::CallMetrics;

/// What a record is larger than its payload, at most: index of the frames, tracks, tags, key, headers.
const RECORD_OVERHEAD_BYTES: usize = 4 << 20;
/// How long a topic that we make keeps its records, when the connector does not say: a week, as Kafka has it.
const DEFAULT_RETENTION_MS: &str = "604800000";

/// How long notifications are kept, when we make their topic: 30 days.
const NOTIFICATIONS_RETENTION_MS: &str = "2592000000";

/// How the worker reaches Kafka; records as large as its connectors need.
pub(crate) fn kafka_settings(config: &WorkerConfig, connectors: &[ConnectorConfig]) -> KafkaSettings {
    let largest = connectors.iter().map(|connector| connector.fragment_max_size_bytes()).max().unwrap_or(1 << 20);
    KafkaSettings {
        bootstrap_servers: config.bootstrap_servers.clone(),
        common: config.common.clone(),
        producer: config.producer.clone(),
        consumer: config.consumer.clone(),
        admin: config.admin.clone(),
        group_id: config.group_id.clone(),
        offsets_topic: config.offsets_topic.clone(),
        session_timeout_ms: config.session_timeout_ms,
        transaction_timeout_ms: config.transaction_timeout_ms,
        message_max_bytes: largest + RECORD_OVERHEAD_BYTES,
    }
}

/// What the offsets topic is bound to.
pub(crate) fn contract(config: &WorkerConfig) -> Contract {
    Contract { partitions: config.shards.get(), group_id: config.group_id.clone() }
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

/// What runs: the streams that are known from the start, and the connectors whose streams are to be looked for.
pub(super) struct Plans {
    /// Streams that are listed.
    pub(super) streams: Vec<Arc<StreamPlan>>,
    /// Connectors with conditions.
    pub(super) discoveries: Vec<(String, Discovery, Arc<ConnectorContext>)>,
}

/// All connectors, with their data topics made or checked.
pub(super) async fn plans(
    topics: &Topics,
    config: &WorkerConfig,
    connectors: &[ConnectorConfig],
) -> Result<Plans, WorkerError> {
    let budget = MemoryBudget::new(config.memory_budget_size_bytes);
    let limits = Arc::new(CallLimits::default());
    let encoder: Arc<dyn ValueEncoder> =
        Arc::new(AvroValue::new().map_err(|error| WorkerError::Config(error.to_string()))?);
    let notifications = notifications_topic(topics, config).await?;
    let mut plans = Plans { streams: Vec::new(), discoveries: Vec::new() };
    for connector in connectors {
        let facts = data_topic(topics, connector).await?;
        let in_connector = |reason: String| WorkerError::Config(format!("connector {:?}: {reason}", connector.name));
        let client = Client::new(connector.client.clone(), Arc::clone(&limits))
            .await
            .map_err(|error| in_connector(error.to_string()))?
            .with_observer(Box::new(CallMetrics { connector: connector.name.clone() }));
        let context = Arc::new(ConnectorContext {
            client: Arc::new(client),
            budget: budget.clone(),
            puller: connector.puller.clone(),
            backfill: connector.backfill,
            discovered: matches!(connector.streams, StreamsConfig::Discovered(_)),
            topic: connector.topic.as_str().into(),
            topic_partitions: facts.partitions,
            notifications: notifications.clone(),
            key_format: connector.key_format,
            encoder: Arc::clone(&encoder),
            timestamps: timestamp_policy(connector, &facts),
        });
        match &connector.streams {
            StreamsConfig::Listed(streams) => plans.streams.extend(streams.iter().map(|stream| {
                let key = OffsetKey { connector: connector.name.clone(), stream: stream.as_str().to_owned() };
                let context = Arc::clone(&context);
                Arc::new(StreamPlan { key: Arc::new(key), stream: stream.clone(), context, arn: OnceCell::new() })
            })),
            StreamsConfig::Discovered(discovery) => {
                plans.discoveries.push((connector.name.clone(), discovery.clone(), context));
            }
        }
    }
    Ok(plans)
}

async fn notifications_topic(topics: &Topics, config: &WorkerConfig) -> Result<NotificationTopic, WorkerError> {
    let plan = TopicPlan {
        name: config.notifications_topic.clone(),
        partitions: 1,
        replication_factor: config.offsets_replication_factor,
        config: BTreeMap::from([("retention.ms".to_owned(), NOTIFICATIONS_RETENTION_MS.to_owned())]),
    };
    let facts = topics.ensure(&plan).await.map_err(super::startup::topic_error)?;
    Ok(NotificationTopic { name: config.notifications_topic.as_str().into(), partitions: facts.partitions })
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

async fn data_topic(topics: &Topics, connector: &ConnectorConfig) -> Result<TopicFacts, WorkerError> {
    let limit = connector.fragment_max_size_bytes();
    let mut plan = TopicPlan {
        name: connector.topic.clone(),
        partitions: connector.topic_partitions,
        replication_factor: connector.topic_replication_factor,
        config: connector.topic_config.clone(),
    };
    let mut default = |key: &str, value: String| _ = plan.config.entry(key.to_owned()).or_insert(value);
    default("max.message.bytes", (limit + RECORD_OVERHEAD_BYTES).to_string());
    default("retention.ms", DEFAULT_RETENTION_MS.to_owned());
    let facts = topics.ensure(&plan).await.map_err(super::startup::topic_error)?;
    let max_message_bytes = facts.number("max.message.bytes").unwrap_or(i64::MAX);
    if max_message_bytes < i64::try_from(limit).unwrap_or(i64::MAX) {
        return Err(WorkerError::Config(format!(
            "topic {}: its max.message.bytes is {max_message_bytes} and connector {:?} lets fragments have {limit} bytes \
             (kvs.fragment.max.size.bytes): raise the one or lower the other",
            connector.topic, connector.name
        )));
    }
    Ok(facts)
}
