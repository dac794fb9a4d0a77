//! The memory that all fragments in flight share.

mod claim;
mod pool;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

pub(crate) use claim::Claim;
use pool::{Grant, Grants, Pool, Wish};

/// The memory, in bytes, that the fragments of all streams share. Clones share it, too; a process needs one.
///
/// A fragment holds a permit from its first byte until the permit is dropped, which may be long after it was yielded. A
/// stream that cannot get memory does not read its socket, and TCP's flow control makes the service wait.
///
/// Streams get memory in the order in which they asked. No stream can keep it from the others:
///
/// - Many unfinished fragments could use up the budget together, so that none of them becomes whole. One stream at a
///   time, the one that has waited longest, may therefore exceed the budget by one fragment: that one becomes whole, and
///   its memory comes back. The most in flight is the budget and one fragment.
/// - An eighth of the budget is reserved for small fragments, which therefore never wait for large ones. Of the rest they
///   get no more than their turn.
/// - While other streams wait, a fragment that has not grown for a few seconds gives its memory back: its session is
///   closed, and opened again when there is room for as much. It waits behind all others for half a minute, then in its
///   turn. A fragment that stands still therefore costs the others seconds, once in half a minute, and never the whole
///   budget.
///
/// The buffers of a session's connection count too: a fixed amount for each session, up to half of the budget.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    pool: Arc<Mutex<Pool>>,
    sessions: Arc<Semaphore>,
    size_bytes: usize,
    stalled_after: Duration,
}

/// The size of the HTTP client's buffers for one connection: it reads up to 400 KB at once, into one of two buffers.
const SESSION_BUFFER_BYTES: usize = 512 << 10;
/// A fragment that has not grown for this long gives its memory back when other streams wait.
const STALLED_AFTER: Duration = Duration::from_secs(5);
/// A stream that waits looks this often for fragments that have not grown, and reports that it waits.
const LOOKED_EVERY: Duration = Duration::from_secs(1);

/// Where a stream reports since when it has been waiting for memory; `None` while it does not wait.
pub(crate) type Waits = Arc<watch::Sender<Option<Instant>>>;

/// The memory of a session's connection. Dropping it gives the memory back.
#[derive(Debug)]
pub(crate) struct SessionPermit {
    _slot: OwnedSemaphorePermit,
    _bytes: MemoryPermit,
}

/// Memory that was taken out of a budget. Dropping it gives the memory back.
#[derive(Debug, Default)]
pub struct MemoryPermit {
    pool: Option<Arc<Mutex<Pool>>>,
    shared_bytes: usize,
    /// Bytes out of the reserve for small fragments.
    small_bytes: usize,
    /// Whether the fragment may exceed the budget.
    overdraft: bool,
    /// Bytes beyond the budget, which are counted nowhere else.
    overdrawn_bytes: usize,
    /// Bytes that are in memory already and are taken out of the budget together with the next ones.
    owed_bytes: usize,
}

fn lock(pool: &Mutex<Pool>) -> MutexGuard<'_, Pool> {
    // Nothing panics while it is held.
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Changes the pool, and hands out what others can have after that.
fn change<T>(pool: &Arc<Mutex<Pool>>, change: impl FnOnce(&mut Pool) -> T) -> T {
    let (changed, grants) = {
        let mut locked = lock(pool);
        let changed = change(&mut locked);
        (changed, locked.hand_out(Instant::now()))
    };
    hand_over(pool, grants);
    changed
}

/// Hands grants to those who waited. The lock must not be held: a grant that nobody waits for any more comes back at once.
fn hand_over(pool: &Arc<Mutex<Pool>>, grants: Grants) {
    for (waiter, grant) in grants {
        if let Err(grant) = waiter.send(grant) {
            drop(MemoryPermit::new(pool, &grant));
        }
    }
}

/// Waits in the queue for memory. Dropping a waiter leaves the queue, and gives back a grant that has come meanwhile.
struct Waiting<'a> {
    pool: &'a Arc<Mutex<Pool>>,
    granted: oneshot::Receiver<Grant>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // Once the receiver is closed, a grant returns to its sender, so that none is lost between the two lines.
        self.granted.close();
        if let Ok(grant) = self.granted.try_recv() {
            drop(MemoryPermit::new(self.pool, &grant));
        }
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

    /// Sets how long a fragment may stand still before it gives its memory back to others. Default: 5 s.
    #[must_use]
    pub fn with_stalled_after(self, stalled_after: Duration) -> Self {
        Self { stalled_after, ..self }
    }

    /// Returns how many bytes are in use, without those beyond the budget.
    pub fn used_bytes(&self) -> usize {
        self.size_bytes - lock(&self.pool).free_bytes()
    }

    /// Returns the size of the budget in bytes.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Takes the memory of a session's connection, unless sessions have half of the budget already or somebody waits.
    pub(crate) fn session(&self) -> Option<SessionPermit> {
        let slot = Arc::clone(&self.sessions).try_acquire_owned().ok()?;
        let taken = lock(&self.pool).take_now(SESSION_BUFFER_BYTES);
        let pool = Some(Arc::clone(&self.pool));
        let bytes = taken.then(|| MemoryPermit { pool, shared_bytes: SESSION_BUFFER_BYTES, ..Default::default() })?;
        Some(SessionPermit { _slot: slot, _bytes: bytes })
    }

    /// Waits until there is room for a fragment that gave this many bytes back.
    pub(crate) async fn readmit(&self, had_bytes: usize, waits: &Waits) -> MemoryPermit {
        // A wish for more than this might never be granted, however large the fragment was.
        let wanted_bytes = had_bytes.min(self.size_bytes / 8);
        self.wait(Wish { wanted_bytes, held_bytes: 0, readmission: true }, waits).await
    }

    async fn wait(&self, wish: Wish, waits: &Waits) -> MemoryPermit {
        let began = Instant::now();
        let mut waiting = Waiting { pool: &self.pool, granted: change(&self.pool, |pool| pool.wait(wish, began)) };
        loop {
            tokio::select! {
                biased;
                granted = &mut waiting.granted => {
                    waits.send_if_modified(|since| since.take().is_some());
                    return granted.map(|grant| MemoryPermit::new(&self.pool, &grant)).unwrap_or_default();
                }
                // This also hands out what somebody in front has stopped waiting for.
                () = tokio::time::sleep(LOOKED_EVERY.min(self.stalled_after)) => {
                    waits.send_if_modified(|since| since.replace(began).is_none());
                    change(&self.pool, |pool| pool.reclaim(Instant::now(), self.stalled_after));
                }
            }
        }
    }
}

impl MemoryPermit {
    fn new(pool: &Arc<Mutex<Pool>>, grant: &Grant) -> Self {
        Self {
            pool: Some(Arc::clone(pool)),
            shared_bytes: grant.shared_bytes,
            small_bytes: grant.small_bytes,
            overdraft: grant.overdrawn_bytes > 0,
            overdrawn_bytes: grant.overdrawn_bytes,
            owed_bytes: 0,
        }
    }

    /// Returns how many bytes are held.
    pub fn size_bytes(&self) -> usize {
        self.shared_bytes + self.small_bytes + self.overdrawn_bytes
    }

    /// Splits off `count` bytes for a fragment that has become whole. If the fragment needed the overdraft, that goes with
    /// it until its permit is dropped; what the next fragment already has of it is owed.
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
