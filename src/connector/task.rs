//! Pulls one stream live: from GetMedia into the shard's queue.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kvs_client::{Error, Pulled, Puller};
use tokio::sync::{mpsc, watch};

use super::StreamPlan;
use super::publish::to_position;
use super::pulling::{Flow, Source, StreamTask, after_fragment_number};
use super::state::{StreamState, StreamStatus};
use super::states::StreamStates;
use crate::model::{Publication, StoredOffset};
use crate::output::Notification;
use crate::telemetry;

/// Runs until the queue is closed, the stream fails, or the future is dropped.
pub(super) async fn run(
    plan: Arc<StreamPlan>,
    position: Option<StoredOffset>,
    states: Arc<StreamStates>,
    queue: mpsc::Sender<Publication>,
) {
    let context = &plan.context;
    let Some(task) = StreamTask::new(&plan, position.as_ref(), &states, &queue) else { return };
    let start = position.is_none().then(|| context.puller.start.to_string());
    tracing::info!(connector = %plan.key.connector, stream = %plan.key.stream,
        after_fragment_number = after_fragment_number(position.as_ref()), start, "pulling");
    let puller = Puller::new(
        Arc::clone(&context.client),
        plan.stream.clone(),
        position.map(to_position),
        context.puller.clone(),
        context.budget.clone(),
    );
    task.run(Live(puller)).await;
}

/// A stream as GetMedia sends it.
struct Live(Puller);

impl Source for Live {
    type Event = Pulled;

    async fn next(&mut self) -> Result<Pulled, Error> {
        self.0.next().await
    }

    fn silent_after(&self, plan: &StreamPlan) -> Option<Duration> {
        plan.context.silent_after
    }

    fn waits_for_memory(&self) -> watch::Receiver<Option<Instant>> {
        self.0.waits_for_memory()
    }

    async fn happened(&mut self, pulled: Pulled, task: &mut StreamTask<'_>) -> Flow {
        let (key, states) = (&task.plan.key, task.states);
        match pulled {
            Pulled::Fragment(pulled) => {
                let millis_behind_now = pulled.fragment.millis_behind_now;
                states.set(key, StreamState::Running);
                states.note(key, |status| status.millis_behind_now = millis_behind_now);
                return task.publish(*pulled).await;
            }
            Pulled::PassedOver(passed_over) => {
                states.set(key, StreamState::Running);
                return task.pass_over(*passed_over).await;
            }
            Pulled::PositionLost { before, after, fetched, missing } => {
                telemetry::position_lost(key);
                task.notify(&Notification::PositionLost { before: &before, after: &after, fetched, missing });
            }
            Pulled::Retrying { error, delay } => task.retrying(&error, delay),
            Pulled::PositionRefused { error } => {
                task.count(&error);
                let (request_id, stream) = (error.request_id(), &task.plan.stream);
                let error = task.plan.context.shown(&error);
                tracing::warn!(%stream, error, request_id,
                    "the service refused the stream's position: trying the next way to resume");
            }
            Pulled::CaughtUp { caught_up, millis_behind_now } => {
                let before = states.look(key, |status| status.caught_up).flatten();
                note(task.plan, states, Pulled::CaughtUp { caught_up, millis_behind_now });
                let was_behind = before == Some(false) || (before.is_none() && task.is_new);
                if caught_up && was_behind {
                    task.tell(&Notification::CaughtUp { millis_behind_now }).await;
                } else if !caught_up && before == Some(true) {
                    task.tell(&Notification::FallenBehind { millis_behind_now }).await;
                }
            }
            other => note(task.plan, states, other),
        }
        Flow::Continue(())
    }
}

/// Records what happens between fragments in the log, the metrics and the stream's state.
fn note(plan: &StreamPlan, states: &StreamStates, pulled: Pulled) {
    let (key, stream) = (&plan.key, &plan.stream);
    match pulled {
        Pulled::Opened { selector, request_id } => {
            telemetry::session_opened(key);
            states.note(key, StreamStatus::opened);
            tracing::debug!(%stream, selector, request_id, "session opened");
        }
        Pulled::Waiting { number, received_bytes, request_id } => {
            let fragment_number = number.map(|number| number.as_str().to_owned());
            tracing::info!(%stream, fragment_number, received_bytes, request_id,
                "the response ended within a fragment: waiting for the rest of it");
            states.set(key, StreamState::WaitingForRest { fragment_number });
        }
        Pulled::GaveMemoryBack { number, held_bytes, request_id } => {
            let fragment_number = number.map(|number| number.as_str().to_owned());
            tracing::info!(%stream, fragment_number, held_bytes, request_id,
                "a fragment that does not grow gives its memory to waiting streams: it will be pulled again");
            states.set(key, StreamState::WaitingForRest { fragment_number });
        }
        Pulled::MissingToken { number, times, request_id } => {
            tracing::warn!(%stream, fragment_number = %number, times, request_id,
                "a fragment arrived without its end, followed by the next one: it will be pulled again");
        }
        Pulled::CaughtUp { caught_up, millis_behind_now } => {
            telemetry::caught_up(key, caught_up);
            states.note(key, |status| {
                status.caught_up = Some(caught_up);
                status.at_rate_limit_bytes_per_second = None;
            });
            if caught_up {
                tracing::info!(%stream, millis_behind_now, "the stream has caught up with the live edge");
            } else {
                tracing::warn!(%stream, millis_behind_now, "the stream has fallen behind the live edge");
            }
        }
        Pulled::AtRateLimit { bytes_per_second, millis_behind_now, request_id } => {
            telemetry::at_rate_limit(key);
            states.note(key, |status| status.at_rate_limit_bytes_per_second = Some(bytes_per_second));
            tracing::warn!(%stream, bytes_per_second, millis_behind_now, request_id,
                "the stream falls behind although its session gets the service's maximum (25 MB/s): it produces more than one \
                 session can carry");
        }
        _ => {}
    }
}
