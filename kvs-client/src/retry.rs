//! How long to wait before trying again.

use std::time::Duration;

use tokio_retry2::strategy::{ExponentialBackoff, jitter_with_bounds};

/// Exponential back-off with full jitter: a random time up to `base × 2^n`, at most `cap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often running something is tried before it is given up; 0: pulling goes on for ever, other calls are tried 5
    /// times.
    pub attempts_max: u32,
    /// The longest first delay.
    pub base: Duration,
    /// The longest delay of all.
    pub cap: Duration,
}

/// How often a call that is no session is sent when the policy does not say.
pub(crate) const CALL_ATTEMPTS: u32 = 5;

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts_max: 0, base: Duration::from_millis(200), cap: Duration::from_secs(30) }
    }
}

/// The delays of a row of failures.
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

    /// The next delay of the row.
    pub(crate) fn next_delay(&mut self) -> Duration {
        let policy = self.policy;
        self.failures = self.failures.saturating_add(1);
        let delays = self.delays.get_or_insert_with(|| {
            let base_millis = u64::try_from(policy.base.as_millis()).unwrap_or(u64::MAX).max(1);
            // Its delays are 2^n × factor, from n = 1 on.
            ExponentialBackoff::from_millis(2).factor(base_millis.div_ceil(2)).max_delay(policy.cap)
        });
        let longest = delays.next().unwrap_or(policy.cap);
        jitter_with_bounds(0.0, 1.0)(longest)
    }

    /// Whether the row is as long as it may be.
    pub(crate) fn exhausted(&self) -> bool {
        self.policy.attempts_max > 0 && self.failures >= self.policy.attempts_max
    }

    /// Something went well: the next row begins anew.
    pub(crate) fn reset(&mut self) {
        self.delays = None;
        self.failures = 0;
    }
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
