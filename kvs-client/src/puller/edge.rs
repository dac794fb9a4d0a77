//! How far a stream is behind its live edge, and whether its session can carry more.

use std::time::{Duration, Instant};

use super::Pulled;
use super::state::Reading;
use crate::pull::PullerConfig;

/// How long a session's rate is measured before it is compared with the limit.
const RATE_WINDOW: Duration = Duration::from_secs(5);
/// A session with at least this part of the limit counts as being at it.
const RATE_NEAR: f64 = 0.9;

/// Watches whether a stream has caught up with its live edge.
#[derive(Default)]
pub(super) struct LiveEdge {
    /// What was found last; `None` before the first fragment.
    caught_up: Option<bool>,
}

impl LiveEdge {
    /// Returns whether the last fragment was near the live edge.
    pub(super) fn has_caught_up(&self) -> bool {
        self.caught_up == Some(true)
    }

    /// Notes how far a fragment is behind. Returns an event when that is news.
    pub(super) fn note(
        &mut self,
        reading: &mut Reading,
        millis_behind_now: i64,
        config: &PullerConfig,
    ) -> Option<Pulled> {
        let caught_up = millis_behind_now <= config.caught_up_ms;
        let before = self.caught_up.replace(caught_up);
        // A stream that begins behind has not fallen behind.
        if before != Some(caught_up) && (caught_up || before.is_some()) {
            return Some(Pulled::CaughtUp { caught_up, millis_behind_now });
        }
        let (received_bytes, limit) = (reading.session.received_bytes(), config.session_bytes_per_second);
        let bytes_per_second = reading.rate.at_limit(received_bytes, millis_behind_now, limit)?;
        let request_id = reading.session.request_id().map(str::to_owned);
        Some(Pulled::AtRateLimit { bytes_per_second, millis_behind_now, request_id })
    }
}

/// Watches whether a session gets all that the service sends and falls behind all the same.
#[derive(Default)]
pub(super) struct RateWatch {
    /// The begin of the window: when, after how many bytes, and how many milliseconds behind.
    since: Option<(Instant, u64, i64)>,
}

impl RateWatch {
    /// Returns the bytes a second over a window that is over, if the stream fell behind in it at about `limit`.
    fn at_limit(&mut self, received_bytes: u64, millis_behind_now: i64, limit: u64) -> Option<u64> {
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
