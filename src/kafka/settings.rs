//! Settings of the Kafka clients.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use super::client::client_config;
use crate::model::{IdScheme, ShardId};

/// How long a topic that the brokers do not know may be treated as just created.
const TOPIC_PROPAGATION_MS: &str = "3000";

/// The size of a producer's batch: librdkafka's own. Brokers refuse a batch above the topic's `max.message.bytes`, whose default is
/// little more.
const BATCH_SIZE_BYTES: usize = 1_000_000;

/// The number of records in a producer's batch: librdkafka's own.
const BATCH_RECORDS: usize = 10_000;

/// What a producer puts into one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchLimits {
    /// `batch.size`.
    pub size_bytes: usize,
    /// `batch.num.messages`.
    pub records: usize,
}

/// Returns what a producer with this configuration puts into one batch.
pub(super) fn batch_limits(config: &ClientConfig) -> BatchLimits {
    let number = |key: &str| config.get(key).and_then(|value| value.trim().parse::<usize>().ok());
    let limit_bytes = number("message.max.bytes").unwrap_or(usize::MAX);
    BatchLimits {
        size_bytes: number("batch.size").unwrap_or(BATCH_SIZE_BYTES).min(limit_bytes),
        records: number("batch.num.messages").unwrap_or(BATCH_RECORDS),
    }
}

/// How shards are assigned to the members of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupProtocol {
    /// By the members, with the cooperative-sticky assignor.
    #[default]
    Classic,
    /// By the broker (KIP-848); the session timeout is the broker's, or the group's own.
    Consumer,
}

/// How to reach the cluster, and the additional settings of each kind of client.
#[derive(Debug, Clone)]
pub struct KafkaSettings {
    /// `bootstrap.servers`.
    pub bootstrap_servers: String,
    /// For all clients: `security.protocol`, `ssl.*`, `sasl.*`, `client.*`.
    pub common: BTreeMap<String, String>,
    /// `producer.*`.
    pub producer: BTreeMap<String, String>,
    /// `consumer.*`.
    pub consumer: BTreeMap<String, String>,
    /// `admin.*`.
    pub admin: BTreeMap<String, String>,
    /// `group.id`.
    pub group_id: String,
    /// `offset.storage.topic`.
    pub offsets_topic: String,
    /// `session.timeout.ms`.
    pub session_timeout_ms: u64,
    /// `group.instance.id`: a member that returns within its session keeps its shards.
    pub group_instance_id: Option<String>,
    /// `group.protocol`.
    pub group_protocol: GroupProtocol,
    /// The duration in milliseconds after which the broker aborts a transaction.
    pub transaction_timeout_ms: u64,
    /// The largest record, in bytes.
    pub message_max_bytes: usize,
    /// The claim that a member commits for the group if nobody has before it joined.
    pub claim: Option<super::group_claim::Claim>,
}

#[cfg(test)]
impl KafkaSettings {
    /// Returns the settings of clients, on this offsets topic, of a cluster that is never contacted.
    pub(crate) fn of_no_cluster(offsets_topic: &str) -> Self {
        Self {
            bootstrap_servers: "127.0.0.1:1".to_owned(),
            common: BTreeMap::new(),
            producer: BTreeMap::new(),
            consumer: BTreeMap::new(),
            admin: BTreeMap::new(),
            group_id: "g".to_owned(),
            offsets_topic: offsets_topic.to_owned(),
            session_timeout_ms: 10_000,
            group_instance_id: None,
            group_protocol: GroupProtocol::Classic,
            transaction_timeout_ms: 60_000,
            message_max_bytes: 1_000_000,
            claim: None,
        }
    }
}

impl KafkaSettings {
    fn base(&self, own: &BTreeMap<String, String>) -> ClientConfig {
        let mut config = client_config();
        config.set("bootstrap.servers", &self.bootstrap_servers);
        // Debug lines are only produced when `debug` is set.
        config.set_log_level(RDKafkaLogLevel::Debug);
        // Reconnect quickly to a broker that was gone: the default waits up to 10 s.
        config.set("reconnect.backoff.max.ms", "1000");
        for (key, value) in self.common.iter().chain(own) {
            config.set(key, value);
        }
        config
    }

    /// Returns the transactional id that belongs to this shard alone (rule 3).
    pub fn transactional_id(&self, shard: ShardId, scheme: IdScheme) -> String {
        scheme.transactional_id(&self.group_id, &self.offsets_topic, shard)
    }

    /// Returns the configuration of a shard's only producer.
    pub fn producer_config(&self, shard: ShardId, scheme: IdScheme) -> ClientConfig {
        let defaults = BTreeMap::from([
            // Long enough for records that come together to go together. It delays nothing: a partition's first records wait
            // for the partition's admission to the transaction, which is a round trip and a write of the coordinator.
            ("linger.ms", "1".to_owned()),
            ("batch.size", BATCH_SIZE_BYTES.to_string()),
            ("batch.num.messages", BATCH_RECORDS.to_string()),
            // A few of the largest records, or a second of a shard's output.
            ("queue.buffering.max.kbytes", (self.message_max_bytes.max(64 << 20) / 1024 * 2).to_string()),
            ("message.max.bytes", self.message_max_bytes.to_string()),
            ("transaction.timeout.ms", self.transaction_timeout_ms.to_string()),
            ("message.timeout.ms", self.transaction_timeout_ms.to_string()),
            // How long to wait for a missing topic. Shorter than the timeouts above, or its records would only time
            // out, and nobody would learn that the topic is gone. librdkafka's default of 30 s is longer.
            ("topic.metadata.propagation.max.ms", TOPIC_PROPAGATION_MS.to_owned()),
            // Requesting a deleted topic must not create it again with the broker's defaults.
            ("allow.auto.create.topics", "false".to_owned()),
        ]);
        let mut own: BTreeMap<String, String> =
            defaults.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        own.extend(self.producer.clone());
        let mut config = self.base(&own);
        // These must not be changed: exactly once depends on them.
        config.set("transactional.id", self.transactional_id(shard, scheme)).set("enable.idempotence", "true");
        config
    }

    /// Returns the settings with another topic in place of the offsets topic: the config log is acquired like a shard.
    pub fn on_topic(&self, topic: &str) -> Self {
        Self { offsets_topic: topic.to_owned(), ..self.clone() }
    }

    /// Returns the configuration of the only producer of statuses, which needs no transactions: missing statuses are
    /// written again.
    pub fn status_producer_config(&self) -> ClientConfig {
        let mut config = self.base(&self.producer);
        config.remove("transactional.id");
        // Not idempotent: an idempotent producer fails for good while it may not write. One request at a time keeps the order.
        config
            .set("enable.idempotence", "false")
            .set("max.in.flight.requests.per.connection", "1")
            .set("linger.ms", "5")
            .set("message.timeout.ms", "10000")
            .set("topic.metadata.propagation.max.ms", TOPIC_PROPAGATION_MS)
            .set("allow.auto.create.topics", "false");
        config
    }

    /// Returns the configuration for reading offsets; `isolation_level` is `read_committed` or `read_uncommitted`.
    pub fn reader_config(&self, isolation_level: &str) -> ClientConfig {
        let mut config = self.base(&self.consumer);
        config
            .set("group.id", format!("{}-recovery", self.group_id))
            .set("isolation.level", isolation_level)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            // Markers at the end bring no record: the broker must not wait for one.
            .set("fetch.wait.max.ms", "10")
            .set("fetch.error.backoff.ms", "10");
        config
    }

    /// Returns the configuration for requests and commits about the group from outside it.
    pub fn claim_config(&self) -> ClientConfig {
        let mut config = self.base(&self.consumer);
        config.remove("group.instance.id");
        config
            .set("group.id", &self.group_id)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false");
        config
    }

    /// Returns the configuration for membership in the group, which reads nothing.
    pub fn membership_config(&self) -> ClientConfig {
        // Frequent enough for members to learn of a rebalance well within a second after a session has timed out.
        let heartbeat_ms = (self.session_timeout_ms / 20).clamp(50, 500);
        let classic = [
            ("partition.assignment.strategy", "cooperative-sticky".to_owned()),
            ("heartbeat.interval.ms", heartbeat_ms.to_string()),
            ("session.timeout.ms", self.session_timeout_ms.to_string()),
            // librdkafka requires it to be no shorter than a session; its own default is 5 minutes.
            ("max.poll.interval.ms", self.session_timeout_ms.max(300_000).to_string()),
        ];
        // librdkafka refuses the first three with KIP-848's protocol, where the broker sets them.
        let of_protocol = match self.group_protocol {
            GroupProtocol::Classic => classic.to_vec(),
            GroupProtocol::Consumer => vec![("group.protocol", "consumer".to_owned())],
        };
        let defaults = BTreeMap::from([
            ("fetch.message.max.bytes", "1024".to_owned()),
            ("queued.max.messages.kbytes", "64".to_owned()),
        ]);
        let defaults = defaults.into_iter().chain(of_protocol);
        let mut own: BTreeMap<String, String> = defaults.map(|(key, value)| (key.to_owned(), value)).collect();
        own.extend(self.consumer.clone());
        let mut config = self.base(&own);
        if let Some(instance_id) = &self.group_instance_id {
            config.set("group.instance.id", instance_id);
        }
        config
            .set("group.id", &self.group_id)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "latest")
            // The statistics show whether the coordinator is heard.
            .set("statistics.interval.ms", "1000");
        config
    }

    /// Returns the configuration for topics and metadata.
    pub fn admin_config(&self) -> ClientConfig {
        self.base(&self.admin)
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
