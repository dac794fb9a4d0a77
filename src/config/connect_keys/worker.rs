//! Settings that Kafka Connect has for workers.

use super::Accepts::{Anything, Nothing, These};
use super::{
    APICURIO, Accepts, CONVERTERS, ConnectKey, HEADERS, KEY_SUBJECTS, REGISTRY_PROXY, REGISTRY_TLS, TOKEN, USER_INFO,
    key,
};

const KEYS: &str = "keys do not contain a Connect schema";
const INTERNAL: &str = "offsets, connectors and statuses are written as Kafka Connect writes them";
const PLUGINS: &str = "the only connector is part of the program: no plugins are loaded";
const PLACES: &str =
    "positions are written to offset.storage.topic within the fragments' own transactions, in standalone mode, too";
const TOPICS: &str = "the topic is created with the configuration that it needs, compacted; to change anything else, \
    alter the topic itself";
const METRICS: &str =
    "metrics are served to Prometheus at /metrics of the listeners, and count from the worker's start";
const WORKERS: &str = "workers do not connect to each other: everything they share is in Kafka";
const REST_TLS: &str =
    "rest.tls.certificate.file, rest.tls.key.file and rest.tls.client.ca.file (PEM) are for https:// listeners";
const ALL_CLIENTS: &str = "prefix it with producer., consumer. or admin., for the clients that it is meant for";
const ORIGINS: &str = "rest.allowed.origins lists the origins whose pages may use the REST API";
const LOGGING: &str = "RUST_LOG sets what is logged, and PUT /admin/loggers changes it";
const PROVIDERS: &str = "the providers are env, file and dir, each with Connect's own class; what they may read is set \
    by config.providers.env.param.allowlist.pattern, config.providers.file.param.allowed.paths and \
    config.providers.dir.param.allowed.paths";

/// Settings of Kafka Connect's workers, distributed and standalone.
pub const WORKER: &[ConnectKey] = &[
    key("key.converter.schemas.enable", These(&["false"]), KEYS),
    key("key.converter.basic.auth.credentials.source", These(&["USER_INFO"]), USER_INFO),
    key("key.converter.bearer.auth.credentials.source", These(&["STATIC_TOKEN"]), TOKEN),
    key("key.converter.schema.registry.ssl.*", Nothing, REGISTRY_TLS),
    key("key.converter.proxy.host", Nothing, REGISTRY_PROXY),
    key("key.converter.proxy.port", Nothing, REGISTRY_PROXY),
    key("key.converter.key.subject.name.strategy", These(&["TopicNameStrategy"]), KEY_SUBJECTS),
    key("key.converter.apicurio.*", Nothing, APICURIO),
    key("value.converter.basic.auth.credentials.source", These(&["USER_INFO"]), USER_INFO),
    key("value.converter.bearer.auth.credentials.source", These(&["STATIC_TOKEN"]), TOKEN),
    key("value.converter.schema.registry.ssl.*", Nothing, REGISTRY_TLS),
    key("value.converter.proxy.host", Nothing, REGISTRY_PROXY),
    key("value.converter.proxy.port", Nothing, REGISTRY_PROXY),
    key("value.converter.key.subject.name.strategy", These(&["TopicNameStrategy"]), KEY_SUBJECTS),
    key("value.converter.apicurio.*", Nothing, APICURIO),
    key("key.converter.*", Nothing, CONVERTERS),
    key("value.converter.schemas.enable", These(&["false"]), "values do not contain a Connect schema"),
    key("value.converter.*", Nothing, CONVERTERS),
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
    key("config.storage.partitions", These(&["1"]), "the topic has one partition, because its records are ordered"),
    key("status.storage.partitions", These(&["1"]), "the topic has one partition"),
    key("offset.storage.*", Nothing, TOPICS),
    key("config.storage.*", Nothing, TOPICS),
    key("status.storage.*", Nothing, TOPICS),
    key(
        "exactly.once.source.support",
        These(&["enabled"]),
        "every fragment is published exactly once; this cannot be turned off",
    ),
    key(
        "topic.creation.enable",
        These(&["true"]),
        "a missing data topic is created; create it beforehand if the worker must not create it",
    ),
    key("topic.tracking.enable", These(&["true"]), "GET /connectors/NAME/topics is always available"),
    key("topic.tracking.allow.reset", These(&["true"]), "PUT /connectors/NAME/topics/reset is always available"),
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
        "workers do not call each other; rest.advertised.host.name and rest.advertised.port set this worker's address",
    ),
    key(
        "rest.extension.classes",
        Nothing,
        "rest.auth.htpasswd.file, rest.auth.tokens.file and rest.tls.client.ca.file set who may use the REST API",
    ),
    key("rest.host.name", Nothing, "listeners sets the REST API's addresses: http://ADDRESS:PORT"),
    key("rest.port", Nothing, "listeners sets the REST API's addresses: http://ADDRESS:PORT"),
    key("admin.listeners", Nothing, "/admin/loggers is served by the listeners"),
    key("admin.listeners.*", Nothing, REST_TLS),
    key("listeners.https.*", Nothing, REST_TLS),
    key("ssl.client.auth", Nothing, "rest.tls.client.ca.file makes the REST API ask clients for a certificate"),
    key("response.http.headers.config", Nothing, "put a proxy that adds headers in front of the listener"),
    key("access.control.allow.origin", Nothing, ORIGINS),
    key("access.control.allow.methods", Nothing, ORIGINS),
    key("metric.reporters", Nothing, METRICS),
    key("auto.include.jmx.reporter", These(&["false"]), METRICS),
    key("metrics.num.samples", Anything, METRICS),
    key("metrics.recording.level", Anything, METRICS),
    key("metrics.sample.window.ms", Anything, METRICS),
    key("metrics.context.*", Nothing, METRICS),
    key("task.shutdown.graceful.timeout.ms", Nothing, "use shutdown.timeout.ms instead"),
    key("heartbeat.interval.ms", Nothing, "it follows from session.timeout.ms; consumer.heartbeat.interval.ms sets it"),
    key("rebalance.timeout.ms", Nothing, "use consumer.max.poll.interval.ms instead"),
    key(
        "scheduled.rebalance.max.delay.ms",
        These(&["0"]),
        "the shards of a missing worker wait for session.timeout.ms; with group.instance.id a worker that returns \
         within that time keeps its shards",
    ),
    key(
        "connect.protocol",
        These(&["compatible", "sessioned"]),
        "shards are assigned by the cooperative-sticky protocol, or by the broker with group.protocol=consumer",
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
    // Kafka's container images turn every variable with the prefix CONNECT_ into a setting.
    key("log4j.*", Nothing, LOGGING),
    key("log4j2.*", Nothing, LOGGING),
    key("confluent.*", Nothing, "kvs-connect needs no licence key"),
];
