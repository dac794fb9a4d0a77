//! Waiting for conditions.
//!
//! Time limits allow for a machine four times slower than the one that `make test` was measured on, because a generous
//! limit costs nothing when the condition becomes true. Waits are recorded in the file that `KVS_CONNECT_WAITS` names, so
//! that `make test` can show at its end what it waited for most.

use std::io::Write;
use std::time::{Duration, Instant};

/// The default time limit of a wait.
const LIMIT: Duration = Duration::from_secs(240);
/// The shortest wait that is recorded.
const NOTED_FROM: Duration = Duration::from_millis(500);

/// The most that one check counts as waiting: time in which the machine was suspended is no waiting.
const STEP_MAX: Duration = Duration::from_secs(10);

/// Waits until `condition` returns true, for at most four minutes.
///
/// # Panics
/// Panics if the condition does not become true.
pub fn wait_for(what: &str, condition: impl FnMut() -> bool) {
    wait_for_within(LIMIT, what, condition);
}

/// Waits until `condition` returns true, for at most `limit`.
///
/// # Panics
/// Panics if the condition does not become true.
pub fn wait_for_within(limit: Duration, what: &str, condition: impl FnMut() -> bool) {
    assert!(waited(limit, what, condition), "waited {} s in vain for: {what}", limit.as_secs());
}

/// Waits until `condition` returns true, for at most four minutes. Returns whether it became true, for tests with a better
/// message than [`wait_for`] has.
#[must_use]
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) -> bool {
    waited(LIMIT, what, condition)
}

fn waited(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) -> bool {
    let (mut waited, mut looked) = (Duration::ZERO, Instant::now());
    let mut holds = condition();
    while !holds && waited < limit {
        std::thread::sleep(Duration::from_millis(20));
        holds = condition();
        waited += looked.elapsed().min(STEP_MAX);
        looked = Instant::now();
    }
    note(waited, what);
    holds
}

/// Records a wait as a line of seconds, test and condition.
pub(crate) fn note(waited: Duration, what: &str) {
    let Some(file) = std::env::var_os("KVS_CONNECT_WAITS").filter(|_| waited >= NOTED_FROM) else { return };
    let thread = std::thread::current();
    let line = format!("{:.1}\t{}\t{what}\n", waited.as_secs_f64(), thread.name().unwrap_or("?"));
    // A line that cannot be written is only missing from the summary.
    let _ = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .and_then(|mut file| file.write_all(line.as_bytes()));
}
