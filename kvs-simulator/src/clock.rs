//! The service's clock, which may be set apart from the machine's on purpose.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The beginning of the year 9999, by Unix time: no clock goes further.
const LAST: Duration = Duration::from_secs(253_370_764_800);

/// A clock that is ahead of the machine's by a number of milliseconds, or behind it by a negative one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    pub(crate) offset_millis: i64,
}

impl Clock {
    pub(crate) fn now(self) -> SystemTime {
        let offset = Duration::from_millis(self.offset_millis.unsigned_abs());
        let now = SystemTime::now();
        let moved = if self.offset_millis < 0 { now.checked_sub(offset) } else { now.checked_add(offset) };
        // Dates, which go from 1970 to 9999, are written of it, some days ahead of it too.
        let last = UNIX_EPOCH + LAST;
        moved.unwrap_or(if self.offset_millis < 0 { UNIX_EPOCH } else { last }).clamp(UNIX_EPOCH, last)
    }

    pub(crate) fn now_millis(self) -> i64 {
        self.now().duration_since(UNIX_EPOCH).map_or(0, millis)
    }
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "clock_tests.rs"]
mod tests;
