//! Reports that a stream waits for memory.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::StreamPlan;
use super::state::StreamState;
use super::states::StreamStates;

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
                states.note(&plan.key, |status| {
                    if !matches!(status.state, StreamState::Failed { .. } | StreamState::WaitingForMemory) {
                        before = Some(std::mem::replace(&mut status.state, StreamState::WaitingForMemory));
                    }
                });
                if said.unwrap_or(since).elapsed() >= SAID_AFTER {
                    said = Some(Instant::now());
                    let budget = &plan.context.budget;
                    tracing::warn!(connector = %plan.key.connector, stream = %plan.stream,
                        waited_s = since.elapsed().as_secs(), used_bytes = budget.used_bytes(), size_bytes = budget.size_bytes(),
                        "the stream waits for memory that other streams hold: raise memory.budget.size.bytes, or run more workers");
                }
            }
            None => over(&plan.key, before.take(), states),
        }
        let again = tokio::time::sleep(match since {
            Some(since) => SAID_AFTER.saturating_sub(said.unwrap_or(since).elapsed()),
            None => SAID_AFTER,
        });
        tokio::select! {
            biased;
            next = &mut next => {
                over(&plan.key, before.take(), states);
                return next;
            }
            Ok(()) = waits.changed() => {}
            () = again => {}
        }
    }
}

/// Restores the state that the stream had before it waited.
fn over(key: &crate::model::OffsetKey, before: Option<StreamState>, states: &StreamStates) {
    let Some(before) = before else { return };
    states.note(key, |status| {
        if status.state == StreamState::WaitingForMemory {
            status.state = before;
        }
    });
}
