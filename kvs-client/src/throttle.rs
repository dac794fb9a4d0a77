//! Keeps calls within the service's limits by waiting before each call.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::DefaultClock;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use kvs_api::Operation;

use crate::stream_ref::StreamRef;

/// The maximum number of processes that are counted: with more of them a call would take seconds.
const SHARERS_MAX: u32 = 1_000;

type Keyed<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock>;

/// Delays calls so that they stay within the service's limits (AWS developer guide, "Kinesis Video Streams quotas").
///
/// Share one among all clients of an account, because the service counts by stream and account. Calls are spread
/// evenly, without bursts, so that no second, wherever it begins, has more of them than the limit.
#[derive(Debug)]
pub struct CallLimits {
    /// Calls about a stream: 5 a second for each operation and stream.
    by_stream: Keyed<(Operation, StreamRef)>,
    /// DescribeStream and GetDataEndpoint: 300 a second per account.
    often: Keyed<Operation>,
    /// Other operations of the control plane: 50 a second per account.
    seldom: Keyed<Operation>,
    /// How many processes call for the account.
    sharers: AtomicU32,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            // A little below each limit, because the service's clock may differ from ours.
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
    /// Shares the account's limits among this many processes, including this one.
    pub fn share_among(&self, processes: usize) {
        let processes = u32::try_from(processes).unwrap_or(u32::MAX).clamp(1, SHARERS_MAX);
        self.sharers.store(processes, Ordering::Relaxed);
    }

    /// Waits for as many turns as there are processes, so that all of them together stay within the limit.
    async fn wait_for_account(&self, limiter: &Keyed<Operation>, operation: Operation) {
        for _ in 0..self.sharers.load(Ordering::Relaxed) {
            limiter.until_key_ready(&operation).await;
        }
    }

    /// Waits until a call may be made.
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

    /// Forgets streams without recent calls.
    pub(crate) fn forget_idle(&self) {
        self.by_stream.retain_recent();
    }
}

#[cfg(test)]
#[path = "throttle_tests.rs"]
mod tests;
