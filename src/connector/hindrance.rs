//! What keeps a stream from making progress, as shown in its task's `trace`.
//!
//! **Contract.** A stream that fails and is retried, or waits for the rest of a fragment, is reported once this has
//! lasted for [`TOLD_AFTER`] with no fragment in between; opening sessions again normally takes less. An opened session
//! does not end it, because sessions may open and fail again and again; one that has been open for [`OVER_AFTER`] does.

use std::time::{Duration, Instant};

/// The time that a stream has to be without progress before this is reported.
const TOLD_AFTER: Duration = Duration::from_secs(10);
/// A failure no longer counts when this time has passed with an open session and no other failure.
const OVER_AFTER: Duration = Duration::from_secs(60);

/// What keeps a stream from making progress, if anything does.
#[derive(Debug, Clone, Default)]
pub(super) struct Hindrance(Option<Noted>);

#[derive(Debug, Clone)]
struct Noted {
    first: Instant,
    last: Instant,
    reason: String,
}

impl Hindrance {
    /// Notes that the stream makes no progress. `lasts`: it has made none since this was last noted.
    pub(super) fn note(&mut self, reason: String, lasts: bool, now: Instant) {
        let before = self.0.take().filter(|before| lasts || now.duration_since(before.last) < OVER_AFTER);
        let first = before.map_or(now, |before| before.first);
        self.0 = Some(Noted { first, last: now, reason });
    }

    /// Notes that the stream has made progress.
    pub(super) fn clear(&mut self) {
        self.0 = None;
    }

    /// Returns the reason if it is to be reported. `lasts` as in [`Hindrance::note`].
    pub(super) fn told(&self, lasts: bool, now: Instant) -> Option<&str> {
        let noted = self.0.as_ref()?;
        let is_told = now.duration_since(noted.first) >= TOLD_AFTER;
        (is_told && (lasts || now.duration_since(noted.last) < OVER_AFTER)).then_some(noted.reason.as_str())
    }
}

#[cfg(test)]
#[path = "hindrance_tests.rs"]
mod tests;
