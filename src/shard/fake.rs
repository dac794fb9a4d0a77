//! A log in memory with the semantics that matter, so that a test can order events freely: transactional ids that
//! fence, transactions that stay open, markers that occupy offsets, a last stable offset below the end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::model::IdScheme;
use crate::model::Record;
use crate::model::ShardId;
use crate::model::log::{Bounds, LogError, LogErrorKind, OffsetReader, OffsetRecord, ShardLog, TransactionalProducer};

/// A step that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Did {
    Open,
    Init,
    Bounds,
    Seek,
    Begin,
    Send { offsets: bool },
    Drain,
    Commit,
    DropProducer,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Record { key: Vec<u8>, value: Option<Vec<u8>>, transaction: u64 },
    Marker { transaction: u64, commit: bool },
}

#[derive(Default)]
struct State {
    did: Vec<Did>,
    /// Each init gets the next epoch; producers with an older one are fenced.
    epochs: HashMap<Id, u64>,
    entries: HashMap<ShardId, Vec<Entry>>,
    transactions: u64,
    decided: HashMap<u64, bool>,
    /// Committed records of other topics: keys and values.
    published: Vec<(String, String)>,
    pending: HashMap<u64, Vec<(String, String)>>,
    /// Errors to return: the step and the kind.
    faults: Vec<(Did, LogErrorKind)>,
    /// An offset to which the log is cut once reading has begun.
    truncate_to: Option<usize>,
    /// Records before these were deleted.
    starts: HashMap<ShardId, usize>,
    /// Called after each init.
    after_init: Option<Box<dyn FnMut() + Send>>,
    /// Open transactions, and the shard whose id began them.
    producers: HashMap<u64, Id>,
    schemes: HashMap<ShardId, IdScheme>,
    /// A topic that must not be written.
    refused_topic: Option<String>,
    /// Whether the refusal names the record.
    refused_by_name: bool,
    /// Topics without a leader.
    offline: Vec<String>,
    /// Topics of all records sent, committed or not.
    sent_to: Vec<String>,
    /// The position of an earlier read, and how many more times it is returned after a seek.
    stale: Option<(i64, usize)>,
}

/// The log.
#[derive(Clone, Default)]
pub(super) struct FakeLog(Arc<Mutex<State>>);

/// A transactional id.
type Id = (ShardId, IdScheme);

pub(super) struct FakeProducer {
    log: FakeLog,
    shard: ShardId,
    id: Id,
    epoch: u64,
    transaction: Option<u64>,
    /// Index of the transaction's first record for a topic that must not be written.
    refused: Option<usize>,
    sent: usize,
}

pub(super) struct FakeReader {
    log: FakeLog,
    shard: ShardId,
    position: usize,
}

const OFFSETS: &str = "offsets";

impl FakeLog {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn did(&self) -> Vec<Did> {
        self.state().did.clone()
    }

    pub(super) fn published(&self) -> Vec<String> {
        self.state().published.iter().map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn published_values(&self) -> Vec<String> {
        self.state().published.iter().map(|(_, value)| value.clone()).collect()
    }

    /// Makes the next step of this kind fail.
    pub(super) fn fail(&self, at: Did, kind: LogErrorKind) {
        self.state().faults.push((at, kind));
    }

    /// Refuses transactions with a record for this topic as a whole, without naming the topic.
    pub(super) fn refuse_topic(&self, topic: &str) {
        self.state().refused_topic = Some(topic.to_owned());
    }

    /// Refuses a transaction's record for this topic, named by its index.
    pub(super) fn refuse_records_of(&self, topic: &str) {
        let mut state = self.state();
        (state.refused_topic, state.refused_by_name) = (Some(topic.to_owned()), true);
    }

    pub(super) fn sent_to(&self, topic: &str) -> bool {
        self.state().sent_to.iter().any(|known| known == topic)
    }

    pub(super) fn set_offline(&self, topic: &str, offline: bool) {
        let mut state = self.state();
        state.offline.retain(|known| known != topic);
        if offline {
            state.offline.push(topic.to_owned());
        }
    }

    /// Makes seeks take effect late: `position`, of an earlier read, is returned this many times.
    pub(super) fn stale_positions(&self, position: i64, questions: usize) {
        self.state().stale = Some((position, questions));
    }

    /// Deletes the first records of a shard, as retention does.
    pub(super) fn delete_before(&self, shard: ShardId, offset: usize) {
        self.state().starts.insert(shard, offset);
    }

    /// Deletes a shard and recreates it empty.
    pub(super) fn recreate(&self, shard: ShardId) {
        self.state().entries.remove(&shard);
    }

    pub(super) fn truncate_to(&self, offset: usize) {
        self.state().truncate_to = Some(offset);
    }

    pub(super) fn after_init(&self, then: impl FnMut() + Send + 'static) {
        self.state().after_init = Some(Box::new(then));
    }

    /// Returns another owner of the shard's id, like that of another process.
    pub(super) fn intruder(&self, shard: ShardId) -> FakeProducer {
        self.intruder_as(shard, IdScheme::default())
    }

    pub(super) fn intruder_as(&self, shard: ShardId, scheme: IdScheme) -> FakeProducer {
        let mut intruder = self.open_producer(shard, scheme).unwrap();
        intruder.init().unwrap();
        intruder
    }

    /// Returns the epoch of a shard's id.
    pub(super) fn epoch(&self, shard: ShardId) -> u64 {
        self.epoch_of((shard, IdScheme::default()))
    }

    pub(super) fn epoch_of(&self, id: Id) -> u64 {
        self.state().epochs.get(&id).copied().unwrap_or(0)
    }

    /// Returns the partitions of the offsets topic that contain anything.
    pub(super) fn written_shards(&self) -> Vec<ShardId> {
        let mut shards: Vec<ShardId> = self.state().entries.keys().copied().collect();
        shards.sort();
        shards
    }

    /// Opens a transaction under an id that is not the shard's, which no init decides; rule 3 excludes this.
    pub(super) fn hang_foreign_transaction(&self, shard: ShardId) {
        let mut state = self.state();
        state.transactions += 1;
        let transaction = state.transactions;
        let entry = Entry::Record { key: b"x".to_vec(), value: None, transaction };
        state.entries.entry(shard).or_default().push(entry);
    }

    fn step(&self, did: Did) -> Result<(), LogError> {
        let mut state = self.state();
        state.did.push(did.clone());
        match state.faults.iter().position(|(at, _)| *at == did) {
            Some(index) => Err(error(state.faults.remove(index).1)),
            None => Ok(()),
        }
    }
}

pub(super) fn error(kind: LogErrorKind) -> LogError {
    LogError { kind, doing: "a step of the fake", text: "on purpose".to_owned() }
}

impl ShardLog for FakeLog {
    type Producer = FakeProducer;
    type Reader = FakeReader;

    fn id_scheme(&self, shard: ShardId) -> IdScheme {
        self.state().schemes.get(&shard).copied().unwrap_or_default()
    }

    fn note_id_scheme(&self, shard: ShardId, scheme: IdScheme) {
        self.state().schemes.insert(shard, scheme);
    }

    fn open_producer(&self, shard: ShardId, scheme: IdScheme) -> Result<FakeProducer, LogError> {
        self.step(Did::Open)?;
        let id = (shard, scheme);
        Ok(FakeProducer { log: self.clone(), shard, id, epoch: 0, transaction: None, refused: None, sent: 0 })
    }

    fn with_reader<T, E: From<LogError>>(&self, read: impl FnOnce(&mut FakeReader) -> Result<T, E>) -> Result<T, E> {
        read(&mut FakeReader { log: self.clone(), shard: ShardId(0), position: 0 })
    }

    fn offsets_topic(&self) -> &str {
        OFFSETS
    }

    fn unavailable(&self, topic: &str, _partition: i32) -> Option<String> {
        self.state().offline.iter().any(|offline| offline == topic).then(|| format!("topic {topic} is offline"))
    }
}

impl FakeProducer {
    fn fenced(&self) -> Result<(), LogError> {
        let current = self.log.epoch_of(self.id);
        if self.epoch == current { Ok(()) } else { Err(error(LogErrorKind::Fenced)) }
    }

    fn decide(&mut self, commit: bool) {
        let Some(transaction) = self.transaction.take() else { return };
        decide(&mut self.log.state(), self.shard, transaction, commit);
    }
}

fn decide(state: &mut State, shard: ShardId, transaction: u64, commit: bool) {
    state.decided.insert(transaction, commit);
    state.producers.remove(&transaction);
    state.entries.entry(shard).or_default().push(Entry::Marker { transaction, commit });
    let pending = state.pending.remove(&transaction).unwrap_or_default();
    if commit {
        state.published.extend(pending);
    }
}

impl TransactionalProducer for FakeProducer {
    fn init(&mut self) -> Result<(), LogError> {
        self.log.step(Did::Init)?;
        let mut state = self.log.state();
        let epoch = state.epochs.entry(self.id).or_default();
        *epoch += 1;
        self.epoch = *epoch;
        // Open transactions of the predecessor are aborted.
        let open: Vec<u64> = state.producers.iter().filter(|(_, id)| **id == self.id).map(|(open, _)| *open).collect();
        for transaction in open {
            decide(&mut state, self.shard, transaction, false);
        }
        let then = state.after_init.take();
        drop(state);
        if let Some(mut then) = then {
            then();
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), LogError> {
        self.log.step(Did::Begin)?;
        self.fenced()?;
        let mut state = self.log.state();
        state.transactions += 1;
        self.transaction = Some(state.transactions);
        let (transaction, id) = (state.transactions, self.id);
        (self.sent, self.refused) = (0, None);
        state.producers.insert(transaction, id);
        Ok(())
    }

    fn send(&mut self, record: Record) -> Result<(), LogError> {
        let offsets = &*record.topic == OFFSETS;
        self.log.step(Did::Send { offsets })?;
        self.fenced()?;
        let transaction = self.transaction.expect("a transaction is open");
        let mut state = self.log.state();
        if state.refused_topic.as_deref() == Some(&*record.topic) {
            self.refused.get_or_insert(self.sent);
        }
        self.sent += 1;
        state.sent_to.push(record.topic.to_string());
        if offsets {
            let value = record.value.as_deref().map(<[u8]>::to_vec);
            let entry = Entry::Record { key: record.key, value, transaction };
            state.entries.entry(ShardId(record.partition)).or_default().push(entry);
        } else {
            let key = String::from_utf8(record.key).unwrap();
            let value = String::from_utf8(record.value.unwrap_or_default().to_vec()).unwrap();
            state.pending.entry(transaction).or_default().push((key, value));
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<(), LogError> {
        self.log.step(Did::Drain)?;
        if let Some(index) = self.refused {
            let state = self.log.state();
            let topic = state.refused_topic.clone().unwrap_or_default();
            return Err(error(match state.refused_by_name {
                true => LogErrorKind::TopicRefused { index, topic },
                false => LogErrorKind::NotAuthorized,
            }));
        }
        self.fenced()
    }

    fn commit(&mut self) -> Result<(), LogError> {
        self.log.step(Did::Commit)?;
        self.fenced()?;
        self.decide(true);
        Ok(())
    }
}

impl Drop for FakeProducer {
    fn drop(&mut self) {
        self.log.state().did.push(Did::DropProducer);
    }
}

impl FakeReader {
    /// Returns the last stable offset: the begin of the first open transaction.
    fn stable_end(state: &State, shard: ShardId) -> usize {
        let entries = state.entries.get(&shard).map_or(&[][..], Vec::as_slice);
        let open = |entry: &Entry| matches!(entry, Entry::Record { transaction, .. } if !state.decided.contains_key(transaction));
        entries.iter().position(open).unwrap_or(entries.len())
    }
}

impl OffsetReader for FakeReader {
    fn bounds(&mut self, shard: ShardId) -> Result<Bounds, LogError> {
        self.log.step(Did::Bounds)?;
        let state = self.log.state();
        let end = state.entries.get(&shard).map_or(0, Vec::len);
        Ok(Bounds { start: state.starts.get(&shard).copied().unwrap_or_default() as i64, end: end as i64 })
    }

    fn seek(&mut self, shard: ShardId, offset: i64) -> Result<(), LogError> {
        self.log.step(Did::Seek)?;
        (self.shard, self.position) = (shard, offset as usize);
        let mut state = self.log.state();
        if let Some(length) = state.truncate_to.take() {
            state.entries.entry(shard).or_default().truncate(length);
        }
        Ok(())
    }

    fn poll(&mut self) -> Result<Option<OffsetRecord>, LogError> {
        let mut state = self.log.state();
        // A poll sets the position.
        state.stale = None;
        let end = Self::stable_end(&state, self.shard);
        let entries = state.entries.get(&self.shard).map_or(&[][..], Vec::as_slice);
        while self.position < end.min(entries.len()) {
            let entry = &entries[self.position];
            self.position += 1;
            if let Entry::Record { key, value, transaction } = entry
                && state.decided.get(transaction) == Some(&true)
            {
                return Ok(Some(OffsetRecord { key: key.clone(), value: value.clone() }));
            }
        }
        Ok(None)
    }

    fn position(&mut self) -> Result<i64, LogError> {
        if let Some((position, questions)) = &mut self.log.state().stale
            && *questions > 0
        {
            *questions -= 1;
            return Ok(*position);
        }
        Ok(self.position as i64)
    }
}
