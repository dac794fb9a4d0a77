//! Which of librdkafka's settings cannot be changed, or only within bounds.

use Rule::{AnyBut, FromLargestRecord, Only, Range, Refused, UpToThirdOfSession, UpToTransactionTimeout, ZeroOrFrom};

/// The values that a setting may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// No value: the setting cannot be changed.
    Refused,
    /// One of these, in any case.
    Only(&'static [&'static str]),
    /// Any value but this one, in any case.
    AnyBut(&'static str),
    /// A whole number from the first to the second, inclusive.
    Range(u64, u64),
    /// 0, which turns the setting off, or a whole number of at least this.
    ZeroOrFrom(u64),
    /// A whole number from this one to 5 s less than `transaction.timeout.ms`.
    UpToTransactionTimeout(u64),
    /// At most a third of `session.timeout.ms`.
    UpToThirdOfSession,
    /// At least the kilobytes of the largest record.
    FromLargestRecord,
}

const FENCED: &str = "each shard has its own id, which fences the shard's previous owner";
const ALL_ACKS: &str = "a transaction is acknowledged by all in-sync replicas";
const NO_COMMITS: &str =
    "positions are stored in offset.storage.topic by the fragments' transactions; the group commits no offsets";
const SILENT: &str = "with other values a worker would make no progress for long after a broker has returned";
const READS_ALL: &str =
    "the records that are read decide where streams continue, so all of them are read from the earliest on";
const CALLBACK: &str = "it is used by programs, not by configuration";
const GUARD_TOPICS: &str = "the worker creates topics with the configuration that they need; a deleted topic must not be \
    recreated by a client";

/// Settings with rules; a name that ends with `*` stands for all names with this prefix.
pub const RULES: &[(&str, Rule, &str)] = &[
    // The cluster, the group and its members.
    (
        "bootstrap.servers",
        Refused,
        "all clients of a worker use its bootstrap.servers: a transaction is in one cluster",
    ),
    ("group.id", Refused, "use the worker's group.id instead"),
    ("group.instance.id", Refused, "use the worker's group.instance.id instead"),
    ("group.protocol", Refused, "use the worker's group.protocol instead"),
    ("group.protocol.type", Refused, "workers are a group of consumers"),
    ("session.timeout.ms", Refused, "use the worker's session.timeout.ms instead"),
    ("heartbeat.interval.ms", UpToThirdOfSession, "three heartbeats have to fit into session.timeout.ms"),
    ("max.poll.interval.ms", Range(60_000, 600_000), "it limits how long a worker that hangs can delay its group"),
    (
        "partition.assignment.strategy",
        Only(&["cooperative-sticky"]),
        "a shard that stays with its worker must not be revoked at each rebalance",
    ),
    // Exactly once.
    ("transactional.id", Refused, FENCED),
    ("enable.idempotence", Only(&["true"]), "exactly once requires it"),
    ("acks", Only(&["all", "-1"]), ALL_ACKS),
    ("isolation.level", Only(&["read_committed"]), "a record that was not committed must not be read as a position"),
    ("transaction.timeout.ms", Refused, "use the worker's transaction.timeout.ms instead"),
    (
        "message.timeout.ms",
        Refused,
        "it always equals the worker's transaction.timeout.ms: a record is useless once its transaction has expired",
    ),
    (
        "max.in.flight.requests.per.connection",
        Range(1, 5),
        "an idempotent producer keeps the order of at most five requests",
    ),
    ("retries", Range(1, i32::MAX as u64), "a producer that does not retry loses its shard at each change of a leader"),
    ("queuing.strategy", Only(&["fifo"]), "fragments of a stream keep their order"),
    ("enable.gapless.guarantee", Only(&["false"]), "a record that fails always ends its transaction"),
    (
        "delivery.report.only.error",
        Only(&["false"]),
        "a transaction is committed when every record has been acknowledged",
    ),
    ("enable.auto.commit", Only(&["false"]), NO_COMMITS),
    ("enable.auto.offset.store", Only(&["false"]), NO_COMMITS),
    ("auto.commit.interval.ms", Refused, NO_COMMITS),
    ("offset.store.*", Refused, NO_COMMITS),
    ("auto.offset.reset", Only(&["earliest"]), READS_ALL),
    (
        "enable.partition.eof",
        Only(&["false"]),
        "the end of a partition is detected by offsets, because transaction markers are not delivered as records",
    ),
    ("topic.blacklist", Refused, "a topic that clients ignore would silently make no progress"),
    ("allow.auto.create.topics", Only(&["false"]), GUARD_TOPICS),
    ("api.version.request", Only(&["true"]), "without it, brokers are treated as versions without transactions"),
    ("broker.version.fallback", Refused, "brokers report what they support"),
    ("api.version.fallback.ms", Refused, "brokers report what they support"),
    // Ways of authentication that do not exist here.
    (
        "sasl.mechanism",
        AnyBut("AWS_MSK_IAM"),
        "IAM authentication of Amazon MSK needs a signer of tokens, which librdkafka does not have; use SCRAM-SHA-512 with \
         sasl.username and sasl.password (port 9096), or certificates with security.protocol=SSL (port 9094): \
         docs/CLUSTER.md, Amazon MSK",
    ),
    // Progress after failures, and their detection.
    (
        "topic.metadata.propagation.max.ms",
        UpToTransactionTimeout(500),
        "a missing topic has to be noticed before its records time out",
    ),
    ("topic.metadata.refresh.interval.ms", Range(1_000, 300_000), "changes of leaders have to be noticed"),
    ("metadata.max.age.ms", Range(3_000, 900_000), "changes of leaders have to be noticed"),
    ("linger.ms", Range(0, 100), "a transaction waits for it several times, and a shard would fall behind"),
    (
        "message.max.bytes",
        Refused,
        "it follows from memory.budget.size.bytes; a connector's kvs.fragment.max.size.bytes limits the size of its \
         records",
    ),
    (
        "queue.buffering.max.kbytes",
        FromLargestRecord,
        "the largest record that memory.budget.size.bytes allows has to fit",
    ),
    ("queue.buffering.max.messages", ZeroOrFrom(100), "a transaction's records have to fit"),
    (
        "request.timeout.ms",
        Range(3_000, 60_000),
        "a broker needs time to replicate a record, and the wait for it must be limited",
    ),
    ("socket.timeout.ms", UpToTransactionTimeout(3_000), "a request has to fail before its transaction times out"),
    ("socket.connection.setup.timeout.ms", Range(1_000, 60_000), SILENT),
    ("connections.max.idle.ms", ZeroOrFrom(10_000), "connections would be closed between two fragments"),
    ("retry.backoff.ms", Range(100, 1_000), SILENT),
    ("retry.backoff.max.ms", Range(100, 5_000), SILENT),
    ("reconnect.backoff.ms", Range(10, 1_000), SILENT),
    ("reconnect.backoff.max.ms", Range(100, 5_000), SILENT),
    ("receive.message.max.bytes", Range(100_000_000, i32::MAX as u64), "a broker's responses have to fit"),
    ("fetch.queue.backoff.ms", Range(0, 1_000), "a shard's streams are pulled only after its positions have been read"),
    ("fetch.wait.max.ms", Range(0, 1_000), "a shard's streams are pulled only after its positions have been read"),
    ("fetch.error.backoff.ms", Range(0, 1_000), "a shard's streams are pulled only after its positions have been read"),
    ("log_level", Refused, "use RUST_LOG instead; the worker needs the client's log to notice failing transactions"),
    ("log.queue", Refused, CALLBACK),
    ("enabled_events", Refused, CALLBACK),
    ("interceptors", Refused, CALLBACK),
    ("opaque", Refused, CALLBACK),
    ("internal.*", Refused, CALLBACK),
];
