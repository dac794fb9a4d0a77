//! The config log: followed by every worker, changed only under its fence.
//!
//! **Contract.** [`ConfigLog::change`] acquires the log's one transactional id, waits until this worker has read everything
//! written until then, lets the caller decide on that, and commits. If another worker acquires the id in between, the commit
//! fails, and the decision is made again. A commit with an unclear outcome is not repeated: the change's id in the log
//! shows whether it succeeded.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// How long a change is retried, through fences and broker restarts.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long reading the log to its end may take before a change starts over.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest delay between two attempts of a change.
const RETRY_CAP: Duration = Duration::from_millis(500);

/// The storage of the config log.
pub trait ConfigStore: Send + Sync + 'static {
    /// Creates a producer with the log's own transactional id.
    ///
    /// # Errors
    /// When it cannot be created.
    fn producer(&self) -> Result<Box<dyn TransactionalProducer>, LogError>;

    /// Creates a reader that follows the log.
    ///
    /// # Errors
    /// When it cannot be created.
    fn reader(&self) -> Result<Box<dyn OffsetReader>, LogError>;

    /// Returns the name of the log's topic.
    fn topic(&self) -> &str;
}

/// Reasons why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The change was refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The log cannot be written or read.
    #[error("the config topic: {0}")]
    Log(#[from] LogError),
}

type SharedView = Arc<Mutex<Arc<ConfigView>>>;

fn lock(view: &Mutex<Arc<ConfigView>>) -> MutexGuard<'_, Arc<ConfigView>> {
    // Nothing panics while the lock is held, and records are applied one by one.
    view.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The config log of a group, as this worker has read it.
pub struct ConfigLog {
    contract: Contract,
    store: Arc<dyn ConfigStore>,
    view: SharedView,
    follower: Follower,
    /// Allows one change at a time in a worker, because several would only fence each other. Contains the reader that
    /// returns the end.
    changing: Mutex<Option<Box<dyn OffsetReader>>>,
}

impl ConfigLog {
    /// Creates the log of a group. Nothing is read before [`ConfigLog::follow`].
    pub fn new(store: Arc<dyn ConfigStore>, contract: Contract) -> Self {
        let follower = Follower::new(Part::ConfigLog);
        Self { contract, store, view: SharedView::default(), follower, changing: Mutex::default() }
    }

    /// Returns the name of the log's topic.
    pub fn topic(&self) -> &str {
        self.store.topic()
    }

    /// Returns the log's content, as far as it has been read.
    pub fn view(&self) -> Arc<ConfigView> {
        Arc::clone(&lock(&self.view))
    }

    /// Returns a receiver of the position up to which the log has been read.
    pub fn watch(&self) -> watch::Receiver<i64> {
        self.follower.watch()
    }

    /// Starts following the log, and reads it to its current end. Requests written from then on are sent as
    /// events. `ended` is called if following panics again and again. Blocks.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn follow(&self, events: mpsc::Sender<Event>, ended: &FollowerEnded) -> Result<(), LogError> {
        let (store, view) = (Arc::clone(&self.store), Arc::clone(&self.view));
        let reading = |end| Reading { view, silent_until: end, events, event: None };
        let end = self.follower.start(move || store.reader(), reading, ended)?;
        self.read_to(end, READ_TIMEOUT.saturating_mul(3), "reading the config topic to its end").map(|_| ())
    }

    /// Waits until everything before `position` is in the view, and returns the view.
    fn read_to(&self, position: i64, timeout: Duration, doing: &'static str) -> Result<Arc<ConfigView>, LogError> {
        if self.follower.wait(position, timeout) { Ok(self.view()) } else { Err(timed_out(doing)) }
    }

    /// Stops following. Blocks.
    pub fn stop(&self) {
        self.follower.stop();
    }

    fn lock_changing(&self) -> MutexGuard<'_, Option<Box<dyn OffsetReader>>> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change that `decide` decides on; it is called again when the fence was lost. Returns its result and the
    /// config offset after the change. Blocks.
    ///
    /// # Errors
    /// When the change is refused, or the log cannot be written.
    pub fn change<T>(
        &self,
        mut decide: impl FnMut(&ConfigView) -> Result<Change<T>, Refusal>,
    ) -> Result<(T, i64), ChangeError> {
        let mut reader = self.lock_changing();
        let id = format!("{:016x}", rand::random::<u64>());
        let began = Instant::now();
        // The result of a commit whose outcome is unknown.
        let mut unclear: Option<T> = None;
        let mut delays = ExponentialBackoff::from_millis(2).factor(10).max_delay(RETRY_CAP);
        loop {
            let error = match self.try_change(&mut reader, &id, &mut decide, &mut unclear) {
                // A record that is too large stays too large.
                Err(ChangeError::Log(error))
                    if !error.kind.needs_a_grant() && !matches!(error.kind, LogErrorKind::RecordTooLarge { .. }) =>
                {
                    error
                }
                done => return done,
            };
            tracing::debug!(%error, "another worker changed the config log, or it cannot be reached; trying again");
            *reader = None;
            let delay = jitter(delays.next().unwrap_or(RETRY_CAP));
            if began.elapsed() + delay > CHANGE_TIMEOUT || self.follower.is_stopped() {
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
        // From here on no other worker can write unnoticed; what was written before is read first.
        let end = self.end(reader)?;
        check_end(end, self.follower.position())?;
        let view = self.read_to(end, READ_TIMEOUT, "reading the config topic to its end")?;
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
            // First in the log, also in the form of versions that know only the group.
            records.insert(0, contracts::record(&contracts::new_id(), &self.contract));
            records.insert(1, records::group(&self.contract.group_id));
        }
        // As long as it is held, applying records would copy the whole view.
        drop(view);
        let topic: Arc<str> = self.store.topic().into();
        let records = records.into_iter().chain([records::change(id)]);
        // Remembered before it is written: if the outcome is unclear, the log shows whether it was written.
        *unclear = Some(answer);
        write_transaction(&mut *producer, records.map(|(key, value)| Record::of_log(&topic, PARTITION, key, value)))?;
        // The next request to this worker sees the change.
        let end = self.end(reader)?;
        self.read_to(end, READ_TIMEOUT, "reading what was written")?;
        match unclear.take() {
            Some(answer) => Ok((answer, end)),
            None => Err(other("changing the config topic", "its result is gone".to_owned()).into()),
        }
    }

    /// Writes this group's contract into the log, unless it is already there. Blocks.
    ///
    /// # Errors
    /// When the log has a different contract, or cannot be written.
    pub fn claim(&self) -> Result<(), ChangeError> {
        self.change(|_| Ok(Change { records: Vec::new(), answer: () }))?;
        // Another group has another fence, and may have written at the same moment: the first record in the log wins.
        self.check_contract(&self.view())?;
        Ok(())
    }

    /// Checks that the log belongs to this group, as far as it has been read. Returns whether it contains everything that
    /// this worker knows.
    ///
    /// # Errors
    /// When it belongs to another group, or its contract differs.
    pub fn check_contract(&self, view: &ConfigView) -> Result<bool, Refusal> {
        Ok(view.contracts().check(&self.contract, "config.storage.topic")?)
    }

    /// Returns the log's content up to its current end. Blocks.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn current(&self) -> Result<Arc<ConfigView>, LogError> {
        let mut reader = self.lock_changing();
        let end = self.end(&mut reader).inspect_err(|_| *reader = None);
        drop(reader);
        let end = end?;
        check_end(end, self.follower.position())?;
        self.read_to(end, READ_TIMEOUT, "reading the config topic to its end")
    }

    /// Returns the current end of the log, including undecided transactions.
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

/// Applies the log's records to the view.
struct Reading {
    view: SharedView,
    /// Requests written before this config offset are not repeated.
    silent_until: i64,
    events: mpsc::Sender<Event>,
    /// The request in the last record.
    event: Option<Event>,
}

impl Listener for Reading {
    fn read(&mut self, record: Option<OffsetRecord>, position: i64) {
        let mut view = lock(&self.view);
        if let Some(record) = record {
            let event = ConfigView::apply(&mut view, &record.key, record.value.as_deref());
            self.event = event.filter(|_| position > self.silent_until);
        }
        if position > view.position {
            Arc::make_mut(&mut view).position = position;
        }
    }

    fn moved(&mut self) {
        if let Some(event) = self.event.take() {
            // No event is lost: when too many wait, reading pauses until there is room. While the worker stops nobody listens.
            let _ = self.events.blocking_send(event);
        }
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
