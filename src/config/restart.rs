//! What is tolerated, and when failed streams are restarted.

use std::time::Duration;

/// When a failed stream is restarted automatically (`errors.retry.*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// How long a stream that keeps failing is restarted; `None`: for ever.
    pub timeout: Option<Duration>,
    /// The first delay, which doubles with each consecutive failure.
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

/// What happens to a stream at a fragment that cannot be parsed, even when it is pulled again (`errors.tolerance`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErrorsTolerance {
    /// The stream's task is FAILED, and the fragment is not skipped.
    #[default]
    None,
    /// The fragment is skipped, with a notification, and the stream continues with the next one.
    All,
}
