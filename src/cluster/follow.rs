//! Follows a one-partition topic on its own thread for as long as a worker runs, and lets callers wait until it has been
//! read up to a position.
//!
//! **Contract.** The position advances only when the listener has processed everything before it. A caller that waits for a position
//! is woken by reaching it, by the caller's timeout, or by [`Follower::stop`], and never polls. A reader
//! that fails is replaced by a new one, which continues from the position.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::logging::repeated::Repeated;
use crate::model::log::OffsetRecord;
use crate::model::{LogError, LogErrorKind, OffsetReader, ShardId};
use crate::supervision::{Panicked, Part, catch, fault_point};

/// The partition of followed topics, which have only one.
pub(super) const PARTITION: ShardId = ShardId(0);
/// The pause before a reader that has failed is replaced.
const READER_PAUSE: Duration = Duration::from_secs(1);

/// A reader that has read nothing for this long is replaced, if it has never read anything or if the topic has more; the time
/// doubles with each replacement by which nothing is read. Kafka's client reports only once that a topic may not be read, and not
/// at all if this happens while its partition is being assigned: the follower of an empty topic would never learn of it. And one
/// has been seen that never read on after its broker had been suspended and killed, while all others in its process did.
const SILENT_FOR: Duration = Duration::from_secs(10);
/// The longest such time.
const SILENT_FOR_MAX: Duration = Duration::from_secs(600);

/// The number of panics at one position of the log after which a follower is given up.
const PANICS_MAX: u32 = 5;

/// Is called when a follower has been given up.
pub type FollowerEnded = Arc<dyn Fn(Panicked) + Send + Sync>;

/// Processes what is read from a followed topic.
pub(super) trait Listener: Send + 'static {
    /// Processes a record, if one was read; `position` is after it and after any markers that follow it. A record whose
    /// processing panics is delivered again.
    fn read(&mut self, record: Option<OffsetRecord>, position: i64);

    /// Does what waiting callers should not wait for. Called after each `read`, once the position has advanced.
    fn moved(&mut self) {}
}

/// Follows one topic, and knows how far it has been read.
pub(super) struct Follower {
    part: Part,
    progress: Arc<Progress>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// How long the first reader may read nothing.
    silent_for: Duration,
}

/// How far a topic has been read.
struct Progress {
    position: Mutex<i64>,
    moved: Condvar,
    /// The same position for async code.
    watched: watch::Sender<i64>,
    /// Nobody follows any more: the follower was stopped, or given up.
    stopped: AtomicBool,
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, i64> {
        // Nothing panics while the lock is held, and a number is never half changed.
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Notes that everything before `position` has been processed; the position never moves back.
    fn advance(&self, position: i64) {
        let mut known = self.lock();
        if position > *known {
            *known = position;
            drop(known);
            self.moved.notify_all();
            self.watched.send_replace(position);
        }
    }
}

impl Follower {
    /// Creates a follower that has read nothing yet; its panics are counted for `part`.
    pub(super) fn new(part: Part) -> Self {
        let progress = Progress {
            position: Mutex::default(),
            moved: Condvar::new(),
            watched: watch::Sender::new(0),
            stopped: AtomicBool::new(false),
        };
        Self { part, progress: Arc::new(progress), thread: Mutex::default(), silent_for: SILENT_FOR }
    }

    /// Starts following, and returns the topic's current end, which is also passed to `listener`. `ended` is called when the
    /// follower is given up after panics. Blocks while a reader is opened.
    ///
    /// # Errors
    /// When the topic's bounds cannot be read, or no thread can be started. Nothing is followed then.
    pub(super) fn start<L: Listener>(
        &self,
        open: impl Fn() -> Result<Box<dyn OffsetReader>, LogError> + Send + 'static,
        listener: impl FnOnce(i64) -> L,
        ended: &FollowerEnded,
    ) -> Result<i64, LogError> {
        let mut reader = open()?;
        let end = reader.bounds(PARTITION)?.end;
        let mut listener = listener(end);
        let (part, progress, ended) = (self.part, Arc::clone(&self.progress), Arc::clone(ended));
        let silent_for_first = self.silent_for;
        let mut silent_for = silent_for_first;
        let run = move || {
            // The reader that returned the end is also the first one that follows.
            let mut first = Some(reader);
            let (mut panics, mut at) = (0, 0);
            let unreadable = Repeated::default();
            while !progress.is_stopped() {
                let follow = || {
                    let reader = first.take().map_or_else(&open, Ok)?;
                    follow(part, reader, &mut listener, &progress, silent_for, &unreadable)
                };
                match catch(part, follow) {
                    Ok(Ok(Silence::OfAll)) => silent_for = silent_for.saturating_mul(2).min(SILENT_FOR_MAX),
                    Ok(Ok(Silence::SinceThen)) => silent_for = silent_for_first,
                    Ok(Err(error)) => {
                        if let Some(times) = unreadable.again(&error.to_string()) {
                            tracing::warn!(%error, times, log = part.name(), "cannot read the topic of a log; trying again");
                        }
                        progress.pause();
                    }
                    Err(panicked) => {
                        // The record is processed again from the same offset: one that always panics would block for ever.
                        let position = *progress.lock();
                        panics = if position > at { 1 } else { panics + 1 };
                        at = position;
                        if panics >= PANICS_MAX {
                            ended(panicked);
                            // Behind the reason: whoever waits for a position is woken to an end that is known.
                            return progress.stop();
                        }
                        tracing::error!(
                            %panicked,
                            log = part.name(),
                            "the thread that follows a log panicked; continuing"
                        );
                        progress.pause();
                    }
                }
            }
        };
        let started = std::thread::Builder::new().name(part.name().to_owned()).spawn(run);
        let failed = |error: std::io::Error| LogError {
            kind: LogErrorKind::Other,
            doing: "starting a thread",
            text: error.to_string(),
        };
        *self.lock_thread() = Some(started.map_err(failed)?);
        Ok(end)
    }

    fn lock_thread(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        // Nothing panics while the lock is held, and the value is replaced as a whole.
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the position up to which everything has been processed.
    pub(super) fn position(&self) -> i64 {
        *self.progress.lock()
    }

    /// Returns a receiver of the position, for async code.
    pub(super) fn watch(&self) -> watch::Receiver<i64> {
        self.progress.watched.subscribe()
    }

    /// Waits until everything before `position` has been processed. Returns whether it has; `false` after `timeout`, and as soon
    /// as the follower is stopped. Blocks.
    #[must_use]
    pub(super) fn wait(&self, position: i64, timeout: Duration) -> bool {
        self.wait_until(timeout, |known| known >= position)
    }

    /// Waits until `is_there` returns true; it is called with the position, and again whenever that advances.
    /// Returns whether it did; `false` after `timeout`, and as soon as the follower is stopped. Blocks.
    #[must_use]
    pub(super) fn wait_until(&self, timeout: Duration, mut is_there: impl FnMut(i64) -> bool) -> bool {
        let deadline = Instant::now() + timeout;
        let mut position = self.progress.lock();
        while !is_there(*position) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_stopped() {
                return false;
            }
            position = self.progress.moved.wait_timeout(position, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Returns whether the follower has been stopped, or given up.
    pub(super) fn is_stopped(&self) -> bool {
        self.progress.is_stopped()
    }

    /// Stops following for good, and wakes all callers that wait for a position. Blocks while a reader is closed.
    pub(super) fn stop(&self) {
        self.progress.stop();
        let thread = self.lock_thread().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a thread that follows a topic panicked");
        }
    }
}

impl Progress {
    /// Has nothing more be followed, and wakes whoever waits.
    fn stop(&self) {
        {
            // Under the lock: whoever is about to wait has either seen it or is woken.
            let _position = self.lock();
            self.stopped.store(true, Ordering::Release);
        }
        self.moved.notify_all();
    }

    /// Waits before the next reader is opened, unless the follower is stopped meanwhile.
    fn pause(&self) {
        let until = Instant::now() + READER_PAUSE;
        let mut position = self.lock();
        while !self.is_stopped() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            position = self.moved.wait_timeout(position, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Returns an error when a log ends before what has been read of it, because it must then be a different log.
pub(super) fn check_end(end: i64, position: i64) -> Result<(), LogError> {
    if end >= position {
        return Ok(());
    }
    let text = format!("it ends at {end} and was read up to {position}: it was truncated, or deleted and recreated");
    Err(LogError { kind: LogErrorKind::Other, doing: "determining the end of a log", text })
}

/// What a reader that is given up has read.
enum Silence {
    /// Nothing at all.
    OfAll,
    /// Something, and then nothing more, although there is more.
    SinceThen,
}

/// Follows with one reader until the follower is stopped or the reader has read nothing for too long.
fn follow(
    part: Part,
    mut reader: Box<dyn OffsetReader>,
    listener: &mut impl Listener,
    progress: &Progress,
    silent_for: Duration,
    unreadable: &Repeated,
) -> Result<Silence, LogError> {
    let bounds = reader.bounds(PARTITION)?;
    if let Some(lasted) = unreadable.over() {
        tracing::info!(lasted_s = lasted.as_secs(), log = part.name(), "the topic of a log is read again");
    }
    let position = *progress.lock();
    check_end(bounds.end, position)?;
    let start = position.max(bounds.start);
    reader.seek(PARTITION, start)?;
    let (mut since, mut has_read, mut read_to) = (Instant::now(), false, start);
    while !progress.is_stopped() {
        fault_point(part);
        let record = reader.poll()?;
        let position = reader.position()?;
        if record.is_some() || position > read_to {
            (since, has_read, read_to) = (Instant::now(), true, position.max(read_to));
        }
        listener.read(record, position);
        progress.advance(position);
        listener.moved();
        if since.elapsed() < silent_for {
            continue;
        }
        if !has_read {
            return Ok(Silence::OfAll);
        }
        // The end is asked for with another client.
        let end = reader.bounds(PARTITION)?.end;
        if end > read_to {
            let silent_s = since.elapsed().as_secs();
            tracing::warn!(
                log = part.name(),
                silent_s,
                read_to,
                end,
                "a client reads nothing of a log that has more; a new one reads on"
            );
            return Ok(Silence::SinceThen);
        }
        since = Instant::now();
    }
    Ok(Silence::SinceThen)
}

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;
