//! When what has failed is started again.

use std::time::Duration;

/// When a stream that has failed is started again by itself (`errors.retry.*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// No more after it has been failing for so long; `None`: for ever.
    pub timeout: Option<Duration>,
    /// The first delay; it doubles.
    pub base: Duration,
    /// The longest delay.
    pub cap: Duration,
}

impl RestartPolicy {
    /// The delay after so many failures running.
    pub fn delay(&self, failures: u32) -> Duration {
        self.base.saturating_mul(1 << failures.saturating_sub(1).min(31)).min(self.cap)
    }
}
