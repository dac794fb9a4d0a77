//! The states of a worker's streams, and which of them have failed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kvs_client::FragmentNumber;

use super::state::{Interruption, StreamState, StreamStatus};
use super::written_topics::WrittenTopics;
use crate::config::RestartPolicy;
use crate::model::OffsetKey;
use crate::output::RefusedSizes;
use crate::telemetry;

/// Consecutive failures with nothing published in between.
#[derive(Debug, Clone, Copy)]
struct Failing {
    since: Instant,
    last: Instant,
    times: u32,
    restart: Restart,
}

/// How a failed stream is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Automatically, with the back-off of `errors.retry.*`.
    Automatic,
    /// By a person, after the cause has been fixed.
    ByHand,
}

/// The states of a worker's streams; bounded by the number of streams.
#[derive(Debug, Default)]
pub struct StreamStates {
    states: Mutex<BTreeMap<OffsetKey, StreamStatus>>,
    /// The failures of failing streams. Kept when their shard is lost, because the failure itself may cost the shard.
    failing: Mutex<BTreeMap<OffsetKey, Failing>>,
    /// Until when streams write ingest time because the broker has refused the configured timestamp.
    ingest_until: Mutex<BTreeMap<OffsetKey, Instant>>,
    /// Record sizes that topics have refused, and until when they are remembered.
    refused_sizes: Mutex<BTreeMap<OffsetKey, (Instant, RefusedSizes)>>,
    written_topics: WrittenTopics,
    /// Counts changes that other workers should learn of.
    version: AtomicU64,
}

impl StreamStates {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<OffsetKey, StreamStatus>> {
        // Nothing panics while the lock is held, and a map is never half changed.
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failing(&self) -> MutexGuard<'_, BTreeMap<OffsetKey, Failing>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ingest_until(&self) -> MutexGuard<'_, BTreeMap<OffsetKey, Instant>> {
        self.ingest_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that something of a stream is committed, which ends an earlier failure.
    pub fn committed(&self, key: &OffsetKey) {
        let mut is_over = false;
        self.note(key, |status| {
            status.published = true;
            if !status.is_failed() {
                status.interruption = None;
            }
            status.repeats.clear();
            is_over = !status.is_failed() && status.failure.take().is_some();
        });
        if is_over {
            telemetry::stream_failed(false);
        }
        // A stream that has failed meanwhile has made progress first: it waits as after a first failure.
        let failed = self.is_failed(key);
        let mut failing = self.failing();
        match failing.get_mut(key) {
            Some(failing) if failed => (failing.since, failing.times) = (failing.last, 1),
            _ => _ = failing.remove(key),
        }
    }

    /// Notes what keeps a stream from being published. Returns whether this has to be reported: it is new, or more
    /// important than what has been.
    pub(super) fn interrupt(&self, key: &OffsetKey, what: Interruption) -> bool {
        let mut is_new = false;
        self.note(key, |status| {
            is_new = status.interruption < Some(what);
            status.interruption = status.interruption.max(Some(what));
            status.interruptions += u64::from(is_new);
        });
        is_new
    }

    /// Returns the number of a stream's last reported interruption, if nothing has been committed since.
    pub(super) fn interruption(&self, key: &OffsetKey) -> Option<u64> {
        self.lock().get(key).filter(|status| status.interruption.is_some()).map(|status| status.interruptions)
    }

    /// Notes a received fragment that counts as published. A stream that receives only such fragments makes no progress,
    /// and reports that.
    pub fn already_published(&self, key: &OffsetKey, last: &FragmentNumber) {
        let mut told = None;
        self.note(key, |status| told = status.already_published(last));
        if let Some(reason) = told {
            tracing::warn!(connector = %key.connector, stream = %key.stream, reason, "nothing of the stream is published");
        }
    }

    /// Notes that the broker has refused a record's timestamp: the stream writes ingest time until the given instant.
    pub fn refuse_timestamps(&self, key: &OffsetKey, until: Instant) {
        self.ingest_until().insert(key.clone(), until);
    }

    /// Returns whether the stream writes ingest time regardless of the setting.
    pub fn writes_ingest_time(&self, key: &OffsetKey) -> bool {
        let mut refused = self.ingest_until();
        let writes = refused.get(key).is_some_and(|until| Instant::now() < *until);
        if !writes {
            refused.remove(key);
        }
        writes
    }

    fn refused_sizes_of_all(&self) -> MutexGuard<'_, BTreeMap<OffsetKey, (Instant, RefusedSizes)>> {
        self.refused_sizes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a topic has refused a stream's record of this size, in bytes; remembered until the given instant.
    pub fn refuse_size(&self, key: &OffsetKey, (topic, size_bytes): (Arc<str>, usize), until: Instant) {
        let mut all = self.refused_sizes_of_all();
        let (remembered_until, sizes) = all.entry(key.clone()).or_insert_with(|| (until, RefusedSizes::new()));
        *remembered_until = until;
        let known = sizes.entry(topic).or_insert(size_bytes);
        *known = size_bytes.min(*known);
    }

    /// Returns which record sizes topics have refused lately, if any.
    pub fn refused_sizes(&self, key: &OffsetKey) -> Option<RefusedSizes> {
        let mut all = self.refused_sizes_of_all();
        if all.get(key).is_some_and(|(until, _)| Instant::now() >= *until) {
            all.remove(key);
        }
        all.get(key).map(|(_, sizes)| sizes.clone())
    }

    fn changed(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// Returns a number that changes when a stream's state changes, or a stream is added or removed.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Applies a function to a stream's status, if the stream is known.
    pub fn look<T>(&self, key: &OffsetKey, look: impl FnOnce(&StreamStatus) -> T) -> Option<T> {
        self.lock().get(key).map(look)
    }

    /// Returns the topics that connectors have written to on this worker.
    pub fn written_topics(&self) -> &WrittenTopics {
        &self.written_topics
    }

    /// Notes that a stream belongs to this worker from now on, under this acquisition of its shard.
    pub fn begin(&self, key: &OffsetKey, lease_epoch: i64) {
        {
            let mut states = self.lock();
            let status = states.entry(key.clone()).or_default();
            status.lease_epoch = lease_epoch;
            status.begin();
        }
        self.changed();
    }

    /// Changes the status of one of this worker's streams; late reports of a stopped task are ignored.
    pub fn note(&self, key: &OffsetKey, note: impl FnOnce(&mut StreamStatus)) {
        if let Some(status) = self.lock().get_mut(key) {
            let seen = |status: &StreamStatus| {
                (std::mem::discriminant(&status.state), status.published, status.failure.is_some())
            };
            let before = seen(status);
            note(status);
            if before != seen(status) {
                self.changed();
            }
        }
    }

    /// Sets the state of a stream, unless it has failed.
    pub fn set(&self, key: &OffsetKey, state: StreamState) {
        self.note(key, |status| {
            if !status.is_failed() {
                status.set(state);
            }
        });
    }

    /// Sets the state of a stream that waits, unless it has failed or waits already. Returns the state that it had, for
    /// [`StreamStates::waited`].
    pub(super) fn wait(&self, key: &OffsetKey, waiting: &StreamState) -> Option<StreamState> {
        let mut before = None;
        self.note(key, |status| {
            if !status.is_failed() && status.state != *waiting {
                before = Some(std::mem::replace(&mut status.state, waiting.clone()));
            }
        });
        before
    }

    /// Restores the state that a stream had before it waited, if it still waits.
    pub(super) fn waited(&self, key: &OffsetKey, waiting: &StreamState, before: Option<StreamState>) {
        let Some(before) = before else { return };
        self.note(key, |status| {
            if status.state == *waiting {
                status.state = before;
            }
        });
    }

    /// Counts an error of a stream.
    pub fn count_error(&self, key: &OffsetKey, code: &'static str) {
        self.note(key, |status| *status.errors.entry(code).or_default() += 1);
    }

    /// Gives a stream up, and logs the reason.
    pub fn fail(&self, key: &OffsetKey, reason: String, restart: Restart) {
        let is_new;
        {
            let mut states = self.lock();
            match states.get_mut(key) {
                Some(status) if !status.is_failed() => {
                    status.state = StreamState::Failed { reason: reason.clone() };
                    is_new = status.failure.replace(reason.clone()).is_none();
                    let now = Instant::now();
                    let mut all = self.failing();
                    let failing =
                        all.entry(key.clone()).or_insert(Failing { since: now, last: now, times: 0, restart });
                    *failing = Failing { last: now, times: failing.times.saturating_add(1), restart, ..*failing };
                }
                _ => return,
            }
        }
        self.changed();
        if is_new {
            telemetry::stream_failed(true);
        }
        tracing::error!(connector = %key.connector, stream = %key.stream, %reason,
            "the stream is FAILED: its position is kept, the other streams continue");
    }

    /// Returns the delay before a failed stream is restarted; `None` if it is not restarted automatically.
    pub fn restart_in(&self, key: &OffsetKey, policy: &RestartPolicy) -> Option<Duration> {
        let failing = *self.failing().get(key)?;
        let until = failing.last + policy.delay(failing.times);
        let in_time = policy.timeout.is_none_or(|timeout| until.duration_since(failing.since) <= timeout);
        (failing.restart == Restart::Automatic && in_time).then(|| until.saturating_duration_since(Instant::now()))
    }

    /// Restarts a failed stream. A restart by hand forgets its failures. After an automatic restart the stream
    /// is still reported as FAILED until it makes progress: another failure changes nothing.
    pub fn restarted(&self, key: &OffsetKey, by: Restart) {
        let mut is_over = false;
        self.note(key, |status| {
            if status.is_failed() {
                status.set(StreamState::Starting);
                status.begin();
            }
            if by == Restart::ByHand {
                is_over = status.failure.take().is_some();
            }
        });
        if by == Restart::ByHand {
            self.failing().remove(key);
        }
        if is_over {
            telemetry::stream_failed(false);
        }
    }

    /// Ends the failures of streams whose session has been open for long enough since.
    pub fn settle(&self) {
        let mut settled = 0;
        for status in self.lock().values_mut().filter(|status| status.has_settled()) {
            status.failure = None;
            settled += 1;
        }
        (0..settled).for_each(|_| telemetry::stream_failed(false));
        if settled > 0 {
            self.changed();
        }
    }

    /// Returns whether a stream has been given up.
    pub fn is_failed(&self, key: &OffsetKey) -> bool {
        self.lock().get(key).is_some_and(StreamStatus::is_failed)
    }

    /// Returns whether a stream is reported as FAILED: it has been given up, or is retried and has made no progress.
    pub fn has_failed(&self, key: &OffsetKey) -> bool {
        self.lock().get(key).is_some_and(|status| status.failure.is_some())
    }

    /// Returns whether the service has reported that a stream no longer exists.
    pub fn is_gone(&self, key: &OffsetKey) -> bool {
        matches!(self.lock().get(key), Some(StreamStatus { state: StreamState::Gone { .. }, .. }))
    }

    /// Notes that the stream no longer belongs to this worker; a failure is remembered.
    pub fn forget(&self, key: &OffsetKey) {
        let mut states = self.lock();
        match states.get_mut(key) {
            Some(status) if status.failure.is_some() => status.begin(),
            _ => _ = states.remove(key),
        }
        self.changed();
    }

    /// Notes that the stream no longer belongs to the connector.
    pub fn remove(&self, key: &OffsetKey) {
        let removed = self.lock().remove(key);
        self.failing().remove(key);
        self.ingest_until().remove(key);
        self.refused_sizes_of_all().remove(key);
        self.changed();
        if removed.is_some_and(|status| status.failure.is_some()) {
            telemetry::stream_failed(false);
        }
    }

    /// Returns the names of the streams, by connector.
    pub fn names(&self) -> HashMap<String, HashSet<String>> {
        let mut names: HashMap<String, HashSet<String>> = HashMap::new();
        for key in self.lock().keys() {
            match names.get_mut(&key.connector) {
                Some(streams) => _ = streams.insert(key.stream.clone()),
                None => _ = names.insert(key.connector.clone(), HashSet::from([key.stream.clone()])),
            }
        }
        names
    }

    /// Returns all streams with their status.
    pub fn all(&self) -> Vec<(OffsetKey, StreamStatus)> {
        self.lock().iter().map(|(key, status)| (key.clone(), status.clone())).collect()
    }
}

#[cfg(test)]
#[path = "states_tests.rs"]
mod tests;
