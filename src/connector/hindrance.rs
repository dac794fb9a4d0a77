//! What keeps a stream from coming on, as its task's `trace` tells it.
//!
//! **Contract.** A stream that fails and is tried again, or waits for the rest of a fragment, is spoken of once that has
//! lasted for [`TOLD_AFTER`] with no fragment in between; sessions that are opened anew take less. A session that opens
//! does not end it, for one may open and fail again and again; one that has been open for [`OVER_AFTER`] does.

use std::time::{Duration, Instant};

/// For how long something has to keep a stream from coming on before it is told.
const TOLD_AFTER: Duration = Duration::from_secs(10);
/// A failure counts no more when this long passes with an open session and no other one.
const OVER_AFTER: Duration = Duration::from_secs(60);

/// What keeps a stream from coming on, if anything does.
#[derive(Debug, Clone, Default)]
pub(super) struct Hindrance(Option<Noted>);

#[derive(Debug, Clone)]
struct Noted {
    first: Instant,
    last: Instant,
    reason: String,
}

impl Hindrance {
    /// Notes that something keeps the stream from coming on. `lasts`: it has done so ever since it was noted last.
    pub(super) fn note(&mut self, reason: String, lasts: bool, now: Instant) {
        let before = self.0.take().filter(|before| lasts || now.duration_since(before.last) < OVER_AFTER);
        let first = before.map_or(now, |before| before.first);
        self.0 = Some(Noted { first, last: now, reason });
    }

    /// Notes that the stream has come on.
    pub(super) fn clear(&mut self) {
        self.0 = None;
    }

    /// Returns the reason, if it has to be told. `lasts` as in [`Hindrance::note`].
    pub(super) fn told(&self, lasts: bool, now: Instant) -> Option<&str> {
        let noted = self.0.as_ref()?;
        let is_told = now.duration_since(noted.first) >= TOLD_AFTER;
        (is_told && (lasts || now.duration_since(noted.last) < OVER_AFTER)).then_some(noted.reason.as_str())
    }
}

#[cfg(test)]
#[path = "hindrance_tests.rs"]
mod tests;
