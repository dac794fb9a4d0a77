//! From settings to what runs.

use std::sync::Arc;
use std::time::Duration;

use kvs_client::{CallLimits, Client, ClientConfig, Limits, MemoryBudget, PullerConfig, RetryPolicy};
use tokio::sync::OnceCell;

use super::WorkerError;
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::connector::{ConnectorContext, StreamPlan};
use crate::kafka::topics::TopicPlan;
use crate::kafka::{KafkaSettings, TopicFacts, Topics};
use crate::record::{AvroValue, HEADROOM_BYTES, TimestampPolicy, ValueEncoder};
use crate::shard::transaction::TransactionLimits;
use crate::shard::{Contract, OffsetKey, OwnerSettings};

/// What a record is larger than its payload, at most: index of the frames, tracks, tags, key, headers.
const RECORD_OVERHEAD_BYTES: usize = 4 << 20;
/// How long a topic that we make keeps its records, when the connector does not say: a week, as Kafka has it.
const DEFAULT_RETENTION_MS: &str = "604800000";

/// How the worker reaches Kafka; records as large as its connectors need.
pub(crate) fn kafka_settings(config: &WorkerConfig, connectors: &[ConnectorConfig]) -> KafkaSettings {
    let largest = connectors.iter().map(|connector| connector.fragment_max_size_bytes).max().unwrap_or(1 << 20);
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

/// All streams of all connectors, with their data topics made or checked.
pub(super) async fn streams(
    topics: &Topics,
    config: &WorkerConfig,
    connectors: &[ConnectorConfig],
) -> Result<Vec<Arc<StreamPlan>>, WorkerError> {
    let budget = MemoryBudget::new(config.memory_budget_size_bytes);
    let limits = Arc::new(CallLimits::default());
    let encoder: Arc<dyn ValueEncoder> =
        Arc::new(AvroValue::new().map_err(|error| WorkerError::Config(error.to_string()))?);
    let mut plans = Vec::new();
    for connector in connectors {
        let facts = data_topic(topics, connector).await?;
        let in_connector = |reason: String| WorkerError::Config(format!("connector {:?}: {reason}", connector.name));
        let client = Client::new(client_config(connector), Arc::clone(&limits))
            .map_err(|error| in_connector(error.to_string()))?;
        let context = Arc::new(ConnectorContext {
            client: Arc::new(client),
            budget: budget.clone(),
            puller: puller_config(connector),
            topic: connector.topic.as_str().into(),
            topic_partitions: facts.partitions,
            key_format: connector.key_format,
            encoder: Arc::clone(&encoder),
            timestamps: timestamp_policy(connector, &facts),
        });
        plans.extend(connector.streams.iter().map(|stream| {
            let key = OffsetKey { connector: connector.name.clone(), stream: stream.as_str().to_owned() };
            let context = Arc::clone(&context);
            Arc::new(StreamPlan { key: Arc::new(key), stream: stream.clone(), context, arn: OnceCell::new() })
        }));
    }
    Ok(plans)
}

fn client_config(connector: &ConnectorConfig) -> ClientConfig {
    ClientConfig {
        region: connector.region.clone(),
        endpoint: connector.endpoint.clone(),
        credentials: connector.credentials.clone(),
        connect_timeout: connector.connect_timeout,
        inactivity_timeout: connector.inactivity_timeout,
    }
}

fn puller_config(connector: &ConnectorConfig) -> PullerConfig {
    PullerConfig {
        start: connector.start.clone(),
        position_lost: connector.position_lost,
        limits: Limits { fragment_size_bytes: connector.fragment_max_size_bytes, ..Limits::default() },
        headroom_bytes: HEADROOM_BYTES,
        retry: RetryPolicy { base: connector.retry_base_delay, cap: connector.retry_max_delay },
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

async fn data_topic(topics: &Topics, connector: &ConnectorConfig) -> Result<TopicFacts, WorkerError> {
    let limit = connector.fragment_max_size_bytes;
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
