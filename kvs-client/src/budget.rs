//! The memory that fragments in flight may take.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

/// One budget a worker, in bytes. A fragment holds permits from its first byte on until its commit; who cannot get
/// one does not read its socket, which is how the service learns to wait.
///
/// Many fragments that have begun could use the budget up among them so that none becomes whole. So one stream at a
/// time, whichever asks first, may go on past the budget, by one fragment: it becomes whole, is committed, and its
/// memory comes back. The most in flight is therefore the budget and one fragment.
///
/// A session's connection has buffers of its own, which count too: a fixed amount a session, up to half of the budget.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    bytes: Arc<Semaphore>,
    sessions: Arc<Semaphore>,
    overdraft: Arc<Mutex<()>>,
    size_bytes: usize,
}

/// What the HTTP client's buffers of one connection come to: it reads up to 400 KB at once, into one of two buffers.
const SESSION_BUFFER_BYTES: usize = 512 << 10;

/// Memory of a session's connection; comes back when it is dropped.
#[derive(Debug)]
pub(crate) struct SessionPermit {
    _slot: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

/// Memory taken out of a budget; comes back when it is dropped.
#[derive(Debug, Default)]
pub struct MemoryPermit {
    bytes: Option<OwnedSemaphorePermit>,
    overdraft: Option<OwnedMutexGuard<()>>,
    /// Bytes taken on the overdraft, which no semaphore counts.
    overdrawn_bytes: usize,
    /// Bytes that are in memory and have to be taken out of the budget with the next ones.
    owed_bytes: usize,
}

impl MemoryBudget {
    /// A budget of so many bytes.
    pub fn new(size_bytes: usize) -> Self {
        let size_bytes = size_bytes.min(Semaphore::MAX_PERMITS);
        let sessions = Arc::new(Semaphore::new(size_bytes / 2 / SESSION_BUFFER_BYTES));
        Self { bytes: Arc::new(Semaphore::new(size_bytes)), sessions, overdraft: Arc::default(), size_bytes }
    }

    /// How many bytes are taken, without what is overdrawn.
    pub fn used_bytes(&self) -> usize {
        self.size_bytes - self.bytes.available_permits()
    }

    /// How many bytes it has.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Takes what a session's connection needs, if sessions do not have half of the budget yet.
    pub(crate) async fn session(&self) -> Option<SessionPermit> {
        let slot = Arc::clone(&self.sessions).try_acquire_owned().ok()?;
        let bytes = Arc::clone(&self.bytes).acquire_many_owned(SESSION_BUFFER_BYTES as u32).await.ok()?;
        Some(SessionPermit { _slot: slot, _bytes: bytes })
    }

    /// Adds `count` bytes to what `permit` holds, waiting until there is room.
    pub(crate) async fn extend(&self, permit: &mut MemoryPermit, count: usize) {
        let count = count + std::mem::take(&mut permit.owed_bytes);
        if permit.overdraft.is_some() {
            permit.overdrawn_bytes += count;
            return;
        }
        // More than the whole budget at once can only be overdrawn.
        let wanted = u32::try_from(count).ok().filter(|_| count <= self.size_bytes);
        let room = async {
            match wanted {
                Some(wanted) => Arc::clone(&self.bytes).acquire_many_owned(wanted).await.ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            taken = room => match (&mut permit.bytes, taken) {
                (Some(held), Some(taken)) => held.merge(taken),
                (held, taken) => *held = taken,
            },
            guard = Arc::clone(&self.overdraft).lock_owned() => {
                permit.overdraft = Some(guard);
                permit.overdrawn_bytes = count;
            }
        }
    }
}

impl MemoryPermit {
    /// Bytes held.
    pub fn size_bytes(&self) -> usize {
        self.bytes.as_ref().map_or(0, OwnedSemaphorePermit::num_permits) + self.overdrawn_bytes
    }

    /// Takes `count` bytes off for a fragment that has become whole. If it needed the overdraft, the overdraft goes with
    /// it, to its commit; what the next fragment has of it by now is owed.
    pub(crate) fn split(&mut self, count: usize) -> Self {
        let counted = self.bytes.as_ref().map_or(0, OwnedSemaphorePermit::num_permits).min(count);
        let bytes = self.bytes.as_mut().and_then(|held| held.split(counted));
        let overdrawn_bytes = (count - counted).min(self.overdrawn_bytes);
        if overdrawn_bytes == 0 {
            return Self { bytes, ..Self::default() };
        }
        self.owed_bytes += std::mem::take(&mut self.overdrawn_bytes) - overdrawn_bytes;
        Self { bytes, overdraft: self.overdraft.take(), overdrawn_bytes, owed_bytes: 0 }
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
