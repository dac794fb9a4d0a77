//! Choices that a connector's settings make about its records.

/// Room in front of payloads that a value's head nearly always fits into: about 15 bytes a frame, and the tracks.
pub const VALUE_HEADROOM_BYTES: usize = 4 << 10;

/// How a record's key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyFormat {
    /// The fragment number's digits as UTF-8 text.
    #[default]
    Text,
    /// An Avro string, single-object encoded (`schemas/fragment-key.avsc`).
    Avro,
}

/// Which time becomes the Kafka timestamp of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RecordTimestamp {
    /// When the fragment was received.
    #[default]
    Ingest,
    /// The producer's timestamp of the fragment.
    Producer,
    /// The service's timestamp of the fragment.
    Server,
}
