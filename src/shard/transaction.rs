//! One transaction: whole fragments, then their streams' offsets, then the commit (rule 4).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::contract::{CONTRACT_KEY, Contract};
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
    /// The fragment (by index) that each record sent belongs to.
    owners: Vec<usize>,
    offsets: HashMap<Arc<OffsetKey>, StoredOffset>,
    topics: BTreeSet<Arc<str>>,
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
            topics: BTreeSet::new(),
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
            moves_offset: outgoing.offset.is_some(),
            _permit: outgoing.permit,
        });
        if let Some(offset) = outgoing.offset {
            self.offsets.insert(outgoing.key, offset);
        }
        for record in outgoing.records {
            self.owners.push(index);
            if !self.topics.contains(&record.topic) {
                self.topics.insert(Arc::clone(&record.topic));
            }
            self.producer.send(record).map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Writes the offsets, and the contract where the shard has none yet; waits for the acknowledgements; commits.
    pub fn commit(
        self,
        offsets_topic: &Arc<str>,
        shard: ShardId,
        contract: Option<&Contract>,
    ) -> Result<Vec<Committed>, Failed> {
        let record = |key, value| Record::of_log(offsets_topic, shard, key, Some(value));
        let contract = contract.map(|contract| record(CONTRACT_KEY.to_vec(), contract.to_bytes()));
        let offsets = self.offsets.iter().map(|(key, offset)| record(key.to_bytes(), offset.to_bytes()));
        for record in contract.into_iter().chain(offsets) {
            self.producer.send(record).map_err(|error| self.failed(error))?;
        }
        self.producer.drain().map_err(|error| self.failed(error))?;
        self.producer.commit().map_err(|error| self.failed(error))?;
        Ok(self.fragments)
    }

    /// An error together with the stream whose record it is about.
    fn failed(&self, error: LogError) -> Failed {
        let stream = match error.kind {
            super::log::LogErrorKind::RecordTooLarge { index, .. }
            | super::log::LogErrorKind::TimestampRefused { index }
            | super::log::LogErrorKind::TopicRefused { index, .. } => {
                self.owners.get(index).map(|&owner| Arc::clone(&self.fragments[owner].key))
            }
            _ => None,
        };
        Failed { error, stream, topics: self.topics.clone() }
    }
}

/// A transaction that failed.
#[derive(Debug)]
pub struct Failed {
    /// How.
    pub error: LogError,
    /// The stream whose record is too large, or has a time that is not taken, or whose topic takes none, when it is that.
    pub stream: Option<Arc<OffsetKey>>,
    /// Topics that the fragments' records go to.
    pub topics: BTreeSet<Arc<str>>,
}

impl Failed {
    fn of_log(error: LogError) -> Self {
        Self { error, stream: None, topics: BTreeSet::new() }
    }
}

#[cfg(test)]
#[path = "transaction_tests.rs"]
mod tests;
