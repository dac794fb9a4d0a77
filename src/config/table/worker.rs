//! Settings of a worker: its cluster, and how it publishes.

pub(crate) mod rest;

use std::time::Duration;

use super::definition::Group::{Cluster, Publishing};
use super::definition::Importance::{High, Low};
use super::definition::{Choice, value};
use super::key::{Key, Optional, key, settings};
use crate::kafka::settings::GroupProtocol;

const GROUP_PROTOCOLS: &[Choice] = &[
    value("classic", "lets the workers assign the shards among themselves, by the cooperative-sticky protocol"),
    value("consumer", "lets the broker assign the shards (KIP-848); the broker's own session timeout applies"),
];

settings! {
    /// The cluster of workers and its shared topics.
    CLUSTER {
        BOOTSTRAP_SERVERS: Key<String> = key("bootstrap.servers", "Kafka brokers")
            .required_text()
            .group(Cluster)
            .importance(High)
            .doc(
                "Kafka brokers to connect to first, as host:port, separated by commas; all others are found through \
                 them. The default port is 9092.",
            );
        GROUP_ID: Key<String> = key("group.id", "Cluster name")
            .text("kvs-connect")
            .group(Cluster)
            .importance(High)
            .doc(
                "Name of the cluster. Workers with the same group.id share the work of all connectors; each cluster \
                 needs a group.id and three storage topics of its own.",
            );
        OFFSETS_TOPIC: Key<String> = key("offset.storage.topic", "Offsets topic")
            .topic("kvs-connect-offsets")
            .group(Cluster)
            .importance(High)
            .doc(
                "Compacted topic that stores how far each stream has been published. Its partitions are the shards, \
                 the units of work that are shared among the workers. Created if it does not exist.",
            );
        OFFSETS_PARTITIONS: Key<i32> = key("offset.storage.partitions", "Number of shards")
            .int::<i32>(25, 1..=10_000)
            .group(Cluster)
            .doc(
                "Number of shards, which are the partitions of the offsets topic. More shards let more workers share \
                 the work; each shard with streams costs a thread and a producer. It cannot be changed once the topic \
                 exists.",
            );
        OFFSETS_REPLICATION: Key<i32> =
            key("offset.storage.replication.factor", "Offsets topic's replication factor")
                .replication_factor()
                .group(Cluster)
                .importance(Low)
                .doc("Replication factor of the offsets topic when a worker creates it; -1 is the broker's default.");
        CONFIG_TOPIC: Key<String> = key("config.storage.topic", "Config topic")
            .topic("kvs-connect-configs")
            .group(Cluster)
            .importance(High)
            .doc(
                "Compacted topic with one partition that stores the connectors, their settings and whether they are \
                 running, paused or stopped. Created if it does not exist.",
            );
        CONFIG_REPLICATION: Key<i32> =
            key("config.storage.replication.factor", "Config topic's replication factor")
                .replication_factor()
                .group(Cluster)
                .importance(Low)
                .doc("Replication factor of the config topic when a worker creates it; -1 is the broker's default.");
        STATUS_TOPIC: Key<String> = key("status.storage.topic", "Status topic")
            .topic("kvs-connect-status")
            .group(Cluster)
            .importance(High)
            .doc(
                "Compacted topic with one partition that stores the states of connectors and tasks. Created if it does \
                 not exist.",
            );
        STATUS_REPLICATION: Key<i32> =
            key("status.storage.replication.factor", "Status topic's replication factor")
                .replication_factor()
                .group(Cluster)
                .importance(Low)
                .doc("Replication factor of the status topic when a worker creates it; -1 is the broker's default.");
        NOTIFICATIONS_TOPIC: Key<String> = key("notifications.topic", "Notifications topic")
            .topic("kvs-connect-notifications")
            .group(Cluster)
            .doc(
                "Topic for what happens to streams: that one has started, is silent, has failed or was deleted, that a position was \
                 lost or fragments are missing. Created if it does not exist.",
            );
        GROUP_INSTANCE_ID: Optional<String> = key("group.instance.id", "Static member ID")
            .optional_text()
            .group(Cluster)
            .importance(Low)
            .doc(
                "Identity of this worker for static membership: a worker that restarts within session.timeout.ms keeps \
                 its shards, and no others move. Each worker of the cluster needs a value of its own.",
            );
        GROUP_PROTOCOL: Key<GroupProtocol> = key("group.protocol", "Group protocol")
            .choice("classic", GROUP_PROTOCOLS, &[GroupProtocol::Classic, GroupProtocol::Consumer])
            .empty_is_unset()
            .group(Cluster)
            .importance(Low)
            .doc("Protocol by which the shards are assigned to the workers of the cluster.");
        SESSION_TIMEOUT: Key<Duration> = key("session.timeout.ms", "Session timeout")
            .millis(10_000, 1_000..=600_000)
            .group(Cluster)
            .doc(
                "How long a worker may be silent before its shards are assigned to others. A shorter time notices \
                 crashes sooner, but mistakes more network interruptions for crashes.",
            );
    }
}

settings! {
    /// Transactions, memory and shutdown.
    PUBLISHING {
        TRANSACTION_TIMEOUT: Key<Duration> = key("transaction.timeout.ms", "Transaction timeout")
            .millis(15_000, 10_000..=60_000)
            .group(Publishing)
            .importance(Low)
            .doc(
                "How long a transaction may be open before the broker aborts it. Consumers that read committed records \
                 may have to wait for this long after a worker has crashed; raise it if brokers are too slow to commit \
                 in time.",
            );
        TRANSACTION_MAX_SIZE: Key<usize> = key("transaction.max.size.bytes", "Transaction size")
            .bytes(4 << 20, 1..=1 << 30)
            .group(Publishing)
            .doc(
                "A transaction is committed once it has this many bytes of fragments. Larger transactions cost the \
                 brokers less; smaller ones reach consumers sooner.",
            );
        TRANSACTION_MAX_DURATION: Key<Duration> = key("transaction.max.duration.ms", "Transaction duration")
            .millis(1_000, 1..=5_000)
            .group(Publishing)
            .doc(
                "A transaction is committed at the latest this long after its first fragment, whatever its size. It \
                 limits the delay that it adds for consumers.",
            );
        MEMORY_BUDGET: Key<usize> = key("memory.budget.size.bytes", "Memory budget")
            .bytes(256 << 20, 1 << 20..=1 << 40)
            .group(Publishing)
            .importance(High)
            .doc(
                "Memory that fragments may use on this worker, from their first byte until they are committed. When \
                 it is used up, reading from Kinesis Video Streams pauses. It must not be less than a connector's \
                 kvs.fragment.max.size.bytes.",
            );
        SHUTDOWN_TIMEOUT: Key<Duration> = key("shutdown.timeout.ms", "Shutdown timeout")
            .millis(8_000, 100..=9_000)
            .group(Publishing)
            .importance(Low)
            .doc(
                "How long a worker that is told to stop may take to commit the fragments that it has completely \
                 received. The rest is pulled again by the next owner of the stream.",
            );
    }
}
