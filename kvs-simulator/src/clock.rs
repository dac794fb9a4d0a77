//! The simulated service's clock, which can be offset from the machine's on purpose.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The start of the year 9999 in Unix time, where the clock stops.
const LAST: Duration = Duration::from_secs(253_370_764_800);

/// A clock that is ahead of the machine's by this many milliseconds, or behind it if the number is negative.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    pub(crate) offset_millis: i64,
}

impl Clock {
    pub(crate) fn now(self) -> SystemTime {
        let offset = Duration::from_millis(self.offset_millis.unsigned_abs());
        let now = SystemTime::now();
        let moved = if self.offset_millis < 0 { now.checked_sub(offset) } else { now.checked_add(offset) };
        // HTTP dates go from 1970 to 9999, and some are written a few days ahead of the clock.
        let last = UNIX_EPOCH + LAST;
        moved.unwrap_or(if self.offset_millis < 0 { UNIX_EPOCH } else { last }).clamp(UNIX_EPOCH, last)
    }

    pub(crate) fn now_millis(self) -> i64 {
        self.now().duration_since(UNIX_EPOCH).map_or(0, millis)
    }
}

/// Converts a duration to milliseconds, saturating.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "clock_tests.rs"]
mod tests;
