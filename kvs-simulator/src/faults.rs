//! The faults that have been added and are still to strike.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::fault::{Fault, FaultKind};

/// The faults still to strike, in the order they were added.
#[derive(Debug)]
pub(crate) struct Faults {
    started: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    faults: Vec<Fault>,
    random: StdRng,
}

impl Faults {
    /// Creates an empty list. With the same seed, the same calls in the same order are struck.
    pub(crate) fn new(seed: u64) -> Self {
        let state = State { faults: Vec::new(), random: StdRng::seed_from_u64(seed) };
        Self { started: Instant::now(), state: Mutex::new(state) }
    }

    pub(crate) fn add(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    pub(crate) fn clear(&self) {
        self.lock().faults.clear();
    }

    pub(crate) fn pending(&self) -> Vec<Fault> {
        self.lock().faults.clone()
    }

    /// Returns the first fault that strikes this call, and counts it.
    pub(crate) fn take(&self, api: &str, stream: Option<&str>) -> Option<FaultKind> {
        let now = self.started.elapsed();
        let State { faults, random } = &mut *self.lock();
        let index = faults.iter().position(|fault| {
            (fault.api == api || fault.api == "*")
                && fault.stream.as_deref().is_none_or(|name| Some(name) == stream)
                && fault.from_ms.is_none_or(|from_ms| now >= Duration::from_millis(from_ms))
                && fault.until_ms.is_none_or(|until_ms| now < Duration::from_millis(until_ms))
                && (fault.probability >= 1.0 || random.random::<f64>() < fault.probability)
        })?;
        let fault = &mut faults[index];
        let kind = fault.kind.clone();
        match fault.count {
            0 => {}
            1 => _ = faults.remove(index),
            _ => fault.count -= 1,
        }
        Some(kind)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held, so the list is never half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "faults_tests.rs"]
mod tests;
