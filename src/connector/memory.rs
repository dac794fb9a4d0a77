//! Reports that a stream waits for memory.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::StreamPlan;
use super::state::StreamState;
use super::states::StreamStates;

/// The state of a stream that waits for memory.
const WAITING: &StreamState = &StreamState::WaitingForMemory;
/// The interval at which the log reports that a stream is waiting for memory.
const SAID_AFTER: Duration = Duration::from_secs(60);

/// Waits for the next event, and reports meanwhile whether the stream waits for memory. `waits` contains since when it has
/// waited.
pub(super) async fn pulled<T>(
    next: impl Future<Output = T>,
    waits: &mut watch::Receiver<Option<Instant>>,
    plan: &StreamPlan,
    states: &StreamStates,
) -> T {
    let mut next = pin!(next);
    let mut before: Option<StreamState> = None;
    let mut said: Option<Instant> = None;
    loop {
        let since = *waits.borrow_and_update();
        match since {
            Some(since) => {
                before = states.wait(&plan.key, WAITING).or(before);
                if said.unwrap_or(since).elapsed() >= SAID_AFTER {
                    said = Some(Instant::now());
                    let budget = &plan.context.budget;
                    tracing::warn!(connector = %plan.key.connector, stream = %plan.stream,
                        waited_s = since.elapsed().as_secs(), used_bytes = budget.used_bytes(), size_bytes = budget.size_bytes(),
                        "the stream waits for memory that other streams hold: raise memory.budget.size.bytes, or run more workers");
                }
            }
            None => states.waited(&plan.key, WAITING, before.take()),
        }
        let again = tokio::time::sleep(match since {
            Some(since) => SAID_AFTER.saturating_sub(said.unwrap_or(since).elapsed()),
            None => SAID_AFTER,
        });
        tokio::select! {
            biased;
            next = &mut next => {
                states.waited(&plan.key, WAITING, before.take());
                return next;
            }
            Ok(()) = waits.changed() => {}
            () = again => {}
        }
    }
}
