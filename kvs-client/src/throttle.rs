//! The service's limits on calls, kept on our side.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::DefaultClock;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use kvs_api::Operation;

use crate::stream_ref::StreamRef;

type Keyed<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock>;

/// Waits until a call is within the service's limits (`getmedia.md`, "Limits and habits of the service"; AWS developer
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
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            // A little below each limit, for the service's clock is not ours.
            by_stream: RateLimiter::hashmap(every(Duration::from_millis(220))),
            often: RateLimiter::hashmap(every(Duration::from_millis(4))),
            seldom: RateLimiter::hashmap(every(Duration::from_millis(22))),
        }
    }
}

fn every(period: Duration) -> Quota {
    Quota::with_period(period).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN))
}

impl CallLimits {
    pub(crate) async fn wait(&self, operation: Operation, stream: Option<&StreamRef>) {
        if let Some(stream) = stream {
            self.by_stream.until_key_ready(&(operation, stream.clone())).await;
        }
        match operation {
            Operation::GetMedia
            | Operation::PutMedia
            | Operation::ListFragments
            | Operation::GetMediaForFragmentList => {}
            Operation::DescribeStream | Operation::GetDataEndpoint => self.often.until_key_ready(&operation).await,
            _ => self.seldom.until_key_ready(&operation).await,
        }
    }

    /// Forgets streams that have not been called about for a while.
    pub(crate) fn forget_idle(&self) {
        self.by_stream.retain_recent();
    }
}
