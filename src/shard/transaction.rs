//! One transaction: whole fragments, then their streams' offsets, then the commit (rule 4).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::id::ShardId;
use super::log::{LogError, TransactionalProducer};
use super::offset::{OffsetKey, StoredOffset};
use super::outgoing::{Outgoing, Record};

/// How much one transaction may hold.
#[derive(Debug, Clone, Copy)]
pub struct TransactionLimits {
    /// Bytes of payload.
    pub size_bytes: usize,
    /// Fragments.
    pub fragments: usize,
    /// Time from its begin to its end.
    pub duration: Duration,
}

impl Default for TransactionLimits {
    fn default() -> Self {
        Self { size_bytes: 4 << 20, fragments: 1_000, duration: Duration::from_secs(1) }
    }
}

/// A fragment that has been committed.
#[derive(Debug)]
pub struct Committed {
    /// Whose it is.
    pub key: Arc<OffsetKey>,
    /// Size of its payload.
    pub size_bytes: usize,
    /// When its last byte was received.
    pub received: Instant,
    /// Whether it is one, and no notification.
    pub is_fragment: bool,
    /// Whether notifications were written with it.
    pub has_notifications: bool,
    /// Whether its stream has come on by it: also by a fragment that is passed over.
    pub moves_offset: bool,
    _permit: Box<dyn std::any::Any + Send>,
}

/// A transaction that is open. It opens on a whole fragment, never before there is one.
pub struct Transaction<'p, P> {
    producer: &'p mut P,
    began: Instant,
    limits: TransactionLimits,
    fragments: Vec<Committed>,
    size_bytes: usize,
    /// Whose each record sent is.
    owners: Vec<Sent>,
    offsets: HashMap<Arc<OffsetKey>, StoredOffset>,
    partitions: BTreeSet<(Arc<str>, i32)>,
}

/// A record that was sent.
#[derive(Debug, Clone, Copy)]
struct Sent {
    /// The fragment it belongs to, by index.
    fragment: usize,
    is_notification: bool,
}

impl<'p, P: TransactionalProducer> Transaction<'p, P> {
    /// Begins a transaction with its first fragment.
    pub fn begin(producer: &'p mut P, limits: TransactionLimits, first: Outgoing) -> Result<Self, Failed> {
        producer.begin().map_err(Failed::of_log)?;
        let mut transaction = Self {
            producer,
            began: Instant::now(),
            limits,
            fragments: Vec::new(),
            size_bytes: 0,
            owners: Vec::new(),
            offsets: HashMap::new(),
            partitions: BTreeSet::new(),
        };
        transaction.add(first)?;
        Ok(transaction)
    }

    /// Whether another fragment may be added.
    pub fn has_room(&self) -> bool {
        self.size_bytes < self.limits.size_bytes
            && self.fragments.len() < self.limits.fragments
            && self.began.elapsed() < self.limits.duration
    }

    /// Adds a fragment's records.
    pub fn add(&mut self, outgoing: Outgoing) -> Result<(), Failed> {
        let index = self.fragments.len();
        self.size_bytes += outgoing.size_bytes;
        self.fragments.push(Committed {
            key: Arc::clone(&outgoing.key),
            size_bytes: outgoing.size_bytes,
            received: outgoing.received,
            is_fragment: outgoing.offset.is_some() && outgoing.size_bytes > 0,
            has_notifications: !outgoing.notifications.is_empty(),
            moves_offset: outgoing.offset.is_some(),
            _permit: outgoing.permit,
        });
        if let Some(offset) = outgoing.offset {
            self.offsets.insert(outgoing.key, offset);
        }
        let own = outgoing.records.into_iter().map(|record| (record, false));
        for (record, is_notification) in own.chain(outgoing.notifications.into_iter().map(|record| (record, true))) {
            self.owners.push(Sent { fragment: index, is_notification });
            self.partitions.insert((Arc::clone(&record.topic), record.partition));
            self.producer.send(record).map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Writes the offsets, and what the shard's first transaction leaves in it; waits for the acknowledgements; commits.
    pub fn commit(
        mut self,
        offsets_topic: &Arc<str>,
        shard: ShardId,
        first_records: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<Vec<Committed>, Failed> {
        let record = |key, value| Record::of_log(offsets_topic, shard, key, Some(value));
        let first = first_records.iter().cloned().map(|(key, value)| record(key, value));
        let offsets = self.offsets.iter().map(|(key, offset)| record(key.to_bytes(), offset.to_bytes()));
        for record in first.chain(offsets).collect::<Vec<_>>() {
            self.producer.send(record).map_err(|error| self.failed(error))?;
        }
        self.producer.drain().map_err(|error| self.failed(error))?;
        self.producer.commit().map_err(|error| self.failed(error))?;
        Ok(self.fragments)
    }

    /// An error together with the stream whose record it is about.
    fn failed(&mut self, error: LogError) -> Failed {
        let sent = match error.kind {
            super::log::LogErrorKind::RecordTooLarge { index, .. }
            | super::log::LogErrorKind::TimestampRefused { index }
            | super::log::LogErrorKind::TopicRefused { index, .. } => self.owners.get(index),
            _ => None,
        };
        let is_notification = sent.is_some_and(|sent| sent.is_notification);
        let stream = sent.filter(|_| !is_notification).map(|sent| Arc::clone(&self.fragments[sent.fragment].key));
        let has_notifications = self.owners.iter().any(|sent| sent.is_notification);
        let last_words = self.fragments.iter().filter(|one| !one.is_fragment).map(|one| Arc::clone(&one.key)).collect();
        Failed {
            error: Box::new(error),
            stream,
            is_notification,
            has_notifications,
            last_words,
            partitions: std::mem::take(&mut self.partitions),
            _fragments: std::mem::take(&mut self.fragments),
        }
    }
}

/// A transaction that failed.
#[derive(Debug)]
pub struct Failed {
    /// How.
    pub error: Box<LogError>,
    /// The stream whose record is too large, or has a time that is not taken, or whose topic takes none, when it is that.
    pub stream: Option<Arc<OffsetKey>>,
    /// Whether it is a notification that is too large, or whose topic takes none.
    pub is_notification: bool,
    /// Whether there were notifications in it.
    pub has_notifications: bool,
    /// Whose notifications were in it that go with no fragment: they do not come again.
    pub last_words: Vec<Arc<OffsetKey>>,
    /// Topics and partitions of its records, but for the offsets'.
    pub partitions: BTreeSet<(Arc<str>, i32)>,
    /// What was to be committed. Whoever waits for the end of these must not take them for published: they go when the
    /// sources have been stopped.
    _fragments: Vec<Committed>,
}

impl Failed {
    fn of_log(error: LogError) -> Self {
        Self {
            error: Box::new(error),
            stream: None,
            is_notification: false,
            has_notifications: false,
            last_words: Vec::new(),
            partitions: BTreeSet::new(),
            _fragments: Vec::new(),
        }
    }

    /// Returns the topics of its records, but for the offsets'.
    pub fn topics(&self) -> BTreeSet<&Arc<str>> {
        self.partitions.iter().map(|(topic, _)| topic).collect()
    }
}

#[cfg(test)]
#[path = "transaction_tests.rs"]
mod tests;
