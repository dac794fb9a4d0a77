//! Reports, for statuses and health, whether a shard has an owner that makes progress, and if not, why.
//!
//! **Contract.** An owner records what happens to it ([`OwnerReport::acquired`], [`OwnerReport::lost`],
//! [`OwnerReport::committed`]); others may read that at any time. A shard that cannot be acquired, or is lost again and
//! again with nothing committed in between, is in trouble at once, and counts as making no progress after half a
//! minute.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a shard may be without an owner before its worker is unhealthy: takeovers and restarts of brokers take
/// less.
const STANDING_STILL_AFTER: Duration = Duration::from_secs(30);

/// The state that a shard's owner reports. Clones share it.
#[derive(Debug, Clone)]
pub struct OwnerReport(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Since when there is no owner; `None`: there is one.
    unowned_since: Option<Instant>,
    /// Whether the last owner's thread has panicked, and there is no owner yet.
    died: bool,
    /// Losses with nothing committed in between.
    losses: Option<Losses>,
}

#[derive(Debug)]
struct Losses {
    first: Instant,
    last: Instant,
    reason: String,
}

impl Default for OwnerReport {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { unowned_since: Some(Instant::now()), died: false, losses: None })))
    }
}

impl OwnerReport {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held, and fields are changed one by one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that the shard has been acquired.
    pub fn acquired(&self) {
        let mut state = self.lock();
        (state.unowned_since, state.died) = (None, false);
    }

    /// Records that a transaction has been committed, which ends earlier trouble.
    pub fn committed(&self) {
        self.lock().losses = None;
    }

    /// Records that the owner's thread has panicked: nobody tries to acquire the shard until the thread is restarted.
    pub fn died(&self, reason: String) {
        self.lose(reason, true);
    }

    /// Records that the shard was lost, or could not be acquired.
    pub fn lost(&self, reason: String) {
        self.lose(reason, false);
    }

    fn lose(&self, reason: String, died: bool) {
        let now = Instant::now();
        let mut state = self.lock();
        state.died |= died;
        state.unowned_since.get_or_insert(now);
        let first = state.losses.as_ref().map_or(now, |losses| losses.first);
        state.losses = Some(Losses { first, last: now, reason });
    }

    /// Returns why the shard makes no progress, if it has no owner, or lost the last one a moment ago.
    pub fn trouble(&self) -> Option<String> {
        let state = self.lock();
        let losses = state.losses.as_ref()?;
        (state.unowned_since.is_some() || losses.last.elapsed() < STANDING_STILL_AFTER)
            .then(|| format!("its shard is lost, or cannot be acquired: {}", losses.reason))
    }

    /// Returns how long the shard has made no progress, with the reason, once that is longer than a takeover takes; at
    /// once if its owner has died.
    pub fn standing_still(&self) -> Option<(Duration, String)> {
        let state = self.lock();
        let reason = || match &state.losses {
            Some(losses) => losses.reason.clone(),
            None => "it is being acquired".to_owned(),
        };
        let unowned = state.unowned_since.map(|since| since.elapsed());
        let flapping = state
            .losses
            .as_ref()
            .filter(|losses| losses.last.elapsed() < STANDING_STILL_AFTER)
            .map(|losses| losses.first.elapsed());
        let longest = unowned.max(flapping)?;
        (state.died || longest >= STANDING_STILL_AFTER).then(|| (longest, reason()))
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
