//! One transaction: complete fragments, then their streams' offsets, then the commit (rule 4).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::{
    Committed, LogError, LogErrorKind, OffsetKey, OutputId, Publication, Record, RecordOutput, ShardId, StoredOffset,
    TransactionalProducer,
};

/// The bounds of one transaction.
#[derive(Debug, Clone, Copy)]
pub struct TransactionLimits {
    /// The maximum payload, in bytes.
    pub size_bytes: usize,
    /// The maximum number of publications.
    pub fragments: usize,
    /// The maximum time from begin to commit.
    pub duration: Duration,
}

impl Default for TransactionLimits {
    fn default() -> Self {
        Self { size_bytes: 4 << 20, fragments: 1_000, duration: Duration::from_secs(1) }
    }
}

/// An open transaction. It begins with a complete fragment, never before there is one.
pub struct Transaction<'p, P> {
    producer: &'p mut P,
    began: Instant,
    limits: TransactionLimits,
    publications: Vec<Committed>,
    size_bytes: usize,
    /// The records sent, in order, because a refusal names one by its index.
    sent: Vec<Sent>,
    offsets: HashMap<Arc<OffsetKey>, StoredOffset>,
}

/// A record that was sent.
#[derive(Debug)]
struct Sent {
    /// The index of the publication it belongs to.
    publication: usize,
    output: Option<RecordOutput>,
    topic: Arc<str>,
    partition: i32,
}

impl Sent {
    /// Returns the record's output if the record may be dropped.
    fn droppable_output(&self) -> Option<OutputId> {
        self.output.filter(|output| output.may_be_dropped()).map(|output| output.id)
    }
}

impl<'p, P: TransactionalProducer> Transaction<'p, P> {
    /// Begins a transaction with its first publication.
    pub fn begin(producer: &'p mut P, limits: TransactionLimits, first: Publication) -> Result<Self, Box<Failed>> {
        producer.begin().map_err(Failed::of_log)?;
        let mut transaction = Self {
            producer,
            began: Instant::now(),
            limits,
            publications: Vec::new(),
            size_bytes: 0,
            sent: Vec::new(),
            offsets: HashMap::new(),
        };
        transaction.add(first)?;
        Ok(transaction)
    }

    /// Returns whether another publication may be added.
    pub fn has_room(&self) -> bool {
        self.size_bytes < self.limits.size_bytes
            && self.publications.len() < self.limits.fragments
            && self.began.elapsed() < self.limits.duration
    }

    /// Adds a publication's records.
    pub fn add(&mut self, mut publication: Publication) -> Result<(), Box<Failed>> {
        let index = self.publications.len();
        self.size_bytes += publication.size_bytes;
        self.publications.push(Committed::of(&mut publication));
        if let Some(offset) = publication.offset {
            self.offsets.insert(publication.key, offset);
        }
        for record in publication.records.into_iter().chain(publication.notifications) {
            let (output, topic, partition) = (record.output, Arc::clone(&record.topic), record.partition);
            self.sent.push(Sent { publication: index, output, topic, partition });
            self.producer.send(record).map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Writes the offsets, and the shard's first records if they are missing, waits for the acknowledgements, and
    /// commits.
    pub fn commit(
        mut self,
        offsets_topic: &Arc<str>,
        shard: ShardId,
        first_records: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<Vec<Committed>, Box<Failed>> {
        let record = |key, value| Record::of_log(offsets_topic, shard, key, Some(value));
        let first = first_records.iter().cloned().map(|(key, value)| record(key, value));
        let offsets = self.offsets.iter().map(|(key, offset)| record(key.to_bytes(), offset.to_bytes()));
        for record in first.chain(offsets).collect::<Vec<_>>() {
            self.producer.send(record).map_err(|error| self.failed(error))?;
        }
        self.producer.drain().map_err(|error| self.failed(error))?;
        self.producer.commit().map_err(|error| self.failed(error))?;
        Ok(self.publications)
    }

    /// Returns an error with the records that may have caused it.
    fn failed(&mut self, error: LogError) -> Box<Failed> {
        let named = match error.kind {
            LogErrorKind::RecordTooLarge { index, .. }
            | LogErrorKind::TimestampRefused { index }
            | LogErrorKind::TopicRefused { index, .. } => self.sent.get(index),
            _ => None,
        };
        let stream_of = |sent: &Sent| self.publications.get(sent.publication).map(|one| Arc::clone(&one.key));
        let refused = named.and_then(|sent| {
            let topic = Arc::clone(&sent.topic);
            let (output, droppable_output) = (sent.output.map(|output| output.id), sent.droppable_output());
            stream_of(sent).map(|stream| RefusedRecord { stream, topic, output, droppable_output })
        });
        let needed = || self.sent.iter().filter(|sent| sent.droppable_output().is_none());
        let droppable = self.sent.iter().filter_map(|sent| Some((sent.droppable_output()?, Arc::clone(&sent.topic))));
        let lost = self.publications.iter().filter(|one| !one.moves_offset).map(|one| Arc::clone(&one.key));
        Box::new(Failed {
            error,
            refused,
            needed_topics: needed().map(|sent| Arc::clone(&sent.topic)).collect(),
            droppable_topics: droppable.collect(),
            streams: needed().filter_map(stream_of).collect(),
            lost: lost.collect(),
            partitions: self.sent.iter().map(|sent| (Arc::clone(&sent.topic), sent.partition)).collect(),
            _publications: std::mem::take(&mut self.publications),
        })
    }
}

/// The record that a refusal names.
#[derive(Debug)]
pub struct RefusedRecord {
    /// The stream of the record.
    pub stream: Arc<OffsetKey>,
    /// The topic of the record.
    pub topic: Arc<str>,
    /// The output of the record.
    pub output: Option<OutputId>,
    /// The output that allows the record to be dropped; `None`: its stream fails.
    pub droppable_output: Option<OutputId>,
}

/// A transaction that failed.
#[derive(Debug)]
pub struct Failed {
    /// The cause.
    pub error: LogError,
    /// The record that is too large, has a refused timestamp, or whose topic accepts none, if the error names one.
    pub refused: Option<RefusedRecord>,
    /// Topics of the records that must not be dropped, without the offsets'.
    pub needed_topics: BTreeSet<Arc<str>>,
    /// Topics of the records that may be dropped, with their outputs.
    pub droppable_topics: BTreeSet<(OutputId, Arc<str>)>,
    /// Streams with records that must not be dropped.
    pub streams: BTreeSet<Arc<OffsetKey>>,
    /// Streams with notifications that accompany no fragment, and so do not come again.
    pub lost: Vec<Arc<OffsetKey>>,
    /// Topics and partitions of all records, without the offsets'.
    pub partitions: BTreeSet<(Arc<str>, i32)>,
    /// The publications that were to be committed. Dropping them signals their senders, which must not take them for
    /// published: they are kept until the sources have been stopped.
    _publications: Vec<Committed>,
}

impl Failed {
    pub(super) fn of_log(error: LogError) -> Box<Self> {
        Box::new(Self {
            error,
            refused: None,
            needed_topics: BTreeSet::new(),
            droppable_topics: BTreeSet::new(),
            streams: BTreeSet::new(),
            lost: Vec::new(),
            partitions: BTreeSet::new(),
            _publications: Vec::new(),
        })
    }
}

#[cfg(test)]
#[path = "transaction_tests.rs"]
mod tests;
