//! Counts panics of the changes for found tasks, which nobody waits for.

use std::sync::{Mutex, PoisonError};

use crate::supervision::Panicked;

/// The number of consecutive changes that panicked, and the last panic.
#[derive(Debug, Default)]
pub(super) struct FindingPanics(Mutex<(u32, Option<Panicked>)>);

impl FindingPanics {
    /// Records how a change ended.
    pub(super) fn note(&self, ended: Result<(), Panicked>) {
        let mut panics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *panics = match ended {
            Ok(()) => (0, None),
            Err(panicked) => (panics.0.saturating_add(1), Some(panicked)),
        };
    }

    /// Returns the last panic if at least `count` consecutive changes have panicked.
    pub(super) fn in_a_row(&self, count: u32) -> Option<Panicked> {
        let panics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        panics.1.clone().filter(|_| panics.0 >= count)
    }
}

#[cfg(test)]
#[path = "finding_panics_tests.rs"]
mod tests;
