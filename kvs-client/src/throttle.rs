//! The service's limits on calls, kept on our side.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::DefaultClock;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use kvs_api::Operation;

use crate::stream_ref::StreamRef;

/// More than so many processes do not wait longer: a call would take seconds.
const SHARERS_MAX: u32 = 1_000;

type Keyed<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock>;

/// Waits until a call is within the service's limits (docs/GETMEDIA.md, "Limits and habits of the service"; AWS developer
/// guide, limits).
///
/// One for all connectors of a process, for the service counts by stream and account. Calls are spread evenly and
/// not let through in bursts: so no second, wherever it begins, has more of them than the limit.
#[derive(Debug)]
pub struct CallLimits {
    /// 5 a second for each operation and stream.
    by_stream: Keyed<(Operation, StreamRef)>,
    /// 300 a second for these operations of an account.
    often: Keyed<Operation>,
    /// 50 a second for those.
    seldom: Keyed<Operation>,
    /// So many processes call for one account.
    sharers: AtomicU32,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            // A little below each limit, for the service's clock is not ours.
            by_stream: RateLimiter::hashmap(every(Duration::from_millis(220))),
            often: RateLimiter::hashmap(every(Duration::from_millis(4))),
            seldom: RateLimiter::hashmap(every(Duration::from_millis(22))),
            sharers: AtomicU32::new(1),
        }
    }
}

fn every(period: Duration) -> Quota {
    Quota::with_period(period).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN))
}

impl CallLimits {
    /// An account's limits are shared with other processes that do as this one: so many of them, this one included.
    pub fn share_among(&self, processes: usize) {
        let processes = u32::try_from(processes).unwrap_or(u32::MAX).clamp(1, SHARERS_MAX);
        self.sharers.store(processes, Ordering::Relaxed);
    }

    /// Waits for as many turns as there are processes: each of them takes one in so many.
    async fn wait_for_account(&self, limiter: &Keyed<Operation>, operation: Operation) {
        for _ in 0..self.sharers.load(Ordering::Relaxed) {
            limiter.until_key_ready(&operation).await;
        }
    }

    pub(crate) async fn wait(&self, operation: Operation, stream: Option<&StreamRef>) {
        if let Some(stream) = stream {
            self.by_stream.until_key_ready(&(operation, stream.clone())).await;
        }
        match operation {
            Operation::GetMedia
            | Operation::PutMedia
            | Operation::ListFragments
            | Operation::GetMediaForFragmentList => {}
            Operation::DescribeStream | Operation::GetDataEndpoint => {
                self.wait_for_account(&self.often, operation).await
            }
            _ => self.wait_for_account(&self.seldom, operation).await,
        }
    }

    /// Forgets streams that have not been called about for a while.
    pub(crate) fn forget_idle(&self) {
        self.by_stream.retain_recent();
    }
}

#[cfg(test)]
#[path = "throttle_tests.rs"]
mod tests;
