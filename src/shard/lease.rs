//! The lease on a shard: whether it is still this worker's.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The right to own a shard, from its assignment to its revocation. It is released once and for all: a shard that is
/// assigned again has a new lease. Clones share the lease.
#[derive(Debug, Clone, Default)]
pub struct ShardLease {
    released: CancellationToken,
    altered: Arc<Notify>,
}

impl ShardLease {
    /// Returns whether the shard is still assigned to this worker.
    pub fn is_held(&self) -> bool {
        !self.released.is_cancelled()
    }

    /// Makes the owner acquire the shard again, because its partition was altered by somebody else. An owner that
    /// writes is fenced and so finds out; one that has nothing to write has to be told.
    pub fn reacquire(&self) {
        self.altered.notify_one();
    }

    /// Makes the owner release the shard.
    pub fn release(&self) {
        self.released.cancel();
    }

    /// Waits until the shard is released.
    pub(super) async fn released(&self) {
        self.released.cancelled().await;
    }

    /// Waits until the shard is to be acquired again.
    pub(super) async fn altered(&self) {
        self.altered.notified().await;
    }
}
