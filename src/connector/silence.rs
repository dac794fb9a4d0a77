//! Notices that a stream is silent: that no fragment of it has arrived for `kvs.silent.after.ms`.

use std::time::{Duration, Instant};

/// How long a stream has been silent.
pub(super) struct Silence {
    /// `None`: silence does not matter.
    after: Option<Duration>,
    since: Instant,
    noticed: bool,
}

impl Silence {
    /// Starts to listen; a stream that is silent for `after` is noticed.
    pub(super) fn new(after: Option<Duration>) -> Self {
        Self { after, since: Instant::now(), noticed: false }
    }

    /// Notes that a fragment has arrived.
    pub(super) fn ended(&mut self) {
        (self.since, self.noticed) = (Instant::now(), false);
    }

    /// Waits until the stream has been silent for long enough, once until the silence ends. May be dropped and called again.
    pub(super) async fn noticed(&mut self) -> Duration {
        match self.after.filter(|_| !self.noticed) {
            None => std::future::pending().await,
            Some(after) => {
                tokio::time::sleep_until((self.since + after).into()).await;
                self.noticed = true;
                self.since.elapsed()
            }
        }
    }
}

#[cfg(test)]
#[path = "silence_tests.rs"]
mod tests;
