//! What of librdkafka's settings cannot be set, or within bounds only.

use Rule::{AnyBut, FromLargestRecord, Only, Range, Refused, UpToThirdOfSession, UpToTransactionTimeout, ZeroOrFrom};

/// Which values a setting may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// None.
    Refused,
    /// One of these, in capitals or not.
    Only(&'static [&'static str]),
    /// Any other than this one, in capitals or not.
    AnyBut(&'static str),
    /// A whole number from the first to the second.
    Range(u64, u64),
    /// 0, which turns it off, or a whole number from this one on.
    ZeroOrFrom(u64),
    /// A whole number from this one to what leaves 5 s of a transaction.
    UpToTransactionTimeout(u64),
    /// A third of `session.timeout.ms` at most.
    UpToThirdOfSession,
    /// Kilobytes, as many as the largest record has at least.
    FromLargestRecord,
}

const FENCED: &str = "each shard has its own, which fences who had the shard before";
const ALL_ACKS: &str = "a transaction is acknowledged by all replicas that are in sync";
const NO_COMMITS: &str =
    "positions are kept in offset.storage.topic, in the fragments' transactions; the group commits nothing";
const SILENT: &str = "with other values a worker would stand still long after a broker has come back";
const READS_ALL: &str = "what is read decides where streams go on: all of it is read, from the earliest record on";
const CALLBACK: &str = "is for programs, and this one has set what it needs";
const GUARD_TOPICS: &str =
    "topics are created by the worker, as they have to be; one that is deleted must not come back by itself";

/// Settings with rules; what ends with `*` stands for all that begin so.
pub const RULES: &[(&str, Rule, &str)] = &[
    // Which cluster, which group, who is who.
    (
        "bootstrap.servers",
        Refused,
        "all clients of a worker use its bootstrap.servers: a transaction is in one cluster",
    ),
    ("group.id", Refused, "the worker's own group.id is the setting"),
    ("group.instance.id", Refused, "the worker's own group.instance.id is the setting"),
    ("group.protocol", Refused, "the worker's own group.protocol is the setting"),
    ("group.protocol.type", Refused, "workers are a group of consumers"),
    ("session.timeout.ms", Refused, "the worker's own session.timeout.ms is the setting"),
    ("heartbeat.interval.ms", UpToThirdOfSession, "a member is to be heard three times in session.timeout.ms"),
    ("max.poll.interval.ms", Range(60_000, 600_000), "it bounds how long a worker that hangs can hold up its group"),
    (
        "partition.assignment.strategy",
        Only(&["cooperative-sticky"]),
        "a shard that stays with its worker must not be revoked at each rebalance",
    ),
    // Exactly once.
    ("transactional.id", Refused, FENCED),
    ("enable.idempotence", Only(&["true"]), "exactly once needs it"),
    ("acks", Only(&["all", "-1"]), ALL_ACKS),
    (
        "isolation.level",
        Only(&["read_committed"]),
        "what a transaction did not commit must not be taken for a position",
    ),
    ("transaction.timeout.ms", Refused, "the worker's own transaction.timeout.ms is the setting"),
    (
        "message.timeout.ms",
        Refused,
        "it is the worker's transaction.timeout.ms: a record that outlives its transaction is of no use",
    ),
    (
        "max.in.flight.requests.per.connection",
        Range(1, 5),
        "an idempotent producer keeps the order of five requests at most",
    ),
    (
        "retries",
        Range(1, i32::MAX as u64),
        "a producer that does not try again loses its shard at each change of a leader",
    ),
    ("queuing.strategy", Only(&["fifo"]), "fragments of a stream keep their order"),
    ("enable.gapless.guarantee", Only(&["false"]), "a record that fails ends its transaction in any case"),
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
        "the end of a partition is known by its offsets, for markers bring no record",
    ),
    ("topic.blacklist", Refused, "a topic that clients do not see would stand still without a word"),
    ("allow.auto.create.topics", Only(&["false"]), GUARD_TOPICS),
    ("api.version.request", Only(&["true"]), "without it a broker is taken for one that knows no transactions"),
    ("broker.version.fallback", Refused, "brokers say themselves what they know"),
    ("api.version.fallback.ms", Refused, "brokers say themselves what they know"),
    // Ways of authentication that are not there.
    (
        "sasl.mechanism",
        AnyBut("AWS_MSK_IAM"),
        "IAM authentication of Amazon MSK needs a signer of tokens, which librdkafka does not have; use SCRAM-SHA-512 with \
         sasl.username and sasl.password (port 9096), or certificates with security.protocol=SSL (port 9094): \
         docs/CLUSTER.md, Amazon MSK",
    ),
    // What keeps a worker moving, and lets it hear of trouble.
    (
        "topic.metadata.propagation.max.ms",
        UpToTransactionTimeout(500),
        "a topic that is gone has to show before its records' time is over",
    ),
    ("topic.metadata.refresh.interval.ms", Range(1_000, 300_000), "leaders that change have to be heard of"),
    ("metadata.max.age.ms", Range(3_000, 900_000), "leaders that change have to be heard of"),
    ("linger.ms", Range(0, 1_000), "a transaction ends when its last record is acknowledged, and waits for it"),
    (
        "message.max.bytes",
        Refused,
        "it follows from memory.budget.size.bytes; a connector's kvs.fragment.max.size.bytes bounds its records",
    ),
    (
        "queue.buffering.max.kbytes",
        FromLargestRecord,
        "the largest record that memory.budget.size.bytes lets through has to fit",
    ),
    ("queue.buffering.max.messages", ZeroOrFrom(100), "a transaction's records have to fit"),
    (
        "request.timeout.ms",
        Range(3_000, 60_000),
        "a broker needs time to have replicas write a record, and must not be waited for without end",
    ),
    ("socket.timeout.ms", UpToTransactionTimeout(3_000), "a request has to fail before its transaction's time is over"),
    ("socket.connection.setup.timeout.ms", Range(1_000, 60_000), SILENT),
    ("connections.max.idle.ms", ZeroOrFrom(10_000), "connections would be closed between two fragments"),
    ("retry.backoff.ms", Range(100, 1_000), SILENT),
    ("retry.backoff.max.ms", Range(100, 5_000), SILENT),
    ("reconnect.backoff.ms", Range(10, 1_000), SILENT),
    ("reconnect.backoff.max.ms", Range(100, 5_000), SILENT),
    ("receive.message.max.bytes", Range(100_000_000, i32::MAX as u64), "a broker's responses have to fit"),
    ("fetch.queue.backoff.ms", Range(0, 1_000), "a shard's streams are pulled only once its positions have been read"),
    ("fetch.wait.max.ms", Range(0, 1_000), "a shard's streams are pulled only once its positions have been read"),
    ("fetch.error.backoff.ms", Range(0, 1_000), "a shard's streams are pulled only once its positions have been read"),
    ("log_level", Refused, "RUST_LOG says what is logged; a transaction's trouble is heard of by the client's log"),
    ("log.queue", Refused, CALLBACK),
    ("enabled_events", Refused, CALLBACK),
    ("interceptors", Refused, CALLBACK),
    ("opaque", Refused, CALLBACK),
    ("internal.*", Refused, CALLBACK),
];
