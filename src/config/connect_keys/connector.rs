//! Settings that Kafka Connect has for connectors.

use super::Accepts::{Anything, Nothing, These};
use super::{ConnectKey, HEADERS, VALUES, key};

const TRANSFORMS: &str = "there are no transforms and predicates here: records are changed by whoever reads them";
const OVERRIDES: &str = "connectors share their worker's clients: set producer.*, consumer.* or admin.* at the worker";
const GROUPS: &str =
    "a connector writes to one topic, so that there is the group default alone: topic.creation.default.*";
const DEAD_LETTERS: &str = "there is no dead letter topic: errors.tolerance=all passes over a fragment that cannot be \
    parsed and says so in the worker's notifications.topic";
const VERSIONS: &str = "there is one version of each, this program's own";
const SINK: &str = "this is a source connector: it writes to what topic names, and reads no topic";

/// Settings of Kafka Connect's source connectors, and of other connectors that people take for them.
pub const CONNECTOR: &[ConnectKey] = &[
    key("connector.plugin.version", These(&[env!("CARGO_PKG_VERSION")]), VERSIONS),
    key("tasks.max.enforce", These(&["false"]), "a task is a stream here, so that tasks.max bounds nothing"),
    key("key.converter.schemas.enable", These(&["false"]), "keys carry no schema of Connect's with them"),
    key("key.converter.plugin.version", Nothing, VERSIONS),
    key("key.converter.*", Nothing, "key.converter has no settings of its own: keys go through no schema registry"),
    key("value.converter", These(&["avro", "ByteArrayConverter"]), VALUES),
    key("value.converter.schemas.enable", These(&["false"]), "values carry no schema of Connect's with them"),
    key("value.converter.plugin.version", Nothing, VERSIONS),
    key("value.converter.*", Nothing, VALUES),
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
        "references to secrets are resolved when the connector starts, and none of their providers says when one changes",
    ),
    key(
        "errors.log.enable",
        Anything,
        "failures are in the log and in the task's trace in any case, with the stream where they are of one",
    ),
    key("errors.log.include.messages", These(&["false"]), "no contents of records are ever logged"),
    key("errors.deadletterqueue.context.headers.enable", These(&["false"]), DEAD_LETTERS),
    key("errors.deadletterqueue.*", Nothing, DEAD_LETTERS),
    key(
        "exactly.once.support",
        These(&["requested", "required"]),
        "every fragment is published exactly once in any case",
    ),
    key(
        "transaction.boundary",
        These(&["poll", "connector"]),
        "a transaction has whole fragments with their positions; the worker's transaction.max.duration.ms and \
         transaction.max.size.bytes bound it",
    ),
    key(
        "transaction.boundary.interval.ms",
        Nothing,
        "the worker's transaction.max.duration.ms says how long one takes",
    ),
    key("topic.creation.groups", These(&["default"]), GROUPS),
    key("topic.creation.default.include", Nothing, GROUPS),
    key("topic.creation.default.exclude", Nothing, GROUPS),
    key(
        "topic.creation.enable",
        These(&["true"]),
        "in Kafka Connect it is the worker's: here a data topic that is missing is created in any case; create it \
         beforehand where the worker must not",
    ),
    key("topic.creation.*", Nothing, GROUPS),
    key("producer.override.*", Nothing, OVERRIDES),
    key("consumer.override.*", Nothing, OVERRIDES),
    key("admin.override.*", Nothing, OVERRIDES),
    key("topics", Nothing, SINK),
    key("topics.regex", Nothing, SINK),
    key("kafka.topic", Nothing, "topic names the data topic"),
    key("confluent.*", Nothing, "no licence is needed, and nothing keeps one"),
];
