//! The status topic: followed by every worker, written by every worker about what it has.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::follow::{Follower, FollowerEnded, Listener, PARTITION};
use super::records::KeyValue;
use super::status::{self, StatusView};
use crate::shard::log::OffsetRecord;
use crate::shard::{LogError, LogErrorKind, OffsetReader};
use crate::supervision::Part;

/// The topic is read to its end within so long.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Where statuses live.
pub trait StatusStore: Send + Sync + 'static {
    /// Writes a record, soon. What is lost is written again by whoever finds it missing.
    ///
    /// # Errors
    /// When it cannot be taken.
    fn write(&self, record: KeyValue) -> Result<(), LogError>;

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

    /// Stops following. Blocks.
    pub fn stop(&self) {
        if let Some(mut follower) = self.follower.lock().unwrap_or_else(PoisonError::into_inner).take() {
            follower.stop();
        }
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
            self.shared.lock().apply(&record.key, record.value.as_deref(), position > self.old_until, Instant::now());
            // Heartbeats come all the time and change nothing that is to be answered.
            if !status::is_heartbeat(&record.key) {
                self.shared.version.fetch_add(1, Ordering::AcqRel);
            }
        }
        self.shared.position.fetch_max(position, Ordering::AcqRel);
    }
}
