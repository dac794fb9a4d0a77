//! Waiting for conditions.

use std::time::{Duration, Instant};

/// Waits until `condition` holds, at most for a minute.
///
/// # Panics
/// When it does not come to hold.
pub fn wait_for(what: &str, condition: impl FnMut() -> bool) {
    wait_for_within(Duration::from_secs(60), what, condition);
}

/// Waits until `condition` holds, at most for `limit`.
///
/// # Panics
/// When it does not come to hold.
pub fn wait_for_within(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < limit, "waited {} s in vain for: {what}", limit.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}
