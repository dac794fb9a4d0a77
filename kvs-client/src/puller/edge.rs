//! Whether a stream has caught up with its live edge.

use super::Pulled;
use super::state::Reading;
use crate::pull::PullerConfig;

/// Observes whether a stream has caught up with its live edge.
#[derive(Default)]
pub(super) struct LiveEdge {
    /// The last finding; `None` before the first fragment.
    caught_up: Option<bool>,
}

impl LiveEdge {
    /// Returns whether the last fragment was near the live edge.
    pub(super) fn has_caught_up(&self) -> bool {
        self.caught_up == Some(true)
    }

    /// Notes how far a fragment is behind. Returns an event if that is a change.
    pub(super) fn note(
        &mut self,
        reading: &mut Reading,
        millis_behind_now: i64,
        config: &PullerConfig,
    ) -> Option<Pulled> {
        let caught_up = millis_behind_now <= config.caught_up_ms;
        let before = self.caught_up.replace(caught_up);
        // A stream that starts behind has not fallen behind.
        if before != Some(caught_up) && (caught_up || before.is_some()) {
            return Some(Pulled::CaughtUp { caught_up, millis_behind_now });
        }
        let (received_bytes, limit) = (reading.session.received_bytes(), config.session_bytes_per_second);
        let bytes_per_second = reading.rate.at_limit(received_bytes, millis_behind_now, limit)?;
        let request_id = reading.session.request_id().map(str::to_owned);
        Some(Pulled::AtRateLimit { bytes_per_second, millis_behind_now, request_id })
    }
}
