//! What a stream publishes in one piece.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use super::offset::StoredOffset;
use super::offset_key::OffsetKey;
use super::record::Record;

/// A whole fragment, encoded for every output, with the offset that is committed with it; or records that move no offset.
#[derive(Debug)]
pub struct Publication {
    /// The stream it is of.
    pub key: Arc<OffsetKey>,
    /// The stream's offset once it is published; `None`: it moves no offset.
    pub offset: Option<StoredOffset>,
    /// The fragment's own records. A fragment that turns out to be published already has none of them written again.
    pub records: Vec<Record>,
    /// Records about the stream that are told along with the fragment, also when it turns out to be published already.
    pub notifications: Vec<Record>,
    /// Size of the fragment's payload.
    pub size_bytes: usize,
    /// When the fragment's last byte was received.
    pub received: Instant,
    /// The memory that the fragment takes; dropped after the commit.
    pub permit: Box<dyn Any + Send>,
}

impl Publication {
    /// Returns a publication of notifications, which have no fragment to go with.
    pub fn of_notifications(key: Arc<OffsetKey>, notifications: Vec<Record>) -> Self {
        Self {
            key,
            offset: None,
            records: Vec::new(),
            notifications,
            size_bytes: 0,
            received: Instant::now(),
            permit: Box::new(()),
        }
    }

    /// Takes the fragment out of it; the notifications stay.
    pub(crate) fn without_fragment(self) -> Self {
        Self { offset: None, records: Vec::new(), size_bytes: 0, permit: Box::new(()), ..self }
    }

    /// Returns whether it neither writes a record nor moves an offset.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.notifications.is_empty() && self.offset.is_none()
    }

    /// Returns all of its records.
    pub(crate) fn all_records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().chain(&self.notifications)
    }

    /// Returns whether it publishes a fragment; one that is passed over moves the offset and has no sequence.
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

    /// Puts its records into the partitions that the stream's last fragment went to. A task that was started again before
    /// that fragment was written may have counted other partitions.
    pub(crate) fn keep_partitions(&mut self, last: Option<&StoredOffset>) {
        let (Some(last), Some(offset)) = (last, self.offset.as_mut()) else { return };
        for now in &mut offset.data_partitions {
            let Some(kept) = last.partition_in(&now.topic).filter(|&kept| kept != now.partition) else { continue };
            now.partition = kept;
            let in_topic = self.records.iter_mut().filter(|record| *record.topic == *now.topic);
            in_topic.for_each(|record| record.partition = kept);
        }
    }
}

/// A publication that has been committed.
#[derive(Debug)]
pub struct Committed {
    /// The stream it is of.
    pub key: Arc<OffsetKey>,
    /// Size of the fragment's payload.
    pub size_bytes: usize,
    /// When the fragment's last byte was received.
    pub received: Instant,
    /// Whether a fragment was published by it, and not only notifications.
    pub is_fragment: bool,
    /// Topics of its records that could have been dropped: they take records.
    pub droppable_topics: Vec<Arc<str>>,
    /// Whether its stream has come on by it: also by a fragment that is passed over.
    pub moves_offset: bool,
    /// Memory and in-flight tokens of the fragment, given back when this is dropped.
    _permit: Box<dyn Any + Send>,
}

impl Committed {
    /// Returns what is known of a publication when it is committed, with its permit; its records have been sent.
    pub(crate) fn of(publication: &mut Publication) -> Self {
        let droppable = publication.all_records().filter(|record| record.may_be_dropped());
        let mut droppable_topics: Vec<_> = droppable.map(|record| Arc::clone(&record.topic)).collect();
        droppable_topics.dedup();
        Self {
            key: Arc::clone(&publication.key),
            size_bytes: publication.size_bytes,
            received: publication.received,
            is_fragment: publication.offset.is_some() && publication.size_bytes > 0,
            droppable_topics,
            moves_offset: publication.offset.is_some(),
            _permit: std::mem::replace(&mut publication.permit, Box::new(())),
        }
    }
}
