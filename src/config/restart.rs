//! What happens after failures: what is left out, and when what has failed is started again.

use std::time::Duration;

/// When a stream that has failed is started again by itself (`errors.retry.*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// For how long a stream that keeps failing is started again; `None`: for ever.
    pub timeout: Option<Duration>,
    /// The first delay; it doubles.
    pub base: Duration,
    /// The longest delay.
    pub cap: Duration,
}

impl RestartPolicy {
    /// Returns the delay after this many consecutive failures.
    pub fn delay(&self, failures: u32) -> Duration {
        self.base.saturating_mul(1 << failures.saturating_sub(1).min(31)).min(self.cap)
    }
}

/// What becomes of a stream at a fragment that cannot be parsed, however often it is pulled (`errors.tolerance`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErrorsTolerance {
    /// The stream's task is FAILED, and the fragment is not passed over.
    #[default]
    None,
    /// The fragment is passed over, with a notification, and the stream goes on behind it.
    All,
}
