//! One Kafka record, on its way.

use std::fmt;
use std::sync::Arc;

use kvs_mkv::Payload;

use super::id::ShardId;
use super::sequence::SequencePrefix;

/// Names an output within its connector. The names are a fixed set (`crate::output::KINDS`), so they serve as labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputId(pub &'static str);

impl OutputId {
    /// Whole fragments.
    pub const FRAGMENTS: Self = Self("fragments");
    /// What people should know of streams.
    pub const NOTIFICATIONS: Self = Self("notifications");
}

impl fmt::Display for OutputId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// What becomes of a record that its topic refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnRefused {
    /// The stream fails: its fragments are published with this record or not at all.
    FailStream,
    /// The record is dropped and counted: no fragment waits for it.
    Drop,
}

/// The output that a record belongs to, as far as the shard's owner has to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordOutput {
    /// Which output of its connector.
    pub id: OutputId,
    /// What becomes of the record when its topic refuses it.
    pub on_refused: OnRefused,
}

impl RecordOutput {
    /// Returns whether its records may be dropped when their topic refuses them.
    pub fn may_be_dropped(self) -> bool {
        self.on_refused == OnRefused::Drop
    }
}

/// One Kafka record.
#[derive(Debug)]
pub struct Record {
    /// The output it belongs to; `None` for records of a log, such as offsets.
    pub output: Option<RecordOutput>,
    /// Topic.
    pub topic: Arc<str>,
    /// Partition of the topic.
    pub partition: i32,
    /// Key.
    pub key: Vec<u8>,
    /// Value; `None` is a tombstone.
    pub value: Option<Payload>,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// Kafka's timestamp in milliseconds; `None`: the time at which it is sent.
    pub timestamp_ms: Option<i64>,
    /// Writes what the value still lacks in front, the fragment's sequence; `None`: the value is complete.
    pub sequence: Option<Arc<dyn SequencePrefix>>,
}

impl Record {
    /// Returns a record of a log that is a shard, or is treated as one: key and value, `None` for a tombstone.
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
