//! The choices in a connector's settings about the form of its records.

/// The room in front of a payload, in bytes. A value's head nearly always fits: about 15 bytes per frame, and the
/// tracks.
pub const VALUE_HEADROOM_BYTES: usize = 4 << 10;

/// The form of a record's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyFormat {
    /// The fragment number's digits as UTF-8 text.
    #[default]
    Text,
    /// An Avro string, single-object encoded (`schemas/fragment-key.avsc`).
    Avro,
}

/// The form of the values that have no payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ValueFormat {
    /// Avro, single-object encoded.
    #[default]
    Avro,
    /// JSON.
    Json,
}

/// The time that becomes the Kafka timestamp of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RecordTimestamp {
    /// The time at which the fragment was received.
    #[default]
    Ingest,
    /// The producer's timestamp of the fragment.
    Producer,
    /// The service's timestamp of the fragment.
    Server,
}

/// What happens to the media of a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PayloadMode {
    /// It is in the fragment's record.
    #[default]
    Inline,
    /// It is left out.
    None,
    /// It is in an object store.
    Reference,
    /// It is in a topic of its own, in parts.
    Chunked,
}

impl PayloadMode {
    /// Returns the name in settings and in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::None => "none",
            Self::Reference => "reference",
            Self::Chunked => "chunked",
        }
    }
}

/// How records refer to objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReferenceFormat {
    /// By fields of the record.
    #[default]
    Uri,
    /// Instead of their values, as bakdata's kafka-large-message-serde does.
    Bakdata,
}

/// What the key of a record consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RecordKey {
    /// The fragment's number.
    #[default]
    Fragment,
    /// The stream's name.
    Stream,
    /// The stream's name and the fragment's number, with a slash in between.
    StreamFragment,
}

/// What chooses the partition of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Partitioning {
    /// The stream, once and for all.
    #[default]
    Stream,
    /// The record's key.
    Key,
    /// The stream and the track, where a record is of one track.
    Track,
}
