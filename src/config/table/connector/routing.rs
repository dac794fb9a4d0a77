//! Where records go, and what is beside their values: tracks, keys, partitions and headers.

use crate::config::table::definition::Group::{Records, TopicCreation};
use crate::config::table::definition::Importance::Low;
use crate::config::table::definition::{Choice, Definition, value};
use crate::config::table::key::{Key, Optional, key, settings};
use crate::model::{Partitioning, RecordKey, Template};

const RECORD_KEYS: &[Choice] = &[
    value("fragment", "is the fragment's number"),
    value("stream", "is the stream's name"),
    value("stream+fragment", "is both with a slash in between"),
];

const PARTITIONINGS: &[Choice] = &[
    value("stream", "keeps all records of a stream in one partition, in order, even when partitions are added"),
    value("key", "chooses by the record's key, so that a stream keeps its order only with record.key=stream"),
    value(
        "track",
        "chooses by stream and track, where a record is of one track, so that a track keeps its order as long as no \
         partitions are added",
    ),
];

settings! {
    /// What is published of a fragment, and where.
    ROUTING {
        TRACKS: Optional<String> = key("tracks", "Tracks")
            .optional_list_text()
            .group(Records)
            .doc(
                "Tracks that are published, separated by commas, each by its name, its number, or its kind: video, audio, \
                 subtitle or metadata. All others are taken out of the fragments. Without this setting all tracks \
                 are published.",
            );
        TRACKS_EXCLUDE: Optional<String> = key("tracks.exclude", "Tracks that are left out")
            .optional_list_text()
            .group(Records)
            .doc(
                "Tracks that are taken out of the fragments, in the same form as in tracks; of those that tracks chooses, if \
                 both are set.",
            );
        KEY: Key<RecordKey> = key("record.key", "Record key")
            .choice("fragment", RECORD_KEYS, &[RecordKey::Fragment, RecordKey::Stream, RecordKey::StreamFragment])
            .group(Records)
            .doc(
                "Key of the records of fragments and metadata; those of frames always have the name of the stream. A \
                 compacted topic keeps the last record of each key.",
            );
        PARTITION: Key<Partitioning> = key("record.partition", "Record partition")
            .choice("stream", PARTITIONINGS, &[Partitioning::Stream, Partitioning::Key, Partitioning::Track])
            .group(Records)
            .doc("Partition of the topic that a record is written to.");
        CLOUDEVENTS: Key<bool> = key("record.cloudevents", "CloudEvents headers")
            .flag(false)
            .group(Records)
            .importance(Low)
            .doc(
                "Whether records have the headers of CloudEvents 1.0 in binary mode: ce_specversion, ce_id, ce_source, ce_type, \
                 ce_subject, ce_time, and ce_dataref if the payload is in an object store.",
            );
        TRACEPARENT: Key<bool> = key("record.traceparent", "W3C trace context")
            .flag(false)
            .group(Records)
            .importance(Low)
            .doc(
                "Whether records have a header traceparent of W3C Trace Context. All records of a fragment have the same trace, \
                 which follows from stream and fragment number.",
            );
        TOPICS_MAX: Key<usize> = key("topics.max", "Most topics")
            .int::<usize>(1_000, 1..=100_000)
            .group(TopicCreation)
            .importance(Low)
            .doc(
                "Number of topics that a connector writes to at most on one worker if the name of a topic is a template. A \
                 fragment that would need another one is refused by name, as one that cannot be encoded.",
            );
    }
}

/// A header of all records.
const HEADER_KEY: Optional<Template> =
    key("record.header.", "Record header").template().group(Records).importance(Low).doc(
        "Header of all records of fragments, metadata and frames with this name: text that may contain ${connector}, \
         ${stream}, ${track} and ${tag:NAME}. A record for which a variable has no value lacks the header.",
    );

/// Its definition.
pub(in crate::config::table) const HEADER: Definition = HEADER_KEY.definition();

/// Reads the value of a header.
pub(in crate::config) const fn header() -> Optional<Template> {
    HEADER_KEY
}
