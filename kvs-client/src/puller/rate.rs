//! Whether a session can carry more than it does.

use std::time::{Duration, Instant};

/// How long a session's rate is measured before it is compared with the limit.
const RATE_WINDOW: Duration = Duration::from_secs(5);
/// A session with at least this part of the limit counts as being at it.
const RATE_NEAR: f64 = 0.9;

/// Watches whether a session gets all that the service sends and falls behind all the same.
#[derive(Default)]
pub(super) struct RateWatch {
    /// The begin of the window: when, after how many bytes, and how many milliseconds behind.
    since: Option<(Instant, u64, i64)>,
}

impl RateWatch {
    /// Returns the bytes a second over a window that is over, if the stream fell behind in it at about `limit`.
    pub(super) fn at_limit(&mut self, received_bytes: u64, millis_behind_now: i64, limit: u64) -> Option<u64> {
        let now = Instant::now();
        let (since, bytes_before, behind_before) = *self.since.get_or_insert((now, received_bytes, millis_behind_now));
        let elapsed = now.duration_since(since);
        if elapsed < RATE_WINDOW {
            return None;
        }
        self.since = Some((now, received_bytes, millis_behind_now));
        let rate = received_bytes.saturating_sub(bytes_before) as f64 / elapsed.as_secs_f64();
        (millis_behind_now > behind_before && rate >= limit as f64 * RATE_NEAR).then_some(rate as u64)
    }
}
