//! Settings of the clients.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::model::{IdScheme, ShardId};

/// How long a topic that the brokers do not know may just be new.
const TOPIC_PROPAGATION_MS: &str = "3000";

/// How members of the group agree on who has which shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupProtocol {
    /// Among themselves, by the cooperative-sticky assignor.
    #[default]
    Classic,
    /// The broker decides (KIP-848); its session timeout is the broker's, or the group's own.
    Consumer,
}

/// How to reach the cluster, and what each kind of client is told besides.
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
    /// `group.instance.id`: a member that comes back within its session keeps its shards.
    pub group_instance_id: Option<String>,
    /// `group.protocol`.
    pub group_protocol: GroupProtocol,
    /// A transaction that takes longer is aborted by the broker.
    pub transaction_timeout_ms: u64,
    /// The largest record.
    pub message_max_bytes: usize,
    /// What a member commits for the group, where nobody has before it joined.
    pub claim: Option<super::group_claim::Claim>,
}

impl KafkaSettings {
    fn base(&self, own: &BTreeMap<String, String>) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap_servers);
        // Debug lines come only when `debug` is set.
        config.set_log_level(RDKafkaLogLevel::Debug);
        // A broker that is gone is looked for again quickly: the default waits up to 10 s.
        config.set("reconnect.backoff.max.ms", "1000");
        for (key, value) in self.common.iter().chain(own) {
            config.set(key, value);
        }
        config
    }

    /// The transactional id of a shard: the shard's alone (rule 3).
    pub fn transactional_id(&self, shard: ShardId, scheme: IdScheme) -> String {
        scheme.transactional_id(&self.group_id, &self.offsets_topic, shard)
    }

    /// For the one producer of a shard.
    pub fn producer_config(&self, shard: ShardId, scheme: IdScheme) -> ClientConfig {
        let defaults = BTreeMap::from([
            ("linger.ms", "0".to_owned()),
            // A few of the largest records, or a second of what a shard writes.
            ("queue.buffering.max.kbytes", (self.message_max_bytes.max(64 << 20) / 1024 * 2).to_string()),
            ("message.max.bytes", self.message_max_bytes.to_string()),
            ("transaction.timeout.ms", self.transaction_timeout_ms.to_string()),
            ("message.timeout.ms", self.transaction_timeout_ms.to_string()),
            // How long a missing topic is waited for. It is less than the above, or its records would only ever time
            // out, and nobody hears that it is gone. librdkafka's own 30 s are more.
            ("topic.metadata.propagation.max.ms", TOPIC_PROPAGATION_MS.to_owned()),
            // Asking for a topic that was deleted must not make it again, with whatever the broker's defaults are.
            ("allow.auto.create.topics", "false".to_owned()),
        ]);
        let mut own: BTreeMap<String, String> =
            defaults.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        own.extend(self.producer.clone());
        let mut config = self.base(&own);
        // Not to be changed: exactly once stands on these.
        config.set("transactional.id", self.transactional_id(shard, scheme)).set("enable.idempotence", "true");
        config
    }

    /// The same cluster, with another topic in the place of the offsets topic: the config log is taken as a shard is.
    pub fn on_topic(&self, topic: &str) -> Self {
        Self { offsets_topic: topic.to_owned(), ..self.clone() }
    }

    /// For the one producer of statuses, which needs no transactions: whoever finds one missing writes it again.
    pub fn status_producer_config(&self) -> ClientConfig {
        let mut config = self.base(&self.producer);
        config.remove("transactional.id");
        // Not idempotent: that fails for good while nothing may be written yet. One request at a time keeps the order.
        config
            .set("enable.idempotence", "false")
            .set("max.in.flight.requests.per.connection", "1")
            .set("linger.ms", "5")
            .set("message.timeout.ms", "10000")
            .set("topic.metadata.propagation.max.ms", TOPIC_PROPAGATION_MS)
            .set("allow.auto.create.topics", "false");
        config
    }

    /// For reading offsets; `isolation_level` is `read_committed` or `read_uncommitted`.
    pub fn reader_config(&self, isolation_level: &str) -> ClientConfig {
        let mut config = self.base(&self.consumer);
        config
            .set("group.id", format!("{}-recovery", self.group_id))
            .set("isolation.level", isolation_level)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            // Markers at the end bring no record: the broker is not to wait for one.
            .set("fetch.wait.max.ms", "10")
            .set("fetch.error.backoff.ms", "10");
        config
    }

    /// For what is asked of the group, and committed, from outside.
    pub fn claim_config(&self) -> ClientConfig {
        let mut config = self.base(&self.consumer);
        config.remove("group.instance.id");
        config
            .set("group.id", &self.group_id)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false");
        config
    }

    /// For membership in the group, which reads nothing.
    pub fn membership_config(&self) -> ClientConfig {
        // Often enough that members learn of a rebalance well within the second after a session timed out.
        let heartbeat_ms = (self.session_timeout_ms / 20).clamp(50, 500);
        let classic = [
            ("partition.assignment.strategy", "cooperative-sticky".to_owned()),
            ("heartbeat.interval.ms", heartbeat_ms.to_string()),
            ("session.timeout.ms", self.session_timeout_ms.to_string()),
            // librdkafka wants it no shorter than a session; its own default is 5 minutes.
            ("max.poll.interval.ms", self.session_timeout_ms.max(300_000).to_string()),
        ];
        // librdkafka refuses the first three with KIP-848's protocol, where the broker has them.
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
            // They say whether the coordinator is heard.
            .set("statistics.interval.ms", "1000");
        config
    }

    /// For topics and metadata.
    pub fn admin_config(&self) -> ClientConfig {
        self.base(&self.admin)
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
