//! What the shard's code asks of Kafka: narrow, so that another client can keep it.

use super::id::ShardId;
use super::id_scheme::IdScheme;
use super::record::Record;

/// What an error of the log means to the shard. All of them end in losing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogErrorKind {
    /// Another producer has taken the shard's id, or the broker's transaction timeout passed: they look alike.
    Fenced,
    /// The broker knows the ids no more (rule 12).
    UnknownProducer,
    /// No answer in time, so it is not known what happened (rule 6).
    Timeout,
    /// Not allowed; the text names the ACL.
    NotAuthorized,
    /// A record is larger than the topic takes.
    RecordTooLarge {
        /// Index in the transaction's records, in the order they were sent.
        index: usize,
        /// Size of the record.
        size_bytes: usize,
        /// The limit, where it is known.
        limit_bytes: Option<usize>,
    },
    /// A topic takes no records: it is gone, or may not be written. Only the streams that write there fail.
    TopicRefused {
        /// Index in the transaction's records, in the order they were sent.
        index: usize,
        /// The topic.
        topic: String,
    },
    /// The broker does not take the time of a record.
    TimestampRefused {
        /// Index in the transaction's records, in the order they were sent.
        index: usize,
    },
    /// Anything else.
    Other,
}

impl LogErrorKind {
    /// Whether trying again is of no use before somebody grants or makes something.
    pub fn needs_a_grant(&self) -> bool {
        matches!(self, Self::NotAuthorized | Self::TopicRefused { .. })
    }

    /// A short name for metrics: one of a fixed set.
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
    /// What it means.
    pub kind: LogErrorKind,
    /// What was being done.
    pub doing: &'static str,
    /// What the client says.
    pub text: String,
}

/// Where shards live.
pub trait ShardLog: Send + Sync + 'static {
    /// Writes a shard.
    type Producer: TransactionalProducer;
    /// Reads a shard's offsets.
    type Reader: OffsetReader;

    /// A new producer under the shard's own transactional id, which is that of no other shard (rule 3).
    ///
    /// # Errors
    /// When it cannot be made.
    fn open_producer(&self, shard: ShardId, scheme: IdScheme) -> Result<Self::Producer, LogError>;

    /// The form of the shard's transactional id, as far as this process knows; a guess is corrected by what the shard says.
    fn id_scheme(&self, shard: ShardId) -> IdScheme;

    /// Remembers the form that the shard says.
    fn note_id_scheme(&self, shard: ShardId, scheme: IdScheme);

    /// Lends a reader to `read`, and returns what that returns. Waits while there are as many readers as there may be. The
    /// next one to ask may get the same reader, unless `read` has failed or panicked: then it is gone, and another one is
    /// made in its place.
    ///
    /// # Errors
    /// Those of `read`, and when a reader cannot be made.
    fn with_reader<T, E: From<LogError>>(&self, read: impl FnOnce(&mut Self::Reader) -> Result<T, E>) -> Result<T, E>;

    /// Name of the offsets topic.
    fn offsets_topic(&self) -> &str;

    /// Returns why a partition takes no records at the moment, as far as is known without asking; `None`: it does. Asked
    /// before a record goes into a transaction, for one that has a partition without a leader cannot be completed.
    fn unavailable(&self, topic: &str, partition: i32) -> Option<String>;
}

/// One producer of one shard. All calls block: they belong on the shard's own thread. After any error it is
/// finished: no call is made on it any more (rule 6).
pub trait TransactionalProducer: Send {
    /// Fences whoever had the id before and waits until their transaction is decided.
    ///
    /// # Errors
    /// When it cannot be done.
    fn init(&mut self) -> Result<(), LogError>;

    /// Begins a transaction.
    ///
    /// # Errors
    /// When it cannot be done.
    fn begin(&mut self) -> Result<(), LogError>;

    /// Adds a record to the transaction. The client has taken a copy when this returns; ours is freed.
    ///
    /// # Errors
    /// When the record is not taken, or an earlier one was not delivered.
    fn send(&mut self, record: Record) -> Result<(), LogError>;

    /// Waits until every record sent is acknowledged. To commit before that costs a hundred milliseconds.
    ///
    /// # Errors
    /// When a record was not delivered.
    fn drain(&mut self) -> Result<(), LogError>;

    /// Commits.
    ///
    /// # Errors
    /// When it is not known to have been done.
    fn commit(&mut self) -> Result<(), LogError>;
}

/// Writes records that are all there in one transaction.
///
/// # Errors
/// When it is not known to have been done.
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

/// First and end offset of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Offset of the first record that is there.
    pub start: i64,
    /// Offset behind the last record, decided or not: the read_uncommitted high watermark (rule 2).
    pub end: i64,
}

/// A record of the offsets topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetRecord {
    /// Key.
    pub key: Vec<u8>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
}

/// Reads a shard's partition.
pub trait OffsetReader: Send {
    /// Bounds of the partition as they are now.
    ///
    /// # Errors
    /// When they cannot be got.
    fn bounds(&mut self, shard: ShardId) -> Result<Bounds, LogError>;

    /// Goes to an offset of the partition, to read what is committed from there.
    ///
    /// # Errors
    /// When it cannot be done.
    fn seek(&mut self, shard: ShardId, offset: i64) -> Result<(), LogError>;

    /// The next committed record, if one comes within a few milliseconds.
    ///
    /// # Errors
    /// When reading fails.
    fn poll(&mut self) -> Result<Option<OffsetRecord>, LogError>;

    /// The offset behind all that has been read or passed over; markers and aborted records are passed over. For a moment
    /// behind a `seek` it may still be that of the read before, as long as there has been no `poll`.
    ///
    /// # Errors
    /// When it is not known.
    fn position(&mut self) -> Result<i64, LogError>;
}
