//! Whether a session is held back by what the service gives it.

use std::time::{Duration, Instant};

/// How long a session's rate is measured before it is compared with the limit.
const RATE_WINDOW: Duration = Duration::from_secs(5);
/// So near to the limit a session counts as being at it.
const RATE_NEAR: f64 = 0.9;

/// Watches whether a session is held back by the service's rate.
#[derive(Default)]
pub(super) struct RateWatch {
    since: Option<(Instant, u64, i64)>,
}

impl RateWatch {
    /// Bytes a second over the last window, when it is over, the stream has fallen behind in it, and no more than
    /// `limit` can be had.
    pub(super) fn at_limit(&mut self, received_bytes: u64, millis_behind_now: i64, limit: u64) -> Option<u64> {
        let now = Instant::now();
        let (since, bytes_before, behind_before) = *self.since.get_or_insert((now, received_bytes, millis_behind_now));
        let elapsed = now.duration_since(since);
        if elapsed < RATE_WINDOW {
            return None;
        }
        self.since = Some((now, received_bytes, millis_behind_now));
        let rate = (received_bytes - bytes_before) as f64 / elapsed.as_secs_f64();
        (millis_behind_now > behind_before && rate >= limit as f64 * RATE_NEAR).then_some(rate as u64)
    }
}
