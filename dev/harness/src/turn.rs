//! Turns: which tests may run at the same time.
//!
//! A test that starts several workers and brokers needs the machine for itself: two such tests at a time would slow each
//! other down until waits time out on a slow machine. It takes an exclusive turn, which begins when all other turns have
//! ended; while it waits, no new turn begins.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Instant;

static TURNS: Mutex<Option<Turns>> = Mutex::new(None);
static CHANGED: Condvar = Condvar::new();

#[derive(Debug, Default)]
struct Turns {
    /// The number of turns that each test's thread has. A test that has one gets further ones at once.
    running: HashMap<ThreadId, usize>,
    alone: Option<ThreadId>,
    /// Number of tests waiting for an exclusive turn.
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
    /// Waits until no test has or waits for an exclusive turn, then begins a shared one.
    pub fn beside_others() -> Self {
        Self::begin(false)
    }

    /// Waits until all other turns have ended, then begins an exclusive one.
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
