use super::super::{keys, table};
use super::*;

/// Every setting that Kafka Connect 4.1 defines for a source connector (`SourceConnectorConfig`).
const SOURCE: &str = "config.action.reload connector.class connector.plugin.version errors.log.enable \
    errors.log.include.messages errors.retry.delay.max.ms errors.retry.timeout errors.tolerance exactly.once.support \
    header.converter header.converter.plugin.version key.converter key.converter.plugin.version name \
    offsets.storage.topic predicates tasks.max tasks.max.enforce topic.creation.groups transaction.boundary \
    transaction.boundary.interval.ms transforms value.converter value.converter.plugin.version";
/// Settings that only sink connectors have (`SinkConnectorConfig`), and some behind prefixes.
const OTHERS: &str = "errors.deadletterqueue.context.headers.enable errors.deadletterqueue.topic.name \
    errors.deadletterqueue.topic.replication.factor topics topics.regex transforms.route.type predicates.p.type \
    value.converter.schema.registry.url key.converter.schemas.enable producer.override.linger.ms \
    consumer.override.max.poll.records admin.override.client.id topic.creation.default.include topic.creation.big.partitions";
/// Every setting that Kafka Connect defines for a worker, distributed or standalone (`DistributedConfig`,
/// `StandaloneConfig`), without those of clients and their TLS.
const WORKERS: &str = "access.control.allow.methods access.control.allow.origin admin.listeners bootstrap.servers \
    client.dns.lookup client.id config.providers config.storage.replication.factor config.storage.topic connect.protocol \
    connections.max.idle.ms connector.client.config.override.policy exactly.once.source.support group.id \
    header.converter header.converter.plugin.version heartbeat.interval.ms inter.worker.key.generation.algorithm \
    inter.worker.key.size inter.worker.key.ttl.ms inter.worker.signature.algorithm inter.worker.verification.algorithms \
    key.converter key.converter.plugin.version listeners metadata.max.age.ms metadata.recovery.strategy \
    metadata.recovery.rebootstrap.trigger.ms metric.reporters metrics.num.samples metrics.recording.level \
    metrics.sample.window.ms offset.flush.interval.ms offset.flush.timeout.ms offset.storage.file.filename \
    offset.storage.partitions offset.storage.replication.factor offset.storage.topic plugin.discovery plugin.path \
    rebalance.timeout.ms receive.buffer.bytes reconnect.backoff.max.ms reconnect.backoff.ms request.timeout.ms \
    response.http.headers.config rest.advertised.host.name rest.advertised.listener rest.advertised.port \
    rest.extension.classes retry.backoff.max.ms retry.backoff.ms scheduled.rebalance.max.delay.ms send.buffer.bytes \
    session.timeout.ms socket.connection.setup.timeout.max.ms socket.connection.setup.timeout.ms ssl.client.auth \
    status.storage.partitions status.storage.replication.factor status.storage.topic task.shutdown.graceful.timeout.ms \
    topic.creation.enable topic.tracking.allow.reset topic.tracking.enable value.converter \
    value.converter.plugin.version worker.sync.timeout.ms worker.unsync.backoff.ms";

#[test]
fn every_setting_of_connect_is_ours_or_in_the_table() {
    for (name, is_ours, of_worker) in SOURCE
        .split_whitespace()
        .chain(OTHERS.split_whitespace())
        .map(|name| (name, table::connector().any(|key| key.name == name), false))
        .chain(WORKERS.split_whitespace().map(|name| (name, table::worker().any(|key| key.name == name), true)))
    {
        let is_handed_on = of_worker && keys::is_client_key(name);
        let table = if of_worker { WORKER } else { CONNECTOR };
        assert!(is_ours || is_handed_on || check(table, name, "no such value").is_some(), "{name} is unknown");
    }
    let connectors = table::connector().map(|own| (own.name, CONNECTOR));
    for (own, keys) in connectors.chain(table::worker().map(|own| (own.name, WORKER))) {
        assert!(!keys.iter().any(|key| key.name == own), "{own} is in both tables");
    }
    for key in CONNECTOR.iter().chain(WORKER) {
        assert!(key.reason.len() > 10, "{} gives no reason", key.name);
    }
}

#[test]
fn values_that_change_nothing_are_accepted_and_others_refused_with_a_reason() {
    let refused = |name: &str, value: &str| keys::check_connector(name, value).unwrap_err().to_string();
    for (name, value) in [
        ("value.converter", "org.apache.kafka.connect.converters.ByteArrayConverter"),
        ("value.converter.schema.registry.url", "http://x"),
        ("key.converter.bearer.auth.credentials.source", "STATIC_TOKEN"),
        ("value.converter.schemas.enable", "false"),
        ("header.converter", "org.apache.kafka.connect.storage.SimpleHeaderConverter"),
        ("transforms", ""),
        ("exactly.once.support", "REQUIRED"),
        ("transaction.boundary", "poll"),
        ("config.action.reload", "restart"),
        ("errors.log.enable", "true"),
        ("errors.deadletterqueue.topic.name", "dead"),
        ("errors.deadletterqueue.context.headers.enable", "true"),
        ("topic.creation.groups", ""),
        ("topic.creation.enable", "true"),
        ("topic.creation.default.retention.ms", "1"),
    ] {
        assert_eq!(keys::check_connector(name, value), Ok(()), "{name}={value}");
    }
    for (name, value, said) in [
        ("value.converter.basic.auth.credentials.source", "SASL_INHERIT", "schema.registry.basic.auth.user.info"),
        ("value.converter.apicurio.registry.url", "http://x", "/apis/ccompat/v7"),
        ("transforms", "route", "no transforms"),
        ("transforms.route.type", "x", "no transforms"),
        ("exactly.once.support", "never", "always published exactly once"),
        ("transaction.boundary", "interval", "transaction.max.duration.ms"),
        ("producer.override.acks", "1", "set producer.*"),
        ("topic.creation.enable", "false", "create it beforehand if the worker must not"),
        ("topic.tracking.enable", "false", "a setting of Kafka Connect's workers"),
        ("errors.deadletterqueue.context.headers.enable", "false", "always have headers"),
        ("errors.log.include.messages", "true", "the content of records is never"),
        ("topic.creation.big.partitions", "3", "topic.creation.default.*"),
        ("topic.creation.default.include", "x", "topic.creation.default.*"),
        ("topics", "x", "source connector"),
        ("group.id", "x", "is a worker's setting"),
        ("bootstrap.servers", "x", "is a worker's setting"),
        ("producer.acks", "1", "is a worker's setting"),
    ] {
        assert!(refused(name, value).contains(said), "{name}={value}: {}", refused(name, value));
    }
    let refused = |name: &str, value: &str| keys::check_worker(name, value).unwrap_err().to_string();
    assert_eq!(keys::check_worker("config.providers", "file, env"), Ok(()));
    assert!(refused("config.providers", "vault").contains("env, file and dir"));
    assert_eq!(keys::check_worker("plugin.path", "/usr/share/java"), Ok(()));
    assert_eq!(keys::check_worker("config.storage.partitions", "1"), Ok(()));
    assert!(refused("status.storage.partitions", "5").contains("one partition"));
    assert!(refused("offset.storage.file.filename", "/tmp/x").contains("offset.storage.topic"));
    assert!(refused("listeners.https.ssl.keystore.location", "/x").contains("rest.tls.certificate.file"));
    assert!(refused("admin.listeners", "http://:8084").contains("/admin/loggers"));
    assert!(refused("request.timeout.ms", "1").contains("prefix it with producer."));
    assert!(refused("kvs.streams", "x").contains("is a connector's setting"));
}

#[test]
fn only_a_similar_key_is_suggested() {
    let hint = |name: &str| keys::unknown(name, table::connector()).to_string();
    assert!(hint("kvs.stream").ends_with("kvs.streams"));
    assert!(hint("kvs.strat.position").ends_with("kvs.start.position"));
    assert!(hint("topik").ends_with("topic"));
    for name in ["exactly.once", "x", "value", "database.hostname", "kafka.cluster"] {
        assert!(!hint(name).contains("nearest"), "{name}: {}", hint(name));
    }
}
