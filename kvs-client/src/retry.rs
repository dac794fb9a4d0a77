//! How long to wait before the next attempt, and when to give up.

use std::time::{Duration, Instant};

use tokio_retry2::strategy::{ExponentialBackoff, jitter_with_bounds};

use crate::error::ErrorClass;

/// Credentials are fetched again this many consecutive times before their refusal is final.
const CREDENTIALS_REFUSED_MAX: u32 = 3;

/// Exponential back-off with full jitter: a random time up to `base × 2^n`, at most `cap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How many consecutive attempts are made before the last error is returned. 0: pulling never gives up, and a call
    /// that is not a session is sent up to 5 times.
    pub attempts_max: u32,
    /// The upper bound of the first delay.
    pub base: Duration,
    /// The upper bound of every delay.
    pub cap: Duration,
}

impl RetryPolicy {
    /// Creates a policy that never gives up, with these bounds of its delays.
    pub fn new(base: Duration, cap: Duration) -> Self {
        Self { attempts_max: 0, base, cap }
    }

    /// Sets how many consecutive attempts are made; see [`RetryPolicy::attempts_max`].
    #[must_use]
    pub fn with_attempts_max(self, attempts_max: u32) -> Self {
        Self { attempts_max, ..self }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new(Duration::from_millis(200), Duration::from_secs(30))
    }
}

/// The delays between consecutive attempts.
#[derive(Debug)]
pub(crate) struct Backoff {
    policy: RetryPolicy,
    delays: Option<ExponentialBackoff>,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        Self { policy, delays: None, failures: 0 }
    }

    /// Counts a failed attempt and returns the delay before the next one.
    pub(crate) fn next_delay(&mut self) -> Duration {
        let policy = self.policy;
        self.failures = self.failures.saturating_add(1);
        let delays = self.delays.get_or_insert_with(|| {
            let base_millis = u64::try_from(policy.base.as_millis()).unwrap_or(u64::MAX).max(1);
            // The iterator's delays are 2^n × factor, from n = 1 on.
            ExponentialBackoff::from_millis(2).factor(base_millis.div_ceil(2)).max_delay(policy.cap)
        });
        let longest = delays.next().unwrap_or(policy.cap);
        jitter_with_bounds(0.0, 1.0)(longest)
    }

    /// Returns whether the policy allows no further attempt.
    pub(crate) fn exhausted(&self) -> bool {
        self.policy.attempts_max > 0 && self.failures >= self.policy.attempts_max
    }

    /// Starts again with the first delay, after a success.
    pub(crate) fn reset(&mut self) {
        self.delays = None;
        self.failures = 0;
    }
}

/// The consecutive failed attempts of a puller: how many, since when, and how long it waits before the next one.
///
/// A success ends the sequence. Refusals of credentials are counted separately, because an accepted connection proves
/// that the credentials are valid long before it returns a fragment.
#[derive(Debug)]
pub struct RetryState {
    backoff: Backoff,
    /// The delay after an error that an operator has to resolve.
    slow_delay: Duration,
    since: Option<Instant>,
    credentials_refused: u32,
}

impl RetryState {
    pub(crate) fn new(policy: RetryPolicy, slow_delay: Duration) -> Self {
        Self { backoff: Backoff::new(policy), slow_delay, since: None, credentials_refused: 0 }
    }

    /// Returns how many attempts have failed since the last success.
    pub fn consecutive_attempts(&self) -> u32 {
        self.backoff.failures
    }

    /// Returns when the first of these attempts failed, or `None` if the last attempt succeeded.
    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Counts a failed attempt that is always retried, such as a response that broke off, and returns the delay before
    /// the next one.
    pub(crate) fn back_off(&mut self) -> Duration {
        self.since.get_or_insert_with(Instant::now);
        self.backoff.next_delay()
    }

    /// Counts an attempt that failed with an error of this class. Returns the delay before the next attempt, or `None`
    /// if another one would not help.
    pub(crate) fn failed(&mut self, class: ErrorClass) -> Option<Duration> {
        let delay = self.back_off();
        self.judge(class, delay)
    }

    /// Returns the same as [`RetryState::failed`] for an attempt that has already been counted and has this delay.
    pub(crate) fn judge(&mut self, class: ErrorClass, delay: Duration) -> Option<Duration> {
        if class == ErrorClass::RefreshCredentials {
            self.credentials_refused = self.credentials_refused.saturating_add(1);
        }
        let is_final = class == ErrorClass::Fatal
            || self.credentials_refused > CREDENTIALS_REFUSED_MAX
            || self.backoff.exhausted();
        match class {
            _ if is_final => None,
            ErrorClass::RetrySlowly => Some(self.slow_delay),
            _ => Some(delay),
        }
    }

    /// Notes that the service accepted the credentials.
    pub(crate) fn credentials_accepted(&mut self) {
        self.credentials_refused = 0;
    }

    /// Notes a success: the next failure is the first of a new sequence.
    pub(crate) fn succeeded(&mut self) {
        self.backoff.reset();
        self.since = None;
    }
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
