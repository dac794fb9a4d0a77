//! Reports that a fragment cannot be handed to the shard yet, because its payload is being written to an object store, or its
//! topic created.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use super::StreamPlan;
use super::state::StreamState;
use super::states::StreamStates;

/// The state of a stream that waits so.
const WAITING: &StreamState = &StreamState::WaitingForOutput;
/// After how long it is reported.
const REPORTED_AFTER: Duration = Duration::from_secs(5);
/// The interval at which the log repeats it.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// Waits until a fragment's records are made, and reports meanwhile that this takes long.
pub(super) async fn placed<T>(making: impl Future<Output = T>, plan: &StreamPlan, states: &StreamStates) -> T {
    let (mut making, began) = (pin!(making), Instant::now());
    let mut before: Option<StreamState> = None;
    let mut delay = REPORTED_AFTER;
    loop {
        tokio::select! {
            biased;
            made = &mut making => {
                states.waited(&plan.key, WAITING, before);
                return made;
            }
            () = tokio::time::sleep(delay) => {}
        }
        delay = SAID_EVERY;
        before = states.wait(&plan.key, WAITING).or(before);
        tracing::warn!(connector = %plan.key.connector, stream = %plan.stream, waited_s = began.elapsed().as_secs(),
            "a fragment of the stream waits until its payload is stored (payload.store.url, payload.store.timeout.ms), or its topic is \
             open: for Kafka, which creates it, and for the schema registry (schema.registry.url)");
    }
}
