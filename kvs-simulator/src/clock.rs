//! The service's clock, which may be set apart from the machine's on purpose.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock that is ahead of the machine's by a number of milliseconds, or behind it by a negative one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    pub(crate) offset_millis: i64,
}

impl Clock {
    pub(crate) fn now(self) -> SystemTime {
        let offset = Duration::from_millis(self.offset_millis.unsigned_abs());
        let now = SystemTime::now();
        if self.offset_millis < 0 { now - offset } else { now + offset }
    }

    pub(crate) fn now_millis(self) -> i64 {
        self.now().duration_since(UNIX_EPOCH).map_or(0, millis)
    }
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
