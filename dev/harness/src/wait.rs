//! Waiting for conditions.
//!
//! Limits have room for a machine that is four times slower than those of `make test`'s figures, for a wait costs nothing
//! when its condition comes. Each wait is noted in the file that `KVS_CONNECT_WAITS` names, if it does, so that
//! `make test` can say at its end what it waited for most.

use std::io::Write;
use std::time::{Duration, Instant};

/// How long a condition is waited for unless a test says otherwise.
const LIMIT: Duration = Duration::from_secs(240);
/// Shorter waits are not noted.
const NOTED_FROM: Duration = Duration::from_millis(500);

/// Waits until `condition` holds, at most for four minutes.
///
/// # Panics
/// When it does not come to hold.
pub fn wait_for(what: &str, condition: impl FnMut() -> bool) {
    wait_for_within(LIMIT, what, condition);
}

/// Waits until `condition` holds, at most for `limit`.
///
/// # Panics
/// When it does not come to hold.
pub fn wait_for_within(limit: Duration, what: &str, condition: impl FnMut() -> bool) {
    assert!(waited(limit, what, condition), "waited {} s in vain for: {what}", limit.as_secs());
}

/// Waits until `condition` holds; `false`: it did not within four minutes, and the test has more to say than that.
#[must_use]
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) -> bool {
    waited(LIMIT, what, condition)
}

fn waited(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    let mut holds = condition();
    while !holds && began.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(20));
        holds = condition();
    }
    note(began.elapsed(), what);
    holds
}

/// Notes a wait as a line of seconds, test and condition.
pub(crate) fn note(waited: Duration, what: &str) {
    let Some(file) = std::env::var_os("KVS_CONNECT_WAITS").filter(|_| waited >= NOTED_FROM) else { return };
    let thread = std::thread::current();
    let line = format!("{:.1}\t{}\t{what}\n", waited.as_secs_f64(), thread.name().unwrap_or("?"));
    // A line that is not noted is missing from a summary, and no more.
    let _ = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .and_then(|mut file| file.write_all(line.as_bytes()));
}
