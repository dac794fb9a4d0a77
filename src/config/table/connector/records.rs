//! What is written, and the topic it is written to.

use crate::config::table::definition::Group::{Records, TopicCreation};
use crate::config::table::definition::Importance::{High, Low};
use crate::config::table::definition::{Choice, Definition, value};
use crate::config::table::key::{Key, Optional, key, settings};
use crate::model::{RecordTimestamp, Template, ValueFormat};

const VALUE_FORMATS: &[Choice] = &[
    value("avro", "writes Avro (schemas/metadata.avsc, schemas/frame.avsc, schemas/notification.avsc)"),
    value("json", "writes JSON with the same fields: times in milliseconds since 1970, bytes in base64"),
];

const RECORD_TIMESTAMPS: &[Choice] = &[
    value("ingest", "is when this worker received the fragment"),
    value("producer", "is the producer's time of the fragment"),
    value("server", "is the service's time of the fragment"),
];

settings! {
    /// What is written.
    RECORDS {
        TOPIC: Key<Template> = key("topic", "Topic")
            .required_topic_template()
            .same_everywhere()
            .group(Records)
            .importance(High)
            .doc(
                "Topic that the fragments are written to; consumers have to read it with \
                 isolation.level=read_committed. Created if it does not exist; it must be none of the worker's own topics. \
                 The name may contain ${connector}, ${stream}, ${tag:NAME}, and ${track}, which splits fragments by track.",
            );
        METADATA_TOPIC: Optional<Template> = key("metadata.topic", "Topic for metadata")
            .optional_topic_template()
            .same_everywhere()
            .group(Records)
            .doc(
                "Topic for the fragments without their media, about 1 KB each, written in the transaction of the fragment: \
                 for queries that need no video. Created if it does not exist, like the topic of the fragments. Without \
                 this setting there is no such topic.",
            );
        VALUE_FORMAT: Key<ValueFormat> = key("value.format", "Value format")
            .choice("avro", VALUE_FORMATS, &[ValueFormat::Avro, ValueFormat::Json])
            .group(Records)
            .doc(
                "How the values of metadata, of notifications, and of frames with frames.payload.mode=none are written. What \
                 contains media is always written in Avro, because JSON cannot contain it.",
            );
        TIMESTAMP: Key<RecordTimestamp> = key("record.timestamp", "Record timestamp")
            .choice(
                "ingest",
                RECORD_TIMESTAMPS,
                &[RecordTimestamp::Ingest, RecordTimestamp::Producer, RecordTimestamp::Server],
            )
            .group(Records)
            .importance(Low)
            .doc(
                "Time that is used as a record's timestamp in Kafka. The topic's retention counts from it, so with \
                 producer or server old fragments may be deleted at once; if the topic would refuse or delete the \
                 record, its ingest time is used instead.",
            );
        OFFSETS_TOPIC: Optional<String> = key("offsets.storage.topic", "Connector's own offsets topic")
            .optional_topic()
            .same_everywhere()
            .group(Records)
            .importance(Low)
            .doc(
                "Compacted topic that stores how far this connector's streams have been published, instead of the \
                 worker's offset.storage.topic; connectors may share one, and it is created if it does not exist. \
                 Transactions of connectors whose offsets are elsewhere do not delay this one. It can be changed only \
                 while the connector is stopped, and its offsets move with it; standalone workers cannot move \
                 them.",
            );
    }
}

settings! {
    /// How the data topic is created.
    TOPIC_CREATION {
        PARTITIONS: Key<i32> = key("topic.creation.default.partitions", "Partitions")
            .int::<i32>(6, 1..=10_000)
            .group(TopicCreation)
            .doc(
                "Number of partitions of the topic when it is created. All fragments of a stream go to one partition.",
            );
        REPLICATION: Key<i32> = key("topic.creation.default.replication.factor", "Replication factor")
            .replication_factor()
            .group(TopicCreation)
            .doc("Replication factor of the topic when it is created; -1 is the broker's default.");
    }
}

/// Any other configuration of the data topic.
const TOPIC_CONFIG_KEY: Optional<String> =
    key("topic.creation.default.", "Topic configuration").optional_text().group(TopicCreation).importance(Low).doc(
        "Any other configuration of the data topic when it is created, by its name in Kafka, such as \
         retention.ms.",
    );

/// Its definition.
pub(in crate::config::table) const TOPIC_CONFIG: Definition = TOPIC_CONFIG_KEY.definition();
