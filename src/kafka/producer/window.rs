//! Which records of a partition may be handed to librdkafka, so that it never holds one that it must not send yet.
//!
//! An idempotent producer of librdkafka 2.12.1 begins no request for a partition while five of its records are unacknowledged. It
//! counts records, not requests, and while a record waits for that, the broker's thread does not sleep: it looks hundreds of
//! thousands of times a second whether it may send (docs/KAFKA.md, "Why the broker's threads spin"). What would
//! wait there waits here instead. Nothing is sent later for it: what is held is what librdkafka would not send.
//!
//! A broker holds a topic's `max.message.bytes` against batches, and refuses all records of one that is larger. Where the topic accepts
//! less than librdkafka would put into a batch, records are handed over only if all that are unacknowledged fit into what it accepts.
//!
//! Of small records the first one of a partition is handed over at once, because the transaction has to admit the partition before
//! anything is sent to it. The others follow as a whole batch, or when the transaction is complete: single ones that follow a
//! batch that is on its way would wait in librdkafka for it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::super::settings::BatchLimits;
use crate::model::Record;

/// The number of unacknowledged records of a partition from which librdkafka begins no further request: its
/// `RD_KAFKA_IDEMP_MAX_INFLIGHT`.
const UNACKNOWLEDGED_RECORDS: usize = 5;

/// Bytes of a batch that belong to no record, rounded up.
const BATCH_OVERHEAD_BYTES: usize = 100;

/// Bytes that a record takes in a batch besides key, value and headers, rounded up.
const RECORD_OVERHEAD_BYTES: usize = 32;

/// Bytes that a header takes in a batch besides name and value, rounded up.
const HEADER_OVERHEAD_BYTES: usize = 8;

/// Returns the size of a record in a batch, in bytes, rounded up.
pub(super) fn size_bytes(record: &Record) -> usize {
    let headers = record.headers.iter().map(|header| header.name.len() + header.value.len() + HEADER_OVERHEAD_BYTES);
    let headers = headers.sum::<usize>();
    record.key.len() + record.value.as_ref().map_or(0, |value| value.len()) + headers + RECORD_OVERHEAD_BYTES
}

/// The unacknowledged records of each partition, in one transaction.
#[derive(Debug)]
pub(super) struct Window {
    limits: BatchLimits,
    /// By the partition's number in [`Held`].
    partitions: Vec<Partition>,
    /// The partition and the size of each record handed over, by its index in the transaction.
    records: HashMap<usize, (usize, usize)>,
}

/// What is unacknowledged of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unacknowledged {
    pub records: usize,
    pub size_bytes: usize,
    /// The largest batch that they may have been in.
    pub batch_max_bytes: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Partition {
    records: usize,
    size_bytes: usize,
    /// The largest batch that the topic accepts, if that is less than the producer's.
    topic_max_bytes: Option<usize>,
    /// A record of this transaction has been handed over.
    has_begun: bool,
    /// A record did not fit: none follows before librdkafka would begin another request, so that a batch which is acknowledged
    /// record by record is followed by a batch and not by single records.
    full: bool,
}

impl Partition {
    /// Returns from how many unacknowledged records on a record has to fit into a batch with them.
    fn at_once(&self) -> usize {
        // One record is a batch, too, however large.
        if self.topic_max_bytes.is_some() { 1 } else { UNACKNOWLEDGED_RECORDS }
    }
}

impl Window {
    /// Returns a window in which nothing is unacknowledged.
    pub(super) fn new(limits: BatchLimits) -> Self {
        Self { limits, partitions: Vec::new(), records: HashMap::new() }
    }

    /// Forgets the records and partitions of the transaction before.
    pub(super) fn clear(&mut self) {
        self.partitions.clear();
        self.records.clear();
    }

    /// Returns whether librdkafka would send a record of this size without waiting for acknowledgements of its partition.
    ///
    /// Beyond the first few, records are handed over as long as all that are unacknowledged fit into one batch: they may all be
    /// in one request.
    pub(super) fn has_room(&self, partition: usize, size_bytes: usize) -> bool {
        let now = self.partitions.get(partition).copied().unwrap_or_default();
        now.records < now.at_once()
            || (!now.full
                && now.records < self.limits.records
                && now.size_bytes.saturating_add(size_bytes) <= self.batch_bytes(partition))
    }

    /// Returns how many bytes of a partition's records fit into one batch.
    fn batch_bytes(&self, partition: usize) -> usize {
        let of_topic = self.partitions.get(partition).and_then(|counts| counts.topic_max_bytes);
        of_topic.unwrap_or(self.limits.size_bytes).saturating_sub(BATCH_OVERHEAD_BYTES)
    }

    /// Returns whether the limit of a partition has been set in this transaction.
    pub(super) fn is_limited(&self, partition: usize) -> bool {
        partition < self.partitions.len()
    }

    /// Sets the largest batch that a partition's topic accepts, in bytes; `None`: it is not known.
    pub(super) fn limit(&mut self, partition: usize, topic_max_bytes: Option<usize>) {
        let limit_bytes = self.limits.size_bytes;
        self.counts(partition).topic_max_bytes = topic_max_bytes.filter(|most| *most < limit_bytes);
    }

    /// Returns what is unacknowledged of the partition of a record, which is one of them.
    pub(super) fn unacknowledged(&self, index: usize) -> Unacknowledged {
        let counts = self.records.get(&index).and_then(|(partition, _)| self.partitions.get(*partition));
        let Partition { records, size_bytes, topic_max_bytes, .. } = counts.copied().unwrap_or_default();
        Unacknowledged { records, size_bytes, batch_max_bytes: topic_max_bytes.unwrap_or(self.limits.size_bytes) }
    }

    fn counts(&mut self, partition: usize) -> &mut Partition {
        if self.partitions.len() <= partition {
            self.partitions.resize_with(partition + 1, Partition::default);
        }
        &mut self.partitions[partition]
    }

    /// Returns whether what is held of a partition is handed over before the transaction is complete.
    fn is_due(&self, partition: usize, held: &HeldPartition) -> bool {
        let batch_bytes = self.batch_bytes(partition);
        let first_bytes = held.records.front().map_or(0, |(_, record)| size_bytes(record));
        !self.partitions.get(partition).is_some_and(|counts| counts.has_begun)
            // No more of such fit into a batch than may be on their way.
            || first_bytes.saturating_mul(UNACKNOWLEDGED_RECORDS) >= batch_bytes
            || held.size_bytes >= batch_bytes
            || held.records.len() >= self.limits.records
    }

    /// Notes that a record of the partition did not fit.
    fn fill(&mut self, partition: usize) {
        if let Some(counts) = self.partitions.get_mut(partition) {
            counts.full = true;
        }
    }

    /// Counts a record that is handed over.
    pub(super) fn add(&mut self, index: usize, partition: usize, size_bytes: usize) {
        let counts = self.counts(partition);
        counts.records += 1;
        counts.has_begun = true;
        counts.size_bytes = counts.size_bytes.saturating_add(size_bytes);
        self.records.insert(index, (partition, size_bytes));
    }

    /// Counts a record's delivery report, or that librdkafka did not take it.
    pub(super) fn remove(&mut self, index: usize) {
        let Some((partition, size_bytes)) = self.records.remove(&index) else { return };
        if let Some(counts) = self.partitions.get_mut(partition) {
            counts.records = counts.records.saturating_sub(1);
            counts.size_bytes = counts.size_bytes.saturating_sub(size_bytes);
            counts.full &= counts.records >= counts.at_once();
        }
    }
}

/// The records of a transaction that wait for acknowledgements of their partitions, in their order.
///
/// Bounded as the transaction is: by `transaction.max.size.bytes` and one fragment.
#[derive(Debug, Default)]
pub(super) struct Held {
    numbers: HashMap<(Arc<str>, i32), usize>,
    partitions: Vec<HeldPartition>,
}

#[derive(Debug, Default)]
struct HeldPartition {
    records: VecDeque<(usize, Record)>,
    size_bytes: usize,
}

impl Held {
    /// Forgets all records and partitions.
    pub(super) fn clear(&mut self) {
        self.numbers.clear();
        self.partitions.clear();
    }

    /// Returns the number that a partition has during this transaction.
    pub(super) fn partition(&mut self, topic: &Arc<str>, partition: i32) -> usize {
        let next = self.partitions.len();
        let number = *self.numbers.entry((Arc::clone(topic), partition)).or_insert(next);
        if number == next {
            self.partitions.push(HeldPartition::default());
        }
        number
    }

    /// Adds a record, with its index in the transaction, behind those of its partition.
    pub(super) fn push(&mut self, partition: usize, index: usize, record: Record) {
        if let Some(held) = self.partitions.get_mut(partition) {
            held.size_bytes = held.size_bytes.saturating_add(size_bytes(&record));
            held.records.push_back((index, record));
        }
    }

    /// Takes the first record of a partition, if the window has room for it.
    pub(super) fn take(&mut self, partition: usize, window: &mut Window) -> Option<(usize, Record)> {
        let held = self.partitions.get_mut(partition)?;
        let first_bytes = held.records.front().map(|(_, first)| size_bytes(first))?;
        if window.has_room(partition, first_bytes) {
            held.size_bytes = held.size_bytes.saturating_sub(first_bytes);
            return held.records.pop_front();
        }
        window.fill(partition);
        None
    }

    /// Returns whether what is held of a partition is handed over before the transaction is complete.
    pub(super) fn is_due(&self, partition: usize, window: &Window) -> bool {
        self.partitions.get(partition).is_some_and(|held| window.is_due(partition, held))
    }

    /// Returns the number of partitions of this transaction.
    pub(super) fn partition_count(&self) -> usize {
        self.partitions.len()
    }

    /// Returns whether any record is held.
    pub(super) fn is_empty(&self) -> bool {
        self.partitions.iter().all(|held| held.records.is_empty())
    }

    /// Returns whether the window has room for a record that is held.
    pub(super) fn may_go_on(&self, window: &Window) -> bool {
        let mut partitions = self.partitions.iter().enumerate();
        partitions.any(|(partition, held)| {
            held.records.front().is_some_and(|(_, record)| window.has_room(partition, size_bytes(record)))
        })
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
