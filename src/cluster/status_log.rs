//! The status topic: followed by every worker, and written by every worker about what it runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::contracts::{self, Contracts};
use super::follow::{Follower, FollowerEnded, Listener};
use super::records::KeyValue;
use super::status::{self, StatusView};
use crate::model::contract::ContractError;
use crate::model::log::OffsetRecord;
use crate::model::{Contract, LogError, LogErrorKind, OffsetReader};
use crate::supervision::Part;

/// How long reading the topic to its end may take.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the record that claims the topic may take to be read back.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(15);

/// Reasons why the status topic cannot be used by this group.
#[derive(Debug, thiserror::Error)]
pub enum StatusClaimError {
    /// Its contract differs.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// It cannot be written or read.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// The storage of statuses.
pub trait StatusStore: Send + Sync + 'static {
    /// Queues a record for writing. A lost record is written again by the worker that finds it missing.
    ///
    /// # Errors
    /// When the record cannot be queued.
    fn write(&self, record: KeyValue) -> Result<(), LogError>;

    /// Returns why statuses are not written at the moment, if they are not.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// Waits until everything queued is written, for at most `timeout`. Blocks.
    fn flush(&self, timeout: Duration);

    /// Creates a reader that follows the topic.
    ///
    /// # Errors
    /// When it cannot be created.
    fn reader(&self) -> Result<Box<dyn OffsetReader>, LogError>;
}

#[derive(Default)]
struct Shared {
    view: Mutex<StatusView>,
    contracts: Mutex<Contracts>,
    /// Counts the records read, without heartbeats.
    version: AtomicU64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, StatusView> {
        // Nothing panics while the lock is held, and records are applied one by one.
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The statuses of a group, as this worker has read them.
pub struct StatusLog {
    store: Arc<dyn StatusStore>,
    shared: Arc<Shared>,
    follower: Follower,
}

impl StatusLog {
    /// Creates the statuses of a group. Nothing is read before [`StatusLog::follow`].
    pub fn new(store: Arc<dyn StatusStore>) -> Self {
        Self { store, shared: Arc::default(), follower: Follower::new(Part::StatusLog) }
    }

    /// Starts following, and reads the topic to its current end. `ended` is called if following panics again and
    /// again. Blocks.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub fn follow(&self, ended: &FollowerEnded) -> Result<(), LogError> {
        let (store, shared) = (Arc::clone(&self.store), Arc::clone(&self.shared));
        let reading = |end| Reading { shared, old_until: end };
        let end = self.follower.start(move || store.reader(), reading, ended)?;
        if self.follower.wait(end, READ_TIMEOUT) {
            return Ok(());
        }
        let text = "no progress; is a transaction open on it?".to_owned();
        Err(LogError { kind: LogErrorKind::Timeout, doing: "reading the status topic", text })
    }

    /// Writes this group's contract into the topic, unless it is already there. Blocks.
    ///
    /// The topic is written without a fence, so other workers may do the same at this moment: the first record in the log wins,
    /// and this one is read back before that is decided.
    ///
    /// # Errors
    /// When the topic has a different contract, or cannot be written.
    pub fn claim(&self, contract: &Contract) -> Result<(), StatusClaimError> {
        const SETTING: &str = "status.storage.topic";
        if self.contracts().check(contract, SETTING)? {
            return Ok(());
        }
        let id = contracts::new_id();
        let deadline = Instant::now() + CLAIM_TIMEOUT;
        self.store.write(contracts::record(&id, contract))?;
        self.store.flush(CLAIM_TIMEOUT);
        let left = deadline.saturating_duration_since(Instant::now());
        if !self.follower.wait_until(left, |_| self.contracts().contains(&id)) {
            let text = "the record was not read back; check whether the topic may be written".to_owned();
            return Err(LogError { kind: LogErrorKind::Timeout, doing: "claiming the status topic", text }.into());
        }
        self.contracts().check(contract, SETTING)?;
        Ok(())
    }

    /// Returns whether a group has written its contract into the topic, as far as it has been read.
    pub fn is_claimed(&self) -> bool {
        !self.contracts().is_empty()
    }

    fn contracts(&self) -> MutexGuard<'_, Contracts> {
        // Nothing panics while the lock is held, and records are applied one by one.
        self.shared.contracts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops following. Blocks.
    pub fn stop(&self) {
        self.follower.stop();
    }

    /// Returns the position up to which the topic has been read.
    pub fn position(&self) -> i64 {
        self.follower.position()
    }

    /// Calls `look` with the topic's content, as far as it has been read.
    pub fn look<T>(&self, look: impl FnOnce(&StatusView) -> T) -> T {
        look(&self.shared.lock())
    }

    /// Returns a number that changes whenever something other than a heartbeat has been read.
    pub fn version(&self) -> u64 {
        self.shared.version.load(Ordering::Acquire)
    }

    /// Queues a record for writing. A lost record is written again by the worker that finds it missing.
    pub fn write(&self, record: KeyValue) {
        if let Err(error) = self.store.write(record) {
            tracing::debug!(%error, "a status cannot be written now; it will be written again");
        }
    }

    /// Returns why statuses are not written at the moment, if they are not.
    pub fn trouble(&self) -> Option<String> {
        self.store.trouble()
    }

    /// Waits until everything queued is written, for at most `timeout`. Blocks.
    pub fn flush(&self, timeout: Duration) {
        self.store.flush(timeout);
    }
}

struct Reading {
    shared: Arc<Shared>,
    old_until: i64,
}

impl Listener for Reading {
    fn read(&mut self, record: Option<OffsetRecord>, position: i64) {
        if let Some(record) = record {
            if let Some(id) = contracts::id_of(&record.key) {
                let mut contracts = self.shared.contracts.lock().unwrap_or_else(PoisonError::into_inner);
                contracts.apply(id, record.value.as_deref().map(Contract::read));
            }
            self.shared.lock().apply(&record.key, record.value.as_deref(), position > self.old_until, Instant::now());
            // Heartbeats arrive all the time and change no answer.
            if !status::is_heartbeat(&record.key) {
                self.shared.version.fetch_add(1, Ordering::AcqRel);
            }
        }
    }
}
