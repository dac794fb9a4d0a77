//! Settings that Kafka Connect has for workers.

use super::Accepts::{Anything, Nothing, These};
use super::{Accepts, ConnectKey, HEADERS, VALUES, key};

const KEYS: &str = "keys are text unless a connector says key.converter=avro";
const INTERNAL: &str = "offsets, connectors and statuses are written as Kafka Connect writes them";
const PLUGINS: &str = "the one connector there is, is part of the program: nothing is loaded";
const PLACES: &str =
    "positions are written to offset.storage.topic within the fragments' own transactions, in standalone mode, too";
const TOPICS: &str =
    "that topic is created with the configuration it needs, compacted; alter the topic itself for anything else";
const METRICS: &str = "metrics are for Prometheus, at /metrics of the listeners, and are counted from the start";
const WORKERS: &str = "workers do not talk to one another: all they share is in Kafka";
const REST_TLS: &str =
    "rest.tls.certificate.file, rest.tls.key.file and rest.tls.client.ca.file (PEM) are for https:// listeners";
const ALL_CLIENTS: &str = "say for which clients it is, by producer., consumer. or admin. in front of it";
const ORIGINS: &str = "rest.allowed.origins names the pages of other origins that may use the REST API";
const LOGGING: &str = "RUST_LOG says what is logged, and PUT /admin/loggers changes it";
const PROVIDERS: &str = "the providers are env, file and dir, each with Connect's own class, and with what it may read in \
    config.providers.env.param.allowlist.pattern, config.providers.file.param.allowed.paths and \
    config.providers.dir.param.allowed.paths";

/// Settings of Kafka Connect's workers, distributed and standalone.
pub const WORKER: &[ConnectKey] = &[
    key("key.converter", These(&["string", "StringConverter"]), KEYS),
    key("key.converter.schemas.enable", These(&["false"]), KEYS),
    key("key.converter.*", Nothing, KEYS),
    key("value.converter", These(&["avro", "ByteArrayConverter"]), VALUES),
    key("value.converter.schemas.enable", These(&["false"]), VALUES),
    key("value.converter.*", Nothing, VALUES),
    key("header.converter", These(&["string", "StringConverter", "SimpleHeaderConverter"]), HEADERS),
    key("header.converter.*", Nothing, HEADERS),
    key("internal.key.converter", These(&["JsonConverter"]), INTERNAL),
    key("internal.key.converter.schemas.enable", These(&["false"]), INTERNAL),
    key("internal.key.converter.*", Nothing, INTERNAL),
    key("internal.value.converter", These(&["JsonConverter"]), INTERNAL),
    key("internal.value.converter.schemas.enable", These(&["false"]), INTERNAL),
    key("internal.value.converter.*", Nothing, INTERNAL),
    key("plugin.path", Anything, PLUGINS),
    key("plugin.discovery", Anything, PLUGINS),
    key("offset.flush.interval.ms", Anything, PLACES),
    key("offset.flush.timeout.ms", Anything, PLACES),
    key("offset.storage.file.filename", Nothing, PLACES),
    key("offset.storage.cleanup.policy", These(&["compact"]), TOPICS),
    key("config.storage.cleanup.policy", These(&["compact"]), TOPICS),
    key("status.storage.cleanup.policy", These(&["compact"]), TOPICS),
    key("config.storage.partitions", These(&["1"]), "that topic has one partition, for what is in it has an order"),
    key("status.storage.partitions", These(&["1"]), "that topic has one partition"),
    key("offset.storage.*", Nothing, TOPICS),
    key("config.storage.*", Nothing, TOPICS),
    key("status.storage.*", Nothing, TOPICS),
    key(
        "exactly.once.source.support",
        These(&["enabled"]),
        "every fragment is published exactly once; that cannot be turned off",
    ),
    key(
        "topic.creation.enable",
        These(&["true"]),
        "a data topic that is missing is created; create it beforehand where the worker must not",
    ),
    key("topic.tracking.enable", These(&["true"]), "GET /connectors/NAME/topics is always there"),
    key("topic.tracking.allow.reset", These(&["true"]), "PUT /connectors/NAME/topics/reset is always there"),
    key(
        "connector.client.config.override.policy",
        These(&["None", "NoneConnectorClientConfigOverridePolicy"]),
        "connectors share their worker's clients and cannot override their settings",
    ),
    key("config.providers", Accepts::Some(&["env", "file", "dir"]), PROVIDERS),
    key("config.providers.env.class", These(&["EnvVarConfigProvider"]), PROVIDERS),
    key("config.providers.file.class", These(&["FileConfigProvider"]), PROVIDERS),
    key("config.providers.dir.class", These(&["DirectoryConfigProvider"]), PROVIDERS),
    key("config.providers.*", Nothing, PROVIDERS),
    key(
        "rest.advertised.listener",
        These(&["http", "https"]),
        "workers do not call one another; rest.advertised.host.name and rest.advertised.port name this one",
    ),
    key(
        "rest.extension.classes",
        Nothing,
        "rest.auth.htpasswd.file, rest.auth.tokens.file and rest.tls.client.ca.file say who may use the REST API",
    ),
    key("rest.host.name", Nothing, "listeners says where the REST API listens, http://ADDRESS:PORT"),
    key("rest.port", Nothing, "listeners says where the REST API listens, http://ADDRESS:PORT"),
    key("admin.listeners", Nothing, "/admin/loggers is at the listeners"),
    key("admin.listeners.*", Nothing, REST_TLS),
    key("listeners.https.*", Nothing, REST_TLS),
    key("ssl.client.auth", Nothing, "rest.tls.client.ca.file asks clients of the REST API for a certificate"),
    key("response.http.headers.config", Nothing, "put a proxy before the listener that adds headers"),
    key("access.control.allow.origin", Nothing, ORIGINS),
    key("access.control.allow.methods", Nothing, ORIGINS),
    key("metric.reporters", Nothing, METRICS),
    key("auto.include.jmx.reporter", These(&["false"]), METRICS),
    key("metrics.num.samples", Anything, METRICS),
    key("metrics.recording.level", Anything, METRICS),
    key("metrics.sample.window.ms", Anything, METRICS),
    key("metrics.context.*", Nothing, METRICS),
    key("task.shutdown.graceful.timeout.ms", Nothing, "shutdown.timeout.ms is the setting"),
    key("heartbeat.interval.ms", Nothing, "it follows from session.timeout.ms; consumer.heartbeat.interval.ms sets it"),
    key("rebalance.timeout.ms", Nothing, "consumer.max.poll.interval.ms is the setting"),
    key(
        "scheduled.rebalance.max.delay.ms",
        These(&["0"]),
        "a worker that is gone is waited for as long as session.timeout.ms says; \
        with group.instance.id it keeps its shards when it comes back within that time",
    ),
    key(
        "connect.protocol",
        These(&["compatible", "sessioned"]),
        "workers share shards by the cooperative-sticky protocol, or group.protocol=consumer",
    ),
    key("inter.worker.*", Anything, WORKERS),
    key("worker.sync.timeout.ms", Anything, WORKERS),
    key("worker.unsync.backoff.ms", Anything, WORKERS),
    key("metadata.max.age.ms", Nothing, ALL_CLIENTS),
    key("metadata.recovery.*", Nothing, ALL_CLIENTS),
    key("send.buffer.bytes", Nothing, ALL_CLIENTS),
    key("receive.buffer.bytes", Nothing, ALL_CLIENTS),
    key("reconnect.backoff.ms", Nothing, ALL_CLIENTS),
    key("reconnect.backoff.max.ms", Nothing, ALL_CLIENTS),
    key("retry.backoff.ms", Nothing, ALL_CLIENTS),
    key("retry.backoff.max.ms", Nothing, ALL_CLIENTS),
    key("request.timeout.ms", Nothing, ALL_CLIENTS),
    key("connections.max.idle.ms", Nothing, ALL_CLIENTS),
    key("socket.connection.setup.timeout.ms", Nothing, ALL_CLIENTS),
    key("socket.connection.setup.timeout.max.ms", Nothing, ALL_CLIENTS),
    key("enable.metrics.push", Nothing, ALL_CLIENTS),
    // Kafka's images make settings of every variable that begins with CONNECT_.
    key("log4j.*", Nothing, LOGGING),
    key("log4j2.*", Nothing, LOGGING),
    key("confluent.*", Nothing, "no licence is needed, and nothing keeps one"),
];
