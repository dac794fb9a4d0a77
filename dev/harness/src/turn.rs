//! Turns: which tests may run at the same time.
//!
//! A test that starts several workers and brokers is heavy: two such tests at a time would slow each other down until waits time
//! out on a slow machine. It takes a heavy turn, of which there is one at a time, with one other test beside it, for it waits most
//! of the time. Of the others, a few run at a time, however many threads there are for tests: a thread whose test waits for its
//! turn is none that another test could use, so that there are more threads than turns (`RUST_TEST_THREADS` in the Makefile).

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Instant;

static TURNS: Mutex<Option<Turns>> = Mutex::new(None);
/// The most tests that run at a time without a heavy one, and the most that run beside one.
const RUNNING_MAX: usize = 4;
const BESIDE_HEAVY_MAX: usize = 1;

static CHANGED: Condvar = Condvar::new();

#[derive(Debug, Default)]
struct Turns {
    /// The number of turns that each test's thread has. A test that has one gets further ones at once.
    running: HashMap<ThreadId, usize>,
    heavy: Option<ThreadId>,
    /// Number of tests waiting for a heavy turn.
    waiting: usize,
}

/// A turn of a test's thread. It ends when this is dropped.
#[derive(Debug)]
pub struct Turn(ThreadId);

fn lock() -> MutexGuard<'static, Option<Turns>> {
    // A panicking test leaves the state consistent.
    TURNS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Turn {
    /// Waits until there is room beside the others, then begins a turn.
    pub fn beside_others() -> Self {
        Self::begin(false)
    }

    /// Waits until no other heavy turn is taken, and few others are, then begins a heavy one.
    pub fn heavy() -> Self {
        Self::begin(true)
    }

    fn begin(is_heavy: bool) -> Self {
        let id = thread::current().id();
        let began = Instant::now();
        let mut turns = lock();
        turns.get_or_insert_default().waiting += usize::from(is_heavy);
        loop {
            let all = turns.get_or_insert_default();
            let others = all.running.keys().filter(|other| **other != id).count();
            let has_one = all.running.contains_key(&id);
            let may = match all.heavy {
                _ if has_one && !is_heavy => true,
                Some(owner) if is_heavy => owner == id,
                None if is_heavy => others <= BESIDE_HEAVY_MAX,
                // The heavy one is among the others.
                Some(_) => others <= BESIDE_HEAVY_MAX,
                None if all.waiting > 0 => others < BESIDE_HEAVY_MAX,
                None => others < RUNNING_MAX,
            };
            if may {
                if is_heavy {
                    all.waiting -= 1;
                    all.heavy = Some(id);
                }
                *all.running.entry(id).or_default() += 1;
                drop(turns);
                crate::wait::note(began.elapsed(), if is_heavy { "a heavy turn" } else { "a turn" });
                return Self(id);
            }
            turns = CHANGED.wait(turns).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut turns = lock();
        let all = turns.get_or_insert_default();
        if let Some(count) = all.running.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                all.running.remove(&self.0);
                all.heavy = all.heavy.filter(|owner| *owner != self.0);
            }
        }
        CHANGED.notify_all();
    }
}

#[cfg(test)]
#[path = "turn_tests.rs"]
mod tests;
