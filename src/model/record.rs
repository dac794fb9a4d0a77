//! A Kafka record that is to be written.

use std::fmt;
use std::sync::Arc;

use kvs_mkv::Payload;

use super::header::Header;
use super::id::ShardId;
use super::sequence::SequencePrefix;

/// The name of an output within its connector. The names are a fixed set (`crate::output::KINDS`), and so can be
/// labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputId(pub &'static str);

impl OutputId {
    /// Complete fragments.
    pub const FRAGMENTS: Self = Self("fragments");
    /// Fragments without their payload.
    pub const METADATA: Self = Self("metadata");
    /// Single frames of fragments.
    pub const FRAMES: Self = Self("frames");
    /// Parts of payloads.
    pub const CHUNKS: Self = Self("chunks");
    /// Fragments that were skipped.
    pub const DEAD_LETTERS: Self = Self("dead_letters");
    /// Changes of streams.
    pub const NOTIFICATIONS: Self = Self("notifications");

    /// Returns the setting that bounds the size of the output's records, if one does.
    pub fn size_setting(self) -> Option<&'static str> {
        match self {
            Self::FRAGMENTS => Some("kvs.fragment.max.size.bytes"),
            Self::CHUNKS => Some("payload.chunk.max.bytes"),
            Self::DEAD_LETTERS => Some("errors.deadletterqueue.value.max.bytes"),
            _ => None,
        }
    }
}

impl fmt::Display for OutputId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// What happens when a topic refuses a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnRefused {
    /// The stream fails: its fragments are published with this record or not at all.
    FailStream,
    /// The record is dropped and counted, and no fragment waits for it.
    Drop,
}

/// What the shard's owner knows of the output that a record belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordOutput {
    /// The output's name.
    pub id: OutputId,
    /// What happens when the topic refuses the record.
    pub on_refused: OnRefused,
}

impl RecordOutput {
    /// Returns whether records of this output may be dropped when their topic refuses them.
    pub fn may_be_dropped(self) -> bool {
        self.on_refused == OnRefused::Drop
    }
}

/// One Kafka record.
#[derive(Debug)]
pub struct Record {
    /// The output it belongs to; `None` for records of a log, such as offsets.
    pub output: Option<RecordOutput>,
    /// The topic.
    pub topic: Arc<str>,
    /// The partition of the topic.
    pub partition: i32,
    /// The key.
    pub key: Vec<u8>,
    /// The value; `None` is a tombstone.
    pub value: Option<Payload>,
    /// The headers.
    pub headers: Vec<Header>,
    /// Kafka's timestamp, in milliseconds; `None`: the time at which the record is sent.
    pub timestamp_ms: Option<i64>,
    /// Encodes the fragment's sequence, which the value still lacks at its front; `None`: the value is complete.
    pub sequence: Option<Arc<dyn SequencePrefix>>,
}

impl Record {
    /// Returns a record of a shard, or of a log that is treated like one; a value of `None` is a tombstone.
    pub fn of_log(topic: &Arc<str>, shard: ShardId, key: Vec<u8>, value: Option<Vec<u8>>) -> Self {
        Self {
            output: None,
            topic: Arc::clone(topic),
            partition: shard.0,
            key,
            value: value.map(Into::into),
            headers: Vec::new(),
            timestamp_ms: None,
            sequence: None,
        }
    }

    /// Returns whether the record may be dropped when its topic refuses it.
    pub fn may_be_dropped(&self) -> bool {
        self.output.is_some_and(RecordOutput::may_be_dropped)
    }
}
