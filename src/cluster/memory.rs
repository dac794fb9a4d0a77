//! The config log of a standalone worker, in memory; it ends with the process.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::log::ConfigStore;
use crate::model::log::{Bounds, OffsetRecord};
use crate::model::{LogError, LogErrorKind, OffsetReader, Record, ShardId, TransactionalProducer};

/// How long a reader waits for the next record.
const POLL_TIMEOUT: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
struct State {
    records: Vec<OffsetRecord>,
    /// The producer epoch that may write: that of the last initialised producer.
    owner: u64,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    written: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held, and a transaction's records are added at once.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A log in memory.
#[derive(Debug, Clone)]
pub struct MemoryLog {
    shared: Arc<Shared>,
    /// A unique name: a config offset of this log may outlive it in a shard, and must not be mistaken for one of another log.
    name: Arc<str>,
}

impl Default for MemoryLog {
    fn default() -> Self {
        // Kafka topic names contain no spaces.
        let name = format!("in memory {:032x}", rand::random::<u128>());
        Self { shared: Arc::default(), name: name.into() }
    }
}

impl ConfigStore for MemoryLog {
    fn producer(&self) -> Result<Box<dyn TransactionalProducer>, LogError> {
        Ok(Box::new(MemoryProducer { shared: Arc::clone(&self.shared), epoch: 0, records: Vec::new() }))
    }

    fn reader(&self) -> Result<Box<dyn OffsetReader>, LogError> {
        Ok(Box::new(MemoryReader { shared: Arc::clone(&self.shared), position: 0 }))
    }

    fn topic(&self) -> &str {
        &self.name
    }
}

struct MemoryProducer {
    shared: Arc<Shared>,
    epoch: u64,
    records: Vec<OffsetRecord>,
}

impl TransactionalProducer for MemoryProducer {
    fn init(&mut self) -> Result<(), LogError> {
        let mut state = self.shared.lock();
        state.owner += 1;
        self.epoch = state.owner;
        Ok(())
    }

    fn begin(&mut self) -> Result<(), LogError> {
        self.records.clear();
        Ok(())
    }

    fn send(&mut self, record: Record) -> Result<(), LogError> {
        self.records.push(OffsetRecord { key: record.key, value: record.value.map(|value| value.to_vec()) });
        Ok(())
    }

    fn drain(&mut self) -> Result<(), LogError> {
        Ok(())
    }

    fn commit(&mut self) -> Result<(), LogError> {
        let mut state = self.shared.lock();
        if state.owner != self.epoch {
            let text = "another worker acquired the log".to_owned();
            return Err(LogError { kind: LogErrorKind::Fenced, doing: "committing", text });
        }
        state.records.append(&mut self.records);
        drop(state);
        self.shared.written.notify_all();
        Ok(())
    }
}

struct MemoryReader {
    shared: Arc<Shared>,
    position: usize,
}

impl OffsetReader for MemoryReader {
    fn bounds(&mut self, _shard: ShardId) -> Result<Bounds, LogError> {
        Ok(Bounds { start: 0, end: self.shared.lock().records.len() as i64 })
    }

    fn seek(&mut self, _shard: ShardId, offset: i64) -> Result<(), LogError> {
        self.position = usize::try_from(offset).unwrap_or_default();
        Ok(())
    }

    fn poll(&mut self) -> Result<Option<OffsetRecord>, LogError> {
        let mut state = self.shared.lock();
        if self.position >= state.records.len() {
            state = self.shared.written.wait_timeout(state, POLL_TIMEOUT).unwrap_or_else(PoisonError::into_inner).0;
        }
        let record = state.records.get(self.position).cloned();
        self.position += usize::from(record.is_some());
        Ok(record)
    }

    fn position(&mut self) -> Result<i64, LogError> {
        Ok(self.position as i64)
    }
}
