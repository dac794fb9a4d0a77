//! Which tests run beside others.
//!
//! A test that starts several workers and brokers needs the machine for itself: two of them at a time would only wait for
//! each other, in vain on a slow machine. It takes a turn alone, which begins when all others have ended theirs; while it
//! waits no new one begins.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Instant;

static TURNS: Mutex<Option<Turns>> = Mutex::new(None);
static CHANGED: Condvar = Condvar::new();

#[derive(Debug, Default)]
struct Turns {
    /// Turns that each test has, beside others or alone: a test that has one gets more at once.
    running: HashMap<ThreadId, usize>,
    alone: Option<ThreadId>,
    /// Tests that wait for a turn alone.
    waiting: usize,
}

/// A turn of a test's thread, until it is dropped.
#[derive(Debug)]
pub struct Turn(ThreadId);

fn lock() -> MutexGuard<'static, Option<Turns>> {
    // A test that panics has not changed it by halves.
    TURNS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Turn {
    /// Begins a turn beside others, as soon as nobody has or waits for one alone.
    pub fn beside_others() -> Self {
        Self::begin(false)
    }

    /// Begins a turn alone, as soon as all others have ended.
    pub fn alone() -> Self {
        Self::begin(true)
    }

    fn begin(alone: bool) -> Self {
        let id = thread::current().id();
        let began = Instant::now();
        let mut turns = lock();
        turns.get_or_insert_default().waiting += usize::from(alone);
        loop {
            let all = turns.get_or_insert_default();
            let others = all.running.keys().any(|other| *other != id);
            let has_one = all.running.contains_key(&id);
            let may = match all.alone {
                Some(owner) => owner == id,
                None if alone => !others,
                None => has_one || all.waiting == 0,
            };
            if may {
                if alone {
                    all.waiting -= 1;
                    all.alone = Some(id);
                }
                *all.running.entry(id).or_default() += 1;
                drop(turns);
                crate::wait::note(began.elapsed(), if alone { "a turn alone" } else { "a turn" });
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
                all.alone = all.alone.filter(|owner| *owner != self.0);
            }
        }
        CHANGED.notify_all();
    }
}
