//! What is on its way to Kafka.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use kvs_mkv::Payload;

use super::id::ShardId;
use super::log::ShardLog;
use super::offset::{OffsetKey, StoredOffset};
use super::sequence::SequencePrefix;

/// One Kafka record.
#[derive(Debug)]
pub struct Record {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Key.
    pub key: Vec<u8>,
    /// Value; `None` is a tombstone.
    pub value: Option<Payload>,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// Kafka's timestamp in milliseconds; `None`: when it is sent.
    pub timestamp_ms: Option<i64>,
    /// What the value still lacks in front: the fragment's sequence. `None`: it lacks nothing.
    pub sequence: Option<Arc<dyn SequencePrefix>>,
}

impl Record {
    /// One of a log that is a shard, or is taken as one: key and value, `None` for a tombstone.
    pub fn of_log(topic: &Arc<str>, shard: ShardId, key: Vec<u8>, value: Option<Vec<u8>>) -> Self {
        let value = value.map(Into::into);
        Self {
            topic: Arc::clone(topic),
            partition: shard.0,
            key,
            value,
            headers: Vec::new(),
            timestamp_ms: None,
            sequence: None,
        }
    }
}

/// A whole fragment, encoded, with what it does to its stream's offset; or records that move no offset.
#[derive(Debug)]
pub struct Outgoing {
    /// Whose it is.
    pub key: Arc<OffsetKey>,
    /// The stream's offset once it is published; `None`: what is published is no fragment.
    pub offset: Option<StoredOffset>,
    /// The fragment's own records.
    pub records: Vec<Record>,
    /// What is to be told along with them. A fragment never waits for these: where they cannot be written they are dropped.
    pub notifications: Vec<Record>,
    /// Size of the fragment's payload.
    pub size_bytes: usize,
    /// When its last byte was received.
    pub received: Instant,
    /// Dropped after the commit: the memory it takes.
    pub permit: Box<dyn Any + Send>,
}

impl Outgoing {
    /// Takes the fragment out of it; what is to be told along with it stays.
    pub(super) fn without_fragment(self) -> Self {
        Self { offset: None, records: Vec::new(), size_bytes: 0, permit: Box::new(()), ..self }
    }

    /// Whether a fragment is published by it; one that is passed over moves the offset and has no sequence.
    pub fn has_sequence(&self) -> bool {
        self.records.iter().any(|record| record.sequence.is_some())
    }

    /// Writes the sequence into the records that lack it, and into the offset.
    pub fn set_sequence(&mut self, sequence: Option<i64>) {
        if let Some(offset) = &mut self.offset {
            offset.sequence = sequence;
        }
        for record in &mut self.records {
            if let (Some(lacking), Some(sequence)) = (record.sequence.take(), sequence) {
                let value = record.value.take().unwrap_or_default();
                record.value = Some(value.into_prefixed(&lacking.prefix(sequence)));
            }
        }
    }

    /// Puts it into the partition that the stream's last fragment went to: a task that was started again before that one was
    /// written may have counted other partitions.
    pub(super) fn keep_partition(&mut self, last: Option<&StoredOffset>) {
        let Some(kept) = last.and_then(|last| last.data_partition.as_ref()) else { return };
        let Some(now) = self.offset.as_mut().and_then(|offset| offset.data_partition.as_mut()) else { return };
        if now.topic == kept.topic && now.partition != kept.partition {
            now.partition = kept.partition;
            let in_topic = self.records.iter_mut().filter(|record| *record.topic == *kept.topic);
            in_topic.for_each(|record| record.partition = kept.partition);
        }
    }

    /// Returns why its records cannot be written at the moment, as far as is known.
    pub(super) fn unavailable(&self, log: &impl ShardLog) -> Option<String> {
        self.records.iter().find_map(|record| log.unavailable(&record.topic, record.partition))
    }
}
