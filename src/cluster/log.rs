//! The config log: followed by every worker, changed only under its fence.
//!
//! **Contract.** [`ConfigLog::change`] takes the log's one transactional id, waits until this worker has read all there
//! was at that moment, lets the caller decide on that, and commits. Whoever took the id in between makes the commit
//! fail, and the decision is made again. A commit without a clear answer is not made twice: the change's id in the log
//! says whether it was done.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio_retry2::strategy::{ExponentialBackoff, jitter};

use super::change::{Change, Refusal};
use super::contracts;
use super::follow::{Follower, FollowerEnded, Listener, PARTITION, check_end};
use super::records;
use super::view::{ConfigView, Event};
use crate::model::log::{OffsetRecord, write_transaction};
use crate::model::{Contract, LogError, LogErrorKind, OffsetReader, Record, TransactionalProducer};
use crate::supervision::Part;

/// A change is tried for so long, through fences and brokers that restart.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(60);
/// The log is read to its end within so long, or a change starts anew.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest delay between two tries of a change.
const RETRY_CAP: Duration = Duration::from_millis(500);

/// Where the log lives.
pub trait ConfigStore: Send + Sync + 'static {
    /// A new producer under the log's own transactional id.
    ///
    /// # Errors
    /// When it cannot be made.
    fn producer(&self) -> Result<Box<dyn TransactionalProducer>, LogError>;

    /// A reader that follows the log.
    ///
    /// # Errors
    /// When it cannot be made.
    fn reader(&self) -> Result<Box<dyn OffsetReader>, LogError>;

    /// Name of its topic.
    fn topic(&self) -> &str;
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// It may not be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The log cannot be written or read.
    #[error("the config topic: {0}")]
    Log(#[from] LogError),
}

struct Shared {
    view: Mutex<Arc<ConfigView>>,
    moved: Condvar,
    position: watch::Sender<i64>,
    stop: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Arc<ConfigView>> {
        // Nothing panics while it is held, and records are taken in one by one.
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until everything before `position` is in the view.
    fn wait(&self, position: i64, timeout: Duration) -> Option<Arc<ConfigView>> {
        let deadline = Instant::now() + timeout;
        let mut view = self.lock();
        while view.position < position {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stop.load(Ordering::Acquire) {
                return None;
            }
            view = self.moved.wait_timeout(view, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(Arc::clone(&view))
    }
}

/// The config log of a group, as this worker has read it.
pub struct ConfigLog {
    contract: Contract,
    store: Arc<dyn ConfigStore>,
    shared: Arc<Shared>,
    /// One change at a time in a worker: they would only fence each other. With it the reader that asks for the end.
    changing: Mutex<Option<Box<dyn OffsetReader>>>,
    follower: Mutex<Option<Follower>>,
}

impl ConfigLog {
    /// The log of a group. Nothing is read before it is followed.
    pub fn new(store: Arc<dyn ConfigStore>, contract: Contract) -> Self {
        let shared = Shared {
            view: Mutex::default(),
            moved: Condvar::new(),
            position: watch::Sender::new(0),
            stop: AtomicBool::new(false),
        };
        Self { contract, store, shared: Arc::new(shared), changing: Mutex::default(), follower: Mutex::default() }
    }

    /// Its topic.
    pub fn topic(&self) -> &str {
        self.store.topic()
    }

    /// What the log says, as far as it has been read.
    pub fn view(&self) -> Arc<ConfigView> {
        Arc::clone(&self.shared.lock())
    }

    /// Hears how far the log has been read.
    pub fn watch(&self) -> watch::Receiver<i64> {
        self.shared.position.subscribe()
    }

    /// Begins to follow the log, and reads it to the end it has now. What is asked for in it from then on comes as
    /// events. `ended` hears it if that panics again and again. Blocks.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn follow(&self, events: mpsc::Sender<Event>, ended: &FollowerEnded) -> Result<(), LogError> {
        let end = self.end(&mut self.lock_changing())?;
        let store = Arc::clone(&self.store);
        let reading = Reading { shared: Arc::clone(&self.shared), silent_until: end, events };
        let follower = Follower::start(Part::ConfigLog, move || store.reader(), reading, ended)?;
        *self.follower.lock().unwrap_or_else(PoisonError::into_inner) = Some(follower);
        let read = self.shared.wait(end, READ_TIMEOUT.saturating_mul(3));
        read.map(|_| ()).ok_or_else(|| timed_out("reading the config topic to its end"))
    }

    /// Stops following.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.moved.notify_all();
        if let Some(mut follower) = self.follower.lock().unwrap_or_else(PoisonError::into_inner).take() {
            follower.stop();
        }
    }

    fn lock_changing(&self) -> MutexGuard<'_, Option<Box<dyn OffsetReader>>> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change that `decide` decides on; it is asked again when the fence was lost. Answers its answer, and the
    /// place of the log behind the change. Blocks.
    ///
    /// # Errors
    /// When it is refused, or the log cannot be written.
    pub fn change<T>(
        &self,
        mut decide: impl FnMut(&ConfigView) -> Result<Change<T>, Refusal>,
    ) -> Result<(T, i64), ChangeError> {
        let mut reader = self.lock_changing();
        let id = format!("{:016x}", rand::random::<u64>());
        let began = Instant::now();
        // The answer of a commit of which it is not known whether it was made.
        let mut unclear: Option<T> = None;
        let mut delays = ExponentialBackoff::from_millis(2).factor(10).max_delay(RETRY_CAP);
        loop {
            let error = match self.try_change(&mut reader, &id, &mut decide, &mut unclear) {
                // What is too large stays so.
                Err(ChangeError::Log(error))
                    if !error.kind.needs_a_grant() && !matches!(error.kind, LogErrorKind::RecordTooLarge { .. }) =>
                {
                    error
                }
                done => return done,
            };
            tracing::debug!(%error, "the config log was taken by another worker or cannot be reached; trying again");
            *reader = None;
            let delay = jitter(delays.next().unwrap_or(RETRY_CAP));
            if began.elapsed() + delay > CHANGE_TIMEOUT || self.shared.stop.load(Ordering::Acquire) {
                return Err(error.into());
            }
            std::thread::sleep(delay);
        }
    }

    fn try_change<T>(
        &self,
        reader: &mut Option<Box<dyn OffsetReader>>,
        id: &str,
        decide: &mut impl FnMut(&ConfigView) -> Result<Change<T>, Refusal>,
        unclear: &mut Option<T>,
    ) -> Result<(T, i64), ChangeError> {
        let mut producer = self.store.producer()?;
        producer.init()?;
        // From here on nobody writes without our noticing; what was written before is read first.
        let end = self.end(reader)?;
        check_end(end, self.shared.lock().position)?;
        let view =
            self.shared.wait(end, READ_TIMEOUT).ok_or_else(|| timed_out("reading the config topic to its end"))?;
        if view.has_change(id)
            && let Some(answer) = unclear.take()
        {
            return Ok((answer, end));
        }
        let is_said = self.check_contract(&view)?;
        let Change { mut records, answer } = decide(&view)?;
        if records.is_empty() && is_said {
            return Ok((answer, end));
        }
        if !is_said {
            // First, and for versions that know only the group.
            records.insert(0, contracts::record(&contracts::new_id(), &self.contract));
            records.insert(1, records::group(&self.contract.group_id));
        }
        // Whoever holds it while records are read makes the reader copy all of it.
        drop(view);
        let topic: Arc<str> = self.store.topic().into();
        let records = records.into_iter().chain([records::change(id)]);
        // Remembered before it is written: without a clear answer the log says whether it was.
        *unclear = Some(answer);
        write_transaction(&mut *producer, records.map(|(key, value)| Record::of_log(&topic, PARTITION, key, value)))?;
        // Whoever asks this worker next is answered with the change in it.
        let end = self.end(reader)?;
        self.shared.wait(end, READ_TIMEOUT).ok_or_else(|| timed_out("reading what was written"))?;
        match unclear.take() {
            Some(answer) => Ok((answer, end)),
            None => Err(other("changing the config topic", "its answer is gone".to_owned()).into()),
        }
    }

    /// Leaves in the log what this group has agreed on, unless it says so. Blocks.
    ///
    /// # Errors
    /// When it says something else, or cannot be written.
    pub fn claim(&self) -> Result<(), ChangeError> {
        self.change(|_| Ok(Change { records: Vec::new(), answer: () }))?;
        // Another group has another fence, and may have written at the same moment: the first one in the log has it.
        self.check_contract(&self.view())?;
        Ok(())
    }

    /// Whether the log is this group's, as far as it has been read, and says all that is known here.
    ///
    /// # Errors
    /// When it is another's, or says something else.
    pub fn check_contract(&self, view: &ConfigView) -> Result<bool, Refusal> {
        Ok(view.contracts().check(&self.contract, "config.storage.topic")?)
    }

    /// The end of the log as it is now, decided or not.
    fn end(&self, reader: &mut Option<Box<dyn OffsetReader>>) -> Result<i64, LogError> {
        let reader = match reader {
            Some(reader) => reader,
            None => reader.insert(self.store.reader()?),
        };
        Ok(reader.bounds(PARTITION)?.end)
    }
}

fn timed_out(doing: &'static str) -> LogError {
    LogError {
        kind: LogErrorKind::Timeout,
        doing,
        text: "it takes too long; a transaction may be open on it".to_owned(),
    }
}

fn other(doing: &'static str, text: String) -> LogError {
    LogError { kind: LogErrorKind::Other, doing, text }
}

/// Takes in what is read.
struct Reading {
    shared: Arc<Shared>,
    /// What was asked for before this place is of the past.
    silent_until: i64,
    events: mpsc::Sender<Event>,
}

impl Listener for Reading {
    fn position(&self) -> i64 {
        self.shared.lock().position
    }

    fn read(&mut self, record: Option<OffsetRecord>, position: i64) {
        let mut view = self.shared.lock();
        let mut event = None;
        if let Some(record) = record {
            event = ConfigView::apply(&mut view, &record.key, record.value.as_deref());
        }
        if position > view.position {
            Arc::make_mut(&mut view).position = position;
            drop(view);
            self.shared.moved.notify_all();
            self.shared.position.send_replace(position);
        } else {
            drop(view);
        }
        if let Some(event) = event.filter(|_| position > self.silent_until) {
            // None is lost: when too many wait the log is read on as they are done. Nobody listens while the worker stops.
            let _ = self.events.blocking_send(event);
        }
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
