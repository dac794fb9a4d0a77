//! The service's clock, by which requests are signed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

/// A smaller difference is ignored: the service tolerates 5 minutes.
const NOTICED: Duration = Duration::from_secs(30);

/// The maximum difference of clocks: a date that is further off is not the service's.
const BELIEVED: Duration = Duration::from_secs(10 * 366 * 86_400);
/// 9999-01-01, in seconds since 1970: a date in a signature has four digits for the year.
const WRITTEN_BEFORE_SECONDS: u64 = 253_370_764_800;

/// Returns whether a time can be written into a signature.
pub(crate) fn can_be_written(time: SystemTime) -> bool {
    time.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|since| since.as_secs() < WRITTEN_BEFORE_SECONDS)
}

/// Returns whether a date may be the service's.
pub(crate) fn is_believed(service: SystemTime) -> bool {
    apart(service, SystemTime::now()) <= BELIEVED
}

fn apart(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|error| error.duration())
}

/// This machine's clock, corrected by what is known about the service's.
#[derive(Debug)]
pub(crate) struct ServiceClock {
    /// How far the service's clock is ahead, in milliseconds.
    offset_ms: AtomicI64,
    /// Whether the offset is set, so that it is not measured.
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

    /// Corrects the clock by the date of a refusal. Returns whether that changed it.
    pub(crate) fn learn(&self, service: SystemTime) -> bool {
        if self.fixed {
            return false;
        }
        if apart(service, self.now()) < NOTICED {
            return false;
        }
        let system = SystemTime::now();
        if !is_believed(service) {
            tracing::warn!("the date of the service's response is off by more than ten years and is ignored");
            return false;
        }
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let offset_ms = match service.duration_since(system) {
            Ok(ahead) => millis(ahead),
            Err(behind) => -millis(behind.duration()),
        };
        self.offset_ms.store(offset_ms, Ordering::Relaxed);
        tracing::warn!(
            offset_ms,
            "this machine's clock differs from the service's: requests are signed with the service's time"
        );
        true
    }
}

#[cfg(test)]
#[path = "clock_tests.rs"]
mod tests;
