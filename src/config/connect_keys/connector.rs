//! Settings that Kafka Connect has for connectors.

use super::Accepts::{Anything, Nothing, These};
use super::{
    APICURIO, CONVERTERS, ConnectKey, HEADERS, KEY_SUBJECTS, REGISTRY_PROXY, REGISTRY_TLS, TOKEN, USER_INFO, key,
};

const TRANSFORMS: &str = "there are no transforms and predicates: consumers transform the records";
const OVERRIDES: &str =
    "connectors share their worker's clients: set producer.*, consumer.* or admin.* in the worker's settings";
const GROUPS: &str = "a connector writes to one topic, so only the default group exists: topic.creation.default.*";
const DEAD_LETTERS: &str = "dead letters have errors.deadletterqueue.topic.name, its replication factor, and \
    errors.deadletterqueue.value.max.bytes";
const VERSIONS: &str = "each exists in one version, this program's";
const SINK: &str = "this is a source connector: it writes to the topic that the setting topic names, and reads none";

/// Settings of Kafka Connect's source connectors, and of other connectors that are often confused with them.
pub const CONNECTOR: &[ConnectKey] = &[
    key("connector.plugin.version", These(&[env!("CARGO_PKG_VERSION")]), VERSIONS),
    key("tasks.max.enforce", These(&["false"]), "every stream is a task, so tasks.max limits nothing"),
    key("key.converter.schemas.enable", These(&["false"]), "keys do not contain a Connect schema"),
    key("key.converter.plugin.version", Nothing, VERSIONS),
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
    key("value.converter.plugin.version", Nothing, VERSIONS),
    key("value.converter.*", Nothing, CONVERTERS),
    key("header.converter", These(&["string", "StringConverter", "SimpleHeaderConverter"]), HEADERS),
    key("header.converter.schemas.enable", These(&["false"]), HEADERS),
    key("header.converter.plugin.version", Nothing, VERSIONS),
    key("header.converter.*", Nothing, HEADERS),
    key("transforms", Nothing, TRANSFORMS),
    key("transforms.*", Nothing, TRANSFORMS),
    key("predicates", Nothing, TRANSFORMS),
    key("predicates.*", Nothing, TRANSFORMS),
    key(
        "config.action.reload",
        These(&["none", "restart"]),
        "references to secrets are resolved when the connector starts, and no provider reports a change",
    ),
    key(
        "errors.log.enable",
        Anything,
        "failures are always logged and in the task's trace, with the stream's name if they concern one",
    ),
    key("errors.log.include.messages", These(&["false"]), "the content of records is never logged"),
    key(
        "errors.deadletterqueue.context.headers.enable",
        These(&["true"]),
        "dead letters always have headers with the reason and the position",
    ),
    key("errors.deadletterqueue.*", Nothing, DEAD_LETTERS),
    key("exactly.once.support", These(&["requested", "required"]), "every fragment is always published exactly once"),
    key(
        "transaction.boundary",
        These(&["poll", "connector"]),
        "a transaction contains whole fragments with their positions; the worker's transaction.max.duration.ms and \
         transaction.max.size.bytes limit it",
    ),
    key(
        "transaction.boundary.interval.ms",
        Nothing,
        "the worker's transaction.max.duration.ms sets the duration of a transaction",
    ),
    key("topic.creation.groups", These(&["default"]), GROUPS),
    key("topic.creation.default.include", Nothing, GROUPS),
    key("topic.creation.default.exclude", Nothing, GROUPS),
    key(
        "topic.creation.enable",
        These(&["true"]),
        "it is a worker's setting in Kafka Connect; kvs-connect always creates a missing data topic; create it \
         beforehand if the worker must not create it",
    ),
    key("topic.creation.*", Nothing, GROUPS),
    key("producer.override.*", Nothing, OVERRIDES),
    key("consumer.override.*", Nothing, OVERRIDES),
    key("admin.override.*", Nothing, OVERRIDES),
    key("topics", Nothing, SINK),
    key("topics.regex", Nothing, SINK),
    key("kafka.topic", Nothing, "topic names the data topic"),
    key("confluent.*", Nothing, "kvs-connect needs no licence key"),
];
