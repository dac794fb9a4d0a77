//! The memory that all fragments in flight share.

mod claim;
mod pool;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kvs_mkv::PayloadPool;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

pub(crate) use claim::Claim;
use pool::{Grant, Grants, Pool, Wish};

/// The memory, in bytes, that the fragments of all streams share. Clones share the same memory; a process needs one
/// budget.
///
/// A fragment holds a permit from its first byte until the permit is dropped, which may be long after it was yielded. A
/// stream that cannot get memory does not read its socket, and TCP's flow control makes the service wait.
///
/// Streams get memory in the order in which they asked. No stream can keep it from the others:
///
/// - Unfinished fragments could use up the budget, so that none of them is ever completed. Therefore one stream at a
///   time, the one that has waited longest, may exceed the budget by one fragment: that one is completed, and its
///   memory is released. At most, the budget and one fragment are in flight.
/// - An eighth of the budget is reserved for small fragments, which therefore never wait for large ones. In the rest
///   of the budget they wait in turn like all others.
/// - While other streams wait, a fragment that has not grown for a few seconds gives its memory back: its session is
///   closed, and opened again when that much memory is available. It waits behind all others for half a minute, then
///   in turn. A stalled fragment therefore costs the others a few seconds, once in half a minute, and never the whole
///   budget.
///
/// The buffers of a stream's connection count too: a fixed amount for each, up to half of the budget.
///
/// Buffers of fragments that have been dropped are kept for those to come, in memory that nobody has at the moment: at most an
/// eighth of the budget, and less when less is free ([`kvs_mkv::PayloadPool`]).
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    pool: Arc<Mutex<Pool>>,
    connections: Arc<Semaphore>,
    size_bytes: usize,
    stalled_after: Duration,
}

/// The size of the HTTP client's buffers for one connection: it reads up to 408 KB at once, and has read once more while we are at the
/// bytes before.
const CONNECTION_BUFFER_BYTES: usize = 2 * (408 << 10);
/// The time without growth after which a fragment gives its memory back if other streams wait.
const STALLED_AFTER: Duration = Duration::from_secs(5);
/// The interval at which a waiting stream looks for fragments that have not grown, and reports that it waits.
const LOOKED_EVERY: Duration = Duration::from_secs(1);

/// Where a stream reports since when it has been waiting for memory; `None` while it does not wait.
pub(crate) type Waits = Arc<watch::Sender<Option<Instant>>>;

/// The memory of a stream's connection. Dropping it gives the memory back.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    _slot: OwnedSemaphorePermit,
    _bytes: MemoryPermit,
}

/// Memory that was acquired from a budget. Dropping it gives the memory back.
#[derive(Debug, Default)]
pub struct MemoryPermit {
    pool: Option<Arc<Mutex<Pool>>>,
    shared_bytes: usize,
    /// Bytes from the reserve for small fragments.
    small_bytes: usize,
    /// Whether the fragment may exceed the budget.
    overdraft: bool,
    /// Bytes beyond the budget, which are not counted elsewhere.
    overdrawn_bytes: usize,
    /// Bytes that are in memory already and will be acquired together with the next ones.
    owed_bytes: usize,
}

fn lock(pool: &Mutex<Pool>) -> MutexGuard<'_, Pool> {
    // Nothing panics while the lock is held.
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Changes the pool, and grants what has become available to those who wait.
fn change<T>(pool: &Arc<Mutex<Pool>>, change: impl FnOnce(&mut Pool) -> T) -> T {
    // What is freed is freed without the lock, which others need.
    let (changed, grants, _freed) = {
        let mut locked = lock(pool);
        let changed = change(&mut locked);
        let grants = locked.hand_out(Instant::now());
        (changed, grants, locked.make_room())
    };
    hand_over(pool, grants);
    changed
}

/// Sends grants to those who waited. The lock must not be held: a grant that nobody waits for any more comes back at
/// once.
fn hand_over(pool: &Arc<Mutex<Pool>>, grants: Grants) {
    for (waiter, grant) in grants {
        if let Err(grant) = waiter.send(grant) {
            drop(MemoryPermit::new(pool, &grant));
        }
    }
}

/// Waits in the queue for memory. Dropping a waiter leaves the queue, and gives back a grant that arrived meanwhile.
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
    /// Creates a budget of this many bytes.
    pub fn new(size_bytes: usize) -> Self {
        let size_bytes = size_bytes.min(Semaphore::MAX_PERMITS);
        let connections = Arc::new(Semaphore::new(size_bytes / 2 / CONNECTION_BUFFER_BYTES));
        let pool = Arc::new(Mutex::new(Pool::new(size_bytes)));
        Self { pool, connections, size_bytes, stalled_after: STALLED_AFTER }
    }

    /// Sets how long a fragment may stall before it gives its memory back to others. Default: 5 s.
    #[must_use]
    pub fn with_stalled_after(self, stalled_after: Duration) -> Self {
        Self { stalled_after, ..self }
    }

    /// Returns the buffers of fragments that have been dropped.
    pub(crate) fn buffers(&self) -> PayloadPool {
        lock(&self.pool).buffers().clone()
    }

    /// Returns how many bytes are in use, without those beyond the budget.
    pub fn used_bytes(&self) -> usize {
        self.size_bytes - lock(&self.pool).free_bytes()
    }

    /// Returns the most bytes that were in use at any time, without those beyond the budget.
    pub fn peak_used_bytes(&self) -> usize {
        self.size_bytes - lock(&self.pool).least_free_bytes()
    }

    /// Returns the size of the budget in bytes.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Acquires the memory of a stream's connection, unless connections have half of the budget already or another stream
    /// waits.
    pub(crate) fn connection(&self) -> Option<ConnectionPermit> {
        let slot = Arc::clone(&self.connections).try_acquire_owned().ok()?;
        let taken = lock(&self.pool).take_now(CONNECTION_BUFFER_BYTES);
        let pool = Some(Arc::clone(&self.pool));
        let bytes =
            taken.then(|| MemoryPermit { pool, shared_bytes: CONNECTION_BUFFER_BYTES, ..Default::default() })?;
        Some(ConnectionPermit { _slot: slot, _bytes: bytes })
    }

    /// Waits until there is room for a fragment that gave back this many bytes.
    pub(crate) async fn readmit(&self, had_bytes: usize, waits: &Waits) -> MemoryPermit {
        // A request for more might never be granted, however large the fragment was.
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
                // This also grants memory that a stream in front has stopped waiting for.
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

    /// Returns the number of bytes held.
    pub fn size_bytes(&self) -> usize {
        self.shared_bytes + self.small_bytes + self.overdrawn_bytes
    }

    /// Splits off `count` bytes for a completed fragment. If the fragment needed the overdraft, it keeps it until its
    /// permit is dropped; the part of it that the next fragment already uses is owed.
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
