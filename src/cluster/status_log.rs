//! The status topic: followed by every worker, written by every worker about what it has.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::contracts::{self, Contracts};
use super::follow::{Follower, FollowerEnded, Listener, PARTITION};
use super::records::KeyValue;
use super::status::{self, StatusView};
use crate::model::contract::ContractError;
use crate::model::log::OffsetRecord;
use crate::model::{Contract, LogError, LogErrorKind, OffsetReader};
use crate::supervision::Part;

/// The topic is read to its end within so long.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// What was written to claim the topic comes back within so long.
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

    /// Waits until what was written is there, at most so long. Blocks.
    fn flush(&self, timeout: Duration);

    /// A reader that follows the topic.
    ///
    /// # Errors
    /// When it cannot be made.
    fn reader(&self) -> Result<Box<dyn OffsetReader>, LogError>;
}

#[derive(Default)]
struct Shared {
    view: Mutex<StatusView>,
    contracts: Mutex<Contracts>,
    position: AtomicI64,
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
    follower: Mutex<Option<Follower>>,
}

impl StatusLog {
    /// Nothing is read before it is followed.
    pub fn new(store: Arc<dyn StatusStore>) -> Self {
        Self { store, shared: Arc::default(), follower: Mutex::default() }
    }

    /// Begins to follow, and reads the topic to the end it has now. `ended` hears it if that panics again and
    /// again. Blocks.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn follow(&self, ended: &FollowerEnded) -> Result<(), LogError> {
        let end = self.store.reader()?.bounds(PARTITION)?.end;
        let store = Arc::clone(&self.store);
        let reading = Reading { shared: Arc::clone(&self.shared), old_until: end };
        let follower = Follower::start(Part::StatusLog, move || store.reader(), reading, ended)?;
        *self.follower.lock().unwrap_or_else(PoisonError::into_inner) = Some(follower);
        let began = Instant::now();
        while self.shared.position.load(Ordering::Acquire) < end {
            if began.elapsed() > READ_TIMEOUT {
                let text = "no progress; is a transaction open on it?".to_owned();
                return Err(LogError { kind: LogErrorKind::Timeout, doing: "reading the status topic", text });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
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
        let began = Instant::now();
        self.store.write(contracts::record(&id, contract))?;
        self.store.flush(CLAIM_TIMEOUT);
        while !self.contracts().contains(&id) {
            if began.elapsed() > CLAIM_TIMEOUT {
                let text = "what was written does not come back; look whether it may be written".to_owned();
                return Err(LogError { kind: LogErrorKind::Timeout, doing: "claiming the status topic", text }.into());
            }
            std::thread::sleep(Duration::from_millis(5));
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
        if let Some(mut follower) = self.follower.lock().unwrap_or_else(PoisonError::into_inner).take() {
            follower.stop();
        }
    }

    /// Returns up to where the topic has been read.
    pub fn position(&self) -> i64 {
        self.shared.position.load(Ordering::Acquire)
    }

    /// Looks at what the topic says.
    pub fn look<T>(&self, look: impl FnOnce(&StatusView) -> T) -> T {
        look(&self.shared.lock())
    }

    /// Changes whenever something has been read.
    pub fn version(&self) -> u64 {
        self.shared.version.load(Ordering::Acquire)
    }

    /// Writes a record.
    pub fn write(&self, record: KeyValue) {
        if let Err(error) = self.store.write(record) {
            tracing::debug!(%error, "a status cannot be written now; it is written again");
        }
    }

    /// Returns why statuses are not written at the moment, if they are not.
    pub fn trouble(&self) -> Option<String> {
        self.store.trouble()
    }

    /// Waits until what was written is there. Blocks.
    pub fn flush(&self, timeout: Duration) {
        self.store.flush(timeout);
    }
}

struct Reading {
    shared: Arc<Shared>,
    old_until: i64,
}

impl Listener for Reading {
    fn position(&self) -> i64 {
        self.shared.position.load(Ordering::Acquire)
    }

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
        self.shared.position.fetch_max(position, Ordering::AcqRel);
    }
}
