//! Buffers of dropped payloads, for payloads to come.
//!
//! **Contract.** What a pool keeps, and what it has lent to payloads that are still being received, is together at most its size:
//! memory of which nobody knows yet whether it will be used. It keeps nothing for which its owner has no room at the moment
//! ([`PayloadPool::set_room`]). A buffer is lent only where it is not much larger than what is asked
//! for, and small ones are not kept. Nothing of a former payload can be read in a later one.
//!
//! An allocator gives a block of hundreds of kilobytes back to the system as soon as it is freed, and each page of the next one costs
//! a fault: a fifth of the processor time of a program that receives fragments of 0.5 MB. An allocator that keeps such blocks
//! instead keeps as much memory as was ever in use.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The smallest buffer that is kept: from this size on, allocators take blocks from the system one by one.
const KEPT_MIN_BYTES: usize = 128 << 10;

/// Keeps buffers of dropped payloads for those of splitters to come (see [`Splitter::with_pool`](crate::Splitter::with_pool)). All
/// clones are the same pool.
#[derive(Debug, Clone)]
pub struct PayloadPool {
    max_bytes: usize,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    buffers: Vec<Vec<u8>>,
    /// The capacities of the buffers that are kept, and of those that are lent to payloads that are not complete.
    size_bytes: usize,
    /// How much may be kept at the moment.
    room_bytes: usize,
}

/// The right of a payload to give its buffer to a pool.
#[derive(Debug)]
pub(crate) struct Lease {
    pool: PayloadPool,
    /// The size of the buffer when it was lent; 0: it is a new one, or its payload is complete.
    lent_bytes: usize,
}

impl PayloadPool {
    /// Returns an empty pool of at most this size, in bytes.
    pub fn new(max_bytes: usize) -> Self {
        let kept = Kept { room_bytes: max_bytes, ..Kept::default() };
        Self { max_bytes, kept: Arc::new(Mutex::new(kept)) }
    }

    /// Sets how many bytes may be kept from now on, up to the pool's size. Returns the buffers beyond that: freeing them takes time, and
    /// the caller may hold a lock.
    pub fn set_room(&self, room_bytes: usize) -> Vec<Vec<u8>> {
        let mut freed = Vec::new();
        let mut kept = self.lock();
        kept.room_bytes = room_bytes.min(self.max_bytes);
        while kept.size_bytes > kept.room_bytes {
            let Some(buffer) = kept.buffers.pop() else { break };
            kept.size_bytes = kept.size_bytes.saturating_sub(buffer.capacity());
            freed.push(buffer);
        }
        freed
    }

    /// Returns how many bytes the buffers have that wait for payloads, and those that are lent to incomplete ones.
    pub fn kept_bytes(&self) -> usize {
        self.lock().size_bytes
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing panics while the lock is held.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns an empty buffer with at least this capacity, and the lease with which it comes back.
    pub(crate) fn take(&self, capacity_bytes: usize) -> (Vec<u8>, Lease) {
        let fits = |buffer: &Vec<u8>| (capacity_bytes..=capacity_bytes.saturating_mul(2)).contains(&buffer.capacity());
        let mut kept = self.lock();
        // The last one is the one that the processor's cache may still have.
        let found = kept.buffers.iter().rposition(fits).map(|index| kept.buffers.swap_remove(index));
        drop(kept);
        let lent_bytes = found.as_ref().map_or(0, Vec::capacity);
        (found.unwrap_or_else(|| Vec::with_capacity(capacity_bytes)), Lease { pool: self.clone(), lent_bytes })
    }
}

impl Lease {
    /// Notes that the payload is complete: from now on its buffer is accounted for where the payload is.
    pub(crate) fn complete(&mut self) {
        let lent_bytes = std::mem::take(&mut self.lent_bytes);
        let mut kept = self.pool.lock();
        kept.size_bytes = kept.size_bytes.saturating_sub(lent_bytes);
    }

    /// Gives a buffer back to its pool, or frees it if the pool is full.
    pub(crate) fn give(self, mut buffer: Vec<u8>) {
        let Self { pool, lent_bytes } = self;
        buffer.clear();
        let capacity = buffer.capacity();
        let mut kept = pool.lock();
        kept.size_bytes = kept.size_bytes.saturating_sub(lent_bytes);
        if capacity >= KEPT_MIN_BYTES && kept.size_bytes.saturating_add(capacity) <= kept.room_bytes {
            kept.size_bytes += capacity;
            kept.buffers.push(buffer);
        }
    }
}

#[cfg(test)]
#[path = "payload_pool_tests.rs"]
mod tests;
