//! The part of the budget that one session holds.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Notify;

use super::pool::Wish;
use super::{MemoryBudget, MemoryPermit, Waits, lock};

/// The memory of the fragment that a session is reading. It can be reclaimed while the session waits for bytes.
///
/// Its methods take bytes of the stream. Each of them takes `factor` bytes of memory.
#[derive(Debug)]
pub(crate) struct Claim {
    budget: MemoryBudget,
    id: u64,
    permit: MemoryPermit,
    /// Bytes of the permit that no byte of the stream uses yet.
    spare_bytes: usize,
    waits: Waits,
    evicted: Arc<Notify>,
    factor: usize,
}

impl Claim {
    /// Creates a claim that starts with `begins_with`.
    pub(crate) fn new(budget: &MemoryBudget, begins_with: MemoryPermit, waits: Waits, factor: usize) -> Self {
        let evicted = Arc::new(Notify::new());
        let id = lock(&budget.pool).begin(Arc::clone(&evicted), Instant::now());
        let spare_bytes = begins_with.size_bytes();
        Self { budget: budget.clone(), id, permit: begins_with, spare_bytes, waits, evicted, factor: factor.max(1) }
    }

    /// Returns how much memory this many bytes of the stream take.
    pub(crate) fn memory_for(&self, count: usize) -> usize {
        count.saturating_mul(self.factor)
    }

    /// Adds `count` bytes to the claim, after waiting until there is room for them.
    pub(crate) async fn extend(&mut self, count: usize) {
        let owed = std::mem::take(&mut self.permit.owed_bytes);
        let wanted = self.memory_for(count).saturating_add(owed);
        let spare = self.spare_bytes.min(wanted);
        self.spare_bytes -= spare;
        let missing = wanted - spare;
        if self.permit.overdraft {
            self.permit.overdrawn_bytes += missing;
        } else if missing > 0 {
            let held_bytes = self.permit.size_bytes();
            let wish = Wish { wanted_bytes: missing, held_bytes, readmission: false };
            let granted = self.budget.wait(wish, &self.waits).await;
            self.permit.merge(granted);
        }
        self.note(count);
    }

    /// Returns how much memory is held.
    #[cfg(test)]
    pub(crate) fn size_bytes(&self) -> usize {
        self.permit.size_bytes()
    }

    /// Splits off the memory of `count` bytes for a completed fragment, and gives back all but that of `needed` of the rest.
    pub(crate) fn split(&mut self, count: usize, needed: usize) -> MemoryPermit {
        let whole = self.permit.split(self.memory_for(count));
        let held = self.permit.size_bytes();
        drop(self.permit.split(held.saturating_sub(self.memory_for(needed))));
        self.spare_bytes = 0;
        self.note(0);
        whole
    }

    /// Takes all memory out of the claim.
    #[cfg(feature = "archive")]
    pub(crate) fn take(&mut self) -> MemoryPermit {
        self.spare_bytes = 0;
        let permit = std::mem::take(&mut self.permit);
        self.note(0);
        permit
    }

    fn note(&self, grown_bytes: usize) {
        let (held, overdraft) = (self.permit.size_bytes(), self.permit.overdraft);
        lock(&self.budget.pool).hold(self.id, held, overdraft, grown_bytes, Instant::now());
    }

    /// Notes that the session is read again: it has not grown because its reader waited.
    pub(crate) fn resume(&self) {
        lock(&self.budget.pool).resume(self.id, Instant::now());
    }

    /// Notes whether the session waits for bytes from the service.
    pub(crate) fn set_reading(&self, reading: bool) {
        lock(&self.budget.pool).set_reading(self.id, reading);
    }

    /// Waits until other streams need the memory.
    pub(crate) async fn evicted(&self) {
        loop {
            self.evicted.notified().await;
            // The fragment may have grown since the memory was reclaimed.
            if lock(&self.budget.pool).is_evicted(self.id) {
                return;
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.budget.pool).end(self.id);
    }
}
