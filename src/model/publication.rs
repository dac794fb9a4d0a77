//! The unit that a stream publishes.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use super::offset::StoredOffset;
use super::offset_key::OffsetKey;
use super::record::Record;

/// A complete fragment, encoded for every output, with the offset that is committed with it; or records that move no
/// offset.
#[derive(Debug)]
pub struct Publication {
    /// The stream.
    pub key: Arc<OffsetKey>,
    /// The stream's offset once the publication is committed; `None`: it moves no offset.
    pub offset: Option<StoredOffset>,
    /// The fragment's own records. They are not written again if the fragment turns out to be already published.
    pub records: Vec<Record>,
    /// Records about the stream that accompany the fragment. They are written even if it turns out to be already
    /// published.
    pub notifications: Vec<Record>,
    /// Size of the fragment's payload, in bytes.
    pub size_bytes: usize,
    /// When the fragment's last byte was received.
    pub received: Instant,
    /// The permit for the fragment's memory, dropped after the commit.
    pub permit: Box<dyn Any + Send>,
}

impl Publication {
    /// Returns a publication of notifications that accompany no fragment.
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

    /// Returns the publication without its fragment; the notifications stay.
    pub(crate) fn without_fragment(self) -> Self {
        Self { offset: None, records: Vec::new(), size_bytes: 0, permit: Box::new(()), ..self }
    }

    /// Returns whether the publication neither writes a record nor moves an offset.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.notifications.is_empty() && self.offset.is_none()
    }

    /// Returns all records of the publication.
    pub(crate) fn all_records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().chain(&self.notifications)
    }

    /// Returns whether it publishes a fragment. A fragment that is passed over moves the offset and has no sequence.
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
                record.headers.extend(lacking.header(sequence));
            }
        }
    }

    /// Puts the records into the partitions of the stream's last fragment. A task that was restarted before that
    /// fragment was written may have counted another number of partitions.
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
    /// The stream.
    pub key: Arc<OffsetKey>,
    /// Size of the fragment's payload, in bytes.
    pub size_bytes: usize,
    /// When the fragment's last byte was received.
    pub received: Instant,
    /// Whether it published a fragment, and not only notifications.
    pub is_fragment: bool,
    /// Topics of its records that could not have been dropped: the connector's own ones.
    pub needed_topics: Vec<Arc<str>>,
    /// Topics of its records that could have been dropped; the commit shows that they accept records.
    pub droppable_topics: Vec<Arc<str>>,
    /// The partitions of its records, and their topics.
    pub partitions: Vec<(Arc<str>, i32)>,
    /// Whether it moved the stream's offset, which a fragment that is passed over does, too.
    pub moves_offset: bool,
    /// Memory and in-flight tokens of the fragment, released when this is dropped.
    _permit: Box<dyn Any + Send>,
}

impl Committed {
    /// Returns the facts about a publication that outlive its records, and its permit.
    pub(crate) fn of(publication: &mut Publication) -> Self {
        let topics_of = |may_be_dropped: bool| {
            let records = publication.all_records().filter(|record| record.may_be_dropped() == may_be_dropped);
            let mut topics: Vec<_> = records.map(|record| Arc::clone(&record.topic)).collect();
            topics.dedup();
            topics
        };
        let (needed_topics, droppable_topics) = (topics_of(false), topics_of(true));
        let mut partitions: Vec<_> =
            publication.all_records().map(|record| (Arc::clone(&record.topic), record.partition)).collect();
        partitions.dedup();
        Self {
            key: Arc::clone(&publication.key),
            size_bytes: publication.size_bytes,
            received: publication.received,
            is_fragment: publication.offset.is_some() && publication.size_bytes > 0,
            needed_topics,
            droppable_topics,
            partitions,
            moves_offset: publication.offset.is_some(),
            _permit: std::mem::replace(&mut publication.permit, Box::new(())),
        }
    }
}
