//! The memory that fragments in flight may take.

mod claim;
mod pool;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

pub(crate) use claim::Claim;
use pool::{Grants, Pool, Wish};

/// One budget a worker, in bytes. A fragment holds permits from its first byte on until its commit; who cannot get
/// one does not read its socket, which is how the service learns to wait.
///
/// Who waits gets memory in the order of asking. No stream can keep it from the others:
///
/// - Many fragments that have begun could use the budget up among them so that none becomes whole. So one stream at a
///   time, whichever has waited longest, may go on past the budget, by one fragment: it becomes whole, is committed, and
///   its memory comes back. The most in flight is therefore the budget and one fragment.
/// - An eighth of the budget is for small fragments alone, which therefore never wait for large ones. Of the rest they
///   get no more than their turn.
/// - While others wait, a fragment that has not grown for a few seconds gives its memory back: its session is closed,
///   and it is pulled again when there is room for all that it had, behind those who wait, or after half a minute in its
///   turn. What stands still therefore costs the others seconds, once in half a minute, and never holds all there is.
///
/// A session's connection has buffers of its own, which count too: a fixed amount a session, up to half of the budget.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    pool: Arc<Mutex<Pool>>,
    sessions: Arc<Semaphore>,
    size_bytes: usize,
    stalled_after: Duration,
}

/// What the HTTP client's buffers of one connection come to: it reads up to 400 KB at once, into one of two buffers.
const SESSION_BUFFER_BYTES: usize = 512 << 10;
/// A fragment that has not grown for this long gives its memory back when others wait.
const STALLED_AFTER: Duration = Duration::from_secs(5);
/// Who waits looks this often for fragments that have not grown, and says that it waits.
const LOOKED_EVERY: Duration = Duration::from_secs(1);

/// Says since when a stream waits for memory; `None`: it does not.
pub(crate) type Waits = Arc<watch::Sender<Option<Instant>>>;

/// Memory of a session's connection; comes back when it is dropped.
#[derive(Debug)]
pub(crate) struct SessionPermit {
    _slot: OwnedSemaphorePermit,
    _bytes: MemoryPermit,
}

/// Memory taken out of a budget; comes back when it is dropped.
#[derive(Debug, Default)]
pub struct MemoryPermit {
    pool: Option<Arc<Mutex<Pool>>>,
    shared_bytes: usize,
    /// Bytes of what is for small fragments alone.
    small_bytes: usize,
    /// Whether it may go past the budget.
    overdraft: bool,
    /// Bytes taken past the budget, which are counted nowhere else.
    overdrawn_bytes: usize,
    /// Bytes that are in memory and have to be taken out of the budget with the next ones.
    owed_bytes: usize,
}

fn lock(pool: &Mutex<Pool>) -> MutexGuard<'_, Pool> {
    // Nothing panics while it is held.
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Changes the pool, and hands out what that lets others have.
fn change<T>(pool: &Arc<Mutex<Pool>>, change: impl FnOnce(&mut Pool) -> T) -> T {
    let (answer, grants) = {
        let mut locked = lock(pool);
        let answer = change(&mut locked);
        (answer, locked.hand_out(Instant::now()))
    };
    hand_over(pool, grants);
    answer
}

/// Not with the lock held: what nobody waits for any more comes back at once.
fn hand_over(pool: &Arc<Mutex<Pool>>, grants: Grants) {
    for (waiter, grant) in grants {
        let pool = Some(Arc::clone(pool));
        let permit = MemoryPermit {
            pool,
            shared_bytes: grant.shared_bytes,
            small_bytes: grant.small_bytes,
            overdraft: grant.overdrawn_bytes > 0,
            overdrawn_bytes: grant.overdrawn_bytes,
            owed_bytes: 0,
        };
        let _ = waiter.send(permit);
    }
}

impl MemoryBudget {
    /// Returns a budget of this many bytes.
    pub fn new(size_bytes: usize) -> Self {
        let size_bytes = size_bytes.min(Semaphore::MAX_PERMITS);
        let sessions = Arc::new(Semaphore::new(size_bytes / 2 / SESSION_BUFFER_BYTES));
        let pool = Arc::new(Mutex::new(Pool::new(size_bytes)));
        Self { pool, sessions, size_bytes, stalled_after: STALLED_AFTER }
    }

    /// Sets how long a fragment may not have grown before it gives its memory back to others.
    #[must_use]
    pub fn with_stalled_after(self, stalled_after: Duration) -> Self {
        Self { stalled_after, ..self }
    }

    /// How many bytes are taken, without what is overdrawn.
    pub fn used_bytes(&self) -> usize {
        self.size_bytes - lock(&self.pool).free_bytes()
    }

    /// How many bytes it has.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Takes what a session's connection needs, if sessions do not have half of the budget yet and nobody waits.
    pub(crate) fn session(&self) -> Option<SessionPermit> {
        let slot = Arc::clone(&self.sessions).try_acquire_owned().ok()?;
        let taken = lock(&self.pool).take_now(SESSION_BUFFER_BYTES);
        let pool = Some(Arc::clone(&self.pool));
        let bytes = taken.then(|| MemoryPermit { pool, shared_bytes: SESSION_BUFFER_BYTES, ..Default::default() })?;
        Some(SessionPermit { _slot: slot, _bytes: bytes })
    }

    /// Waits until there is room for a fragment that had this many bytes when it gave them back.
    pub(crate) async fn readmit(&self, had_bytes: usize, waits: &Waits) -> MemoryPermit {
        // Not more than there may ever be at once, however large the fragment was.
        let wanted_bytes = had_bytes.min(self.size_bytes / 8);
        self.wait(Wish { wanted_bytes, held_bytes: 0, readmission: true }, waits).await
    }

    async fn wait(&self, wish: Wish, waits: &Waits) -> MemoryPermit {
        let began = Instant::now();
        let mut granted = change(&self.pool, |pool| pool.wait(wish, began));
        loop {
            tokio::select! {
                biased;
                permit = &mut granted => {
                    waits.send_if_modified(|since| since.take().is_some());
                    return permit.unwrap_or_default();
                }
                // Also for what somebody in front has stopped waiting for.
                () = tokio::time::sleep(LOOKED_EVERY.min(self.stalled_after)) => {
                    waits.send_if_modified(|since| since.replace(began).is_none());
                    change(&self.pool, |pool| pool.reclaim(Instant::now(), self.stalled_after));
                }
            }
        }
    }
}

impl MemoryPermit {
    /// Bytes held.
    pub fn size_bytes(&self) -> usize {
        self.shared_bytes + self.small_bytes + self.overdrawn_bytes
    }

    /// Takes `count` bytes off for a fragment that has become whole. If it needed the overdraft, the overdraft goes with
    /// it, to its commit; what the next fragment has of it by now is owed.
    pub(crate) fn split(&mut self, count: usize) -> Self {
        let small_bytes = self.small_bytes.min(count);
        let shared_bytes = self.shared_bytes.min(count - small_bytes);
        self.small_bytes -= small_bytes;
        self.shared_bytes -= shared_bytes;
        let overdrawn_bytes = (count - small_bytes - shared_bytes).min(self.overdrawn_bytes);
        let pool = self.pool.clone();
        let mut split = Self { pool, shared_bytes, small_bytes, ..Self::default() };
        if overdrawn_bytes > 0 {
            self.owed_bytes += std::mem::take(&mut self.overdrawn_bytes) - overdrawn_bytes;
            split.overdraft = std::mem::take(&mut self.overdraft);
            split.overdrawn_bytes = overdrawn_bytes;
        }
        split
    }

    fn merge(&mut self, mut other: Self) {
        self.shared_bytes += std::mem::take(&mut other.shared_bytes);
        self.small_bytes += std::mem::take(&mut other.small_bytes);
        self.overdrawn_bytes += std::mem::take(&mut other.overdrawn_bytes);
        self.overdraft |= std::mem::take(&mut other.overdraft);
        if self.pool.is_none() {
            self.pool = other.pool.take();
        }
    }
}

impl Drop for MemoryPermit {
    fn drop(&mut self) {
        let Some(pool) = self.pool.take() else { return };
        let (shared_bytes, small_bytes, overdraft) = (self.shared_bytes, self.small_bytes, self.overdraft);
        if shared_bytes > 0 || small_bytes > 0 || overdraft {
            change(&pool, |pool| pool.give_back(shared_bytes, small_bytes, overdraft));
        }
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
