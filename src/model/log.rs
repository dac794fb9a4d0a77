//! The interface to Kafka. It is narrow, so that another client can implement it.

use super::id::ShardId;
use super::id_scheme::IdScheme;
use super::record::Record;

/// What an error of the log means to a shard. Every kind ends in losing the shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogErrorKind {
    /// Another producer has acquired the shard's id, or the broker's transaction timeout has passed: they look alike.
    Fenced,
    /// The broker no longer knows the producer id (rule 12).
    UnknownProducer,
    /// There was no response in time, so the outcome is unknown (rule 6).
    Timeout,
    /// The operation is not allowed; the text names the ACL.
    NotAuthorized,
    /// A record is larger than the topic accepts.
    RecordTooLarge {
        /// Index in the transaction's records, in the order they were sent.
        index: usize,
        /// Size of the record, in bytes.
        size_bytes: usize,
        /// The limit in bytes, if it is known.
        limit_bytes: Option<usize>,
    },
    /// A topic accepts no records: it does not exist, or must not be written. Only the streams that write to it fail.
    TopicRefused {
        /// Index in the transaction's records, in the order they were sent.
        index: usize,
        /// The topic.
        topic: String,
    },
    /// The broker refuses the timestamp of a record.
    TimestampRefused {
        /// Index in the transaction's records, in the order they were sent.
        index: usize,
    },
    /// Any other error.
    Other,
}

impl LogErrorKind {
    /// Returns whether trying again is useless until somebody grants a permission or creates a topic.
    pub fn needs_a_grant(&self) -> bool {
        matches!(self, Self::NotAuthorized | Self::TopicRefused { .. })
    }

    /// Returns a short name for metrics, one of a fixed set.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Fenced => "fenced",
            Self::UnknownProducer => "unknown_producer",
            Self::Timeout => "timeout",
            Self::NotAuthorized => "not_authorized",
            Self::RecordTooLarge { .. } => "record_too_large",
            Self::TopicRefused { .. } => "topic_refused",
            Self::TimestampRefused { .. } => "timestamp_refused",
            Self::Other => "other",
        }
    }
}

/// An error of the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {text}")]
pub struct LogError {
    /// What the error means.
    pub kind: LogErrorKind,
    /// What was being done.
    pub doing: &'static str,
    /// The client's message.
    pub text: String,
}

/// The storage of an offsets topic's shards.
pub trait ShardLog: Send + Sync + 'static {
    /// Writes a shard.
    type Producer: TransactionalProducer;
    /// Reads a shard's offsets.
    type Reader: OffsetReader;

    /// Creates a producer with the shard's own transactional id, which no other shard has (rule 3).
    ///
    /// # Errors
    /// When it cannot be created.
    fn open_producer(&self, shard: ShardId, scheme: IdScheme) -> Result<Self::Producer, LogError>;

    /// Returns the form of the shard's transactional id, as far as this process knows; reading the shard corrects a
    /// guess.
    fn id_scheme(&self, shard: ShardId) -> IdScheme;

    /// Remembers the form that was read from the shard.
    fn note_id_scheme(&self, shard: ShardId, scheme: IdScheme);

    /// Calls `read` with a reader, and returns its result. Waits while the maximum number of readers is in use. The
    /// next caller may get the same reader, unless `read` failed or panicked: then the reader is dropped, and another
    /// one is created in its place.
    ///
    /// # Errors
    /// Those of `read`, and when a reader cannot be created.
    fn with_reader<T, E: From<LogError>>(&self, read: impl FnOnce(&mut Self::Reader) -> Result<T, E>) -> Result<T, E>;

    /// Returns the name of the offsets topic.
    fn offsets_topic(&self) -> &str;

    /// Returns why a partition accepts no records at the moment, as far as is known without a request; `None`: it
    /// accepts them. Called before a record is added to a transaction, which cannot be completed with a partition
    /// without a leader.
    fn unavailable(&self, topic: &str, partition: i32) -> Option<String>;
}

/// One producer of one shard. All calls block, and so belong on the shard's own thread. After any error the producer is
/// finished, and must not be called any more (rule 6).
pub trait TransactionalProducer: Send {
    /// Fences the previous producer with this id and waits until its transaction is decided.
    ///
    /// # Errors
    /// When the request fails.
    fn init(&mut self) -> Result<(), LogError>;

    /// Begins a transaction.
    ///
    /// # Errors
    /// When the request fails.
    fn begin(&mut self) -> Result<(), LogError>;

    /// Adds a record to the transaction. The client has a copy of it, and ours is freed, at the latest when
    /// [`drain`](Self::drain) returns.
    ///
    /// # Errors
    /// When the record is refused, or an earlier one was not delivered.
    fn send(&mut self, record: Record) -> Result<(), LogError>;

    /// Waits until every record sent is acknowledged. Committing before that costs a hundred milliseconds.
    ///
    /// # Errors
    /// When a record was not delivered.
    fn drain(&mut self) -> Result<(), LogError>;

    /// Commits the transaction.
    ///
    /// # Errors
    /// When the commit is not known to have succeeded.
    fn commit(&mut self) -> Result<(), LogError>;
}

/// Writes records in one transaction.
///
/// # Errors
/// When the commit is not known to have succeeded.
pub fn write_transaction(
    producer: &mut (impl TransactionalProducer + ?Sized),
    records: impl IntoIterator<Item = Record>,
) -> Result<(), LogError> {
    producer.begin()?;
    for record in records {
        producer.send(record)?;
    }
    producer.drain()?;
    producer.commit()
}

/// The first and the end offset of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Offset of the first record that exists.
    pub start: i64,
    /// Offset after the last record, decided or not: the read_uncommitted high watermark (rule 2).
    pub end: i64,
}

/// A record of the offsets topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetRecord {
    /// The key.
    pub key: Vec<u8>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
}

/// Reads a shard's partition.
pub trait OffsetReader: Send {
    /// Returns the current bounds of the partition.
    ///
    /// # Errors
    /// When they cannot be fetched.
    fn bounds(&mut self, shard: ShardId) -> Result<Bounds, LogError>;

    /// Seeks to an offset of the partition, to read committed records from there.
    ///
    /// # Errors
    /// When the request fails.
    fn seek(&mut self, shard: ShardId, offset: i64) -> Result<(), LogError>;

    /// Returns the next committed record, if one arrives within a few milliseconds.
    ///
    /// # Errors
    /// When reading fails.
    fn poll(&mut self) -> Result<Option<OffsetRecord>, LogError>;

    /// Returns the offset after everything that has been read or skipped, such as markers and aborted records. After a
    /// `seek`, it may be that of the previous read until the first `poll`.
    ///
    /// # Errors
    /// When the position is not known.
    fn position(&mut self) -> Result<i64, LogError>;
}
