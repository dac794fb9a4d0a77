//! The status topic: followed by every worker, written by every worker about what it has.

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

/// How long what was written to claim the topic may take to come back.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(15);

/// Why the status topic is not this group's.
#[derive(Debug, thiserror::Error)]
pub enum StatusClaimError {
    /// It says something else.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// It cannot be written or read.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Where statuses live.
pub trait StatusStore: Send + Sync + 'static {
    /// Writes a record, soon. What is lost is written again by whoever finds it missing.
    ///
    /// # Errors
    /// When it cannot be taken.
    fn write(&self, record: KeyValue) -> Result<(), LogError>;

    /// Returns why statuses are not written at the moment, if they are not.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// Waits until what was written is there, for at most `timeout`. Blocks.
    fn flush(&self, timeout: Duration);

    /// Makes a reader that follows the topic.
    ///
    /// # Errors
    /// When it cannot be made.
    fn reader(&self) -> Result<Box<dyn OffsetReader>, LogError>;
}

#[derive(Default)]
struct Shared {
    view: Mutex<StatusView>,
    contracts: Mutex<Contracts>,
    /// Counts what has been read.
    version: AtomicU64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, StatusView> {
        // Nothing panics while it is held, and records are taken in one by one.
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
    /// Makes the statuses of a group. Nothing is read before they are followed.
    pub fn new(store: Arc<dyn StatusStore>) -> Self {
        Self { store, shared: Arc::default(), follower: Follower::new(Part::StatusLog) }
    }

    /// Begins to follow, and reads the topic to the end it has now. `ended` hears it if that panics again and
    /// again. Blocks.
    ///
    /// # Errors
    /// When it cannot be read.
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

    /// Leaves in the topic what this group has agreed on, unless it says so. Blocks.
    ///
    /// The topic is written without a fence, so others may do the same at this moment: the first record in the log has it,
    /// and this one is read back before that is looked at.
    ///
    /// # Errors
    /// When it says something else, or cannot be written.
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
            let text = "what was written does not come back; look whether it may be written".to_owned();
            return Err(LogError { kind: LogErrorKind::Timeout, doing: "claiming the status topic", text }.into());
        }
        self.contracts().check(contract, SETTING)?;
        Ok(())
    }

    fn contracts(&self) -> MutexGuard<'_, Contracts> {
        // Nothing panics while it is held, and records are taken in one by one.
        self.shared.contracts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops following. Blocks.
    pub fn stop(&self) {
        self.follower.stop();
    }

    /// Returns up to where the topic has been read.
    pub fn position(&self) -> i64 {
        self.follower.position()
    }

    /// Calls `look` with what the topic says, as far as it has been read.
    pub fn look<T>(&self, look: impl FnOnce(&StatusView) -> T) -> T {
        look(&self.shared.lock())
    }

    /// Returns a number that changes whenever something other than a heartbeat has been read.
    pub fn version(&self) -> u64 {
        self.shared.version.load(Ordering::Acquire)
    }

    /// Writes a record, soon. One that is lost is written again by whoever finds it missing.
    pub fn write(&self, record: KeyValue) {
        if let Err(error) = self.store.write(record) {
            tracing::debug!(%error, "a status cannot be written now; it is written again");
        }
    }

    /// Returns why statuses are not written at the moment, if they are not.
    pub fn trouble(&self) -> Option<String> {
        self.store.trouble()
    }

    /// Waits until what was written is there, for at most `timeout`. Blocks.
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
            // Heartbeats come all the time and change nothing that is to be answered.
            if !status::is_heartbeat(&record.key) {
                self.shared.version.fetch_add(1, Ordering::AcqRel);
            }
        }
    }
}
