//! The service's limits on calls, kept on our side.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::DefaultClock;
use governor::state::keyed::HashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::stream_ref::StreamRef;

type PerStream = RateLimiter<StreamRef, HashMapStateStore<StreamRef>, DefaultClock>;

/// Waits until a call is within the service's limits (`getmedia.md`, "Limits and habits of the service").
///
/// One for all connectors of a process, for the service counts by stream and account. Calls are spread evenly and
/// not let through in bursts: so no second, wherever it begins, has more of them than the limit.
#[derive(Debug)]
pub struct CallLimits {
    get_media: PerStream,
    get_data_endpoint: PerStream,
    get_data_endpoint_account: RateLimiter<NotKeyed, InMemoryState, DefaultClock>,
}

impl Default for CallLimits {
    fn default() -> Self {
        // 5 a second are allowed; a little below, for the service's clock is not ours.
        let per_stream = every(Duration::from_millis(220));
        Self {
            get_media: RateLimiter::hashmap(per_stream),
            get_data_endpoint: RateLimiter::hashmap(per_stream),
            // 300 a second and account.
            get_data_endpoint_account: RateLimiter::direct(every(Duration::from_millis(4))),
        }
    }
}

fn every(period: Duration) -> Quota {
    Quota::with_period(period).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN))
}

impl CallLimits {
    pub(crate) async fn get_media(&self, stream: &StreamRef) {
        self.get_media.until_key_ready(stream).await;
    }

    pub(crate) async fn get_data_endpoint(&self, stream: &StreamRef) {
        self.get_data_endpoint.until_key_ready(stream).await;
        self.get_data_endpoint_account.until_ready().await;
    }
}
