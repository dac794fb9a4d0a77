//! The service's clock, which requests are signed by.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

/// A clock that is off by less than this is taken for right: the service takes 5 minutes.
const NOTICED: Duration = Duration::from_secs(30);

/// This machine's clock with what is known of the service's.
#[derive(Debug)]
pub(crate) struct ServiceClock {
    /// How much the service's is ahead, in milliseconds.
    offset_ms: AtomicI64,
    /// Given by a setting: nothing is learned.
    fixed: bool,
}

impl ServiceClock {
    pub(crate) fn new(fixed_offset_ms: Option<i64>) -> Self {
        Self { offset_ms: AtomicI64::new(fixed_offset_ms.unwrap_or(0)), fixed: fixed_offset_ms.is_some() }
    }

    pub(crate) fn now(&self) -> SystemTime {
        let offset_ms = self.offset_ms.load(Ordering::Relaxed);
        let offset = Duration::from_millis(offset_ms.unsigned_abs());
        let now = SystemTime::now();
        let moved = if offset_ms < 0 { now.checked_sub(offset) } else { now.checked_add(offset) };
        moved.unwrap_or(now)
    }

    /// A refusal came with this date of the service's. Whether the clock is another one now.
    pub(crate) fn learn(&self, service: SystemTime) -> bool {
        if self.fixed {
            return false;
        }
        let ours = self.now();
        let off = service.duration_since(ours).unwrap_or_else(|error| error.duration());
        if off < NOTICED {
            return false;
        }
        let system = SystemTime::now();
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let offset_ms = match service.duration_since(system) {
            Ok(ahead) => millis(ahead),
            Err(behind) => -millis(behind.duration()),
        };
        self.offset_ms.store(offset_ms, Ordering::Relaxed);
        tracing::warn!(
            offset_ms,
            "this machine's clock differs from the service's: requests are signed by the service's"
        );
        true
    }
}
