//! Whether a session is limited by the service's rate.

use std::time::{Duration, Instant};

/// How long a session's rate is measured before it is compared with the limit.
const RATE_WINDOW: Duration = Duration::from_secs(5);
/// The fraction of the limit from which a session counts as limited.
const RATE_NEAR: f64 = 0.9;

/// Observes whether a session receives as much as the service sends and still falls behind.
#[derive(Default)]
pub(super) struct RateWatch {
    /// The beginning of the window: the time, the bytes received until then, and how many milliseconds the stream was
    /// behind.
    since: Option<(Instant, u64, i64)>,
}

impl RateWatch {
    /// Returns the bytes per second over a finished window in which the stream fell behind at about `limit`.
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
