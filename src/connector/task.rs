//! Pulling one stream: from the service into the shard's queue.

use std::sync::Arc;

use kvs_client::{Pulled, Puller};
use tokio::sync::mpsc;

use super::StreamPlan;
use super::memory;
use super::publish::{Publisher, to_position};
use super::state::{StreamState, StreamStatus};
use super::states::{Restart, StreamStates};
use crate::model::{Publication, Record, StoredOffset};
use crate::output::Notification;
use crate::supervision::{Part, fault_point};
use crate::{open_files, telemetry};

/// Runs until the queue is closed, the stream fails, or the future is dropped.
pub(super) async fn run(
    plan: Arc<StreamPlan>,
    position: Option<StoredOffset>,
    states: Arc<StreamStates>,
    queue: mpsc::Sender<Publication>,
) {
    let context = &plan.context;
    let outputs = match plan.outputs(position.as_ref()) {
        Ok(outputs) => outputs,
        Err(unusable) => return states.fail(&plan.key, unusable.to_string(), Restart::Automatic),
    };
    let position = position.map(to_position);
    let place = position.as_ref().map_or("none", |position| position.fragment_number.as_str());
    let start = position.is_none().then(|| context.puller.start.to_string());
    tracing::info!(connector = %plan.key.connector, stream = %plan.key.stream, after_fragment_number = place, start, "pulling");
    let mut publisher = Publisher::new(&plan, outputs);
    let mut puller = Puller::new(
        Arc::clone(&context.client),
        plan.stream.clone(),
        position,
        context.puller.clone(),
        context.budget.clone(),
    );
    let mut waits = puller.waits_for_memory();
    // What is to be told together with the next fragment: in its transaction.
    let mut notifications: Vec<Record> = Vec::new();
    loop {
        fault_point(Part::Stream);
        match memory::pulled(puller.next(), &mut waits, &plan, &states).await {
            Ok(Pulled::Fragment(pulled)) => {
                let millis_behind_now = pulled.fragment.millis_behind_now;
                states.set(&plan.key, StreamState::Running);
                states.note(&plan.key, |status| status.millis_behind_now = millis_behind_now);
                if !publisher.send(*pulled, &mut notifications, &states, &queue).await {
                    return;
                }
            }
            Ok(Pulled::PassedOver(passed_over)) => {
                states.set(&plan.key, StreamState::Running);
                if !publisher.pass_over(*passed_over, &mut notifications, &queue).await {
                    return;
                }
            }
            Ok(Pulled::PositionLost { before, after, fetched, missing }) => {
                let lost = Notification::PositionLost { before: &before, after: &after, fetched, missing };
                telemetry::position_lost(&plan.key);
                notifications.extend(publisher.notification(&lost));
            }
            Ok(other) => note(&plan, &states, other),
            Err(error) => {
                states.count_error(&plan.key, error.code());
                telemetry::failed(&plan.key, error.code());
                if context.discovered && error.is_not_found() {
                    return states.set(&plan.key, StreamState::Gone { reason: plan.context.shown(&error) });
                }
                return states.fail(&plan.key, plan.context.shown(&error), Restart::Automatic);
            }
        }
    }
}

/// What happens between fragments: into the log, the metrics and the stream's state.
fn note(plan: &StreamPlan, states: &StreamStates, pulled: Pulled) {
    let (key, stream) = (&plan.key, &plan.stream);
    match pulled {
        Pulled::Opened { selector, request_id } => {
            telemetry::session_opened(key);
            states.note(key, StreamStatus::opened);
            tracing::debug!(%stream, selector, request_id, "a session is open");
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
                "a fragment that does not grow gives its memory to streams that wait for some: it is pulled again");
            states.set(key, StreamState::WaitingForRest { fragment_number });
        }
        Pulled::MissingToken { number, times, request_id } => {
            tracing::warn!(%stream, fragment_number = %number, times, request_id,
                "a fragment came without its end and the next one behind it: it is pulled again");
        }
        Pulled::PositionRefused { error } => {
            telemetry::failed(key, error.code());
            states.count_error(key, error.code());
            let (request_id, error) = (error.request_id(), plan.context.shown(&error));
            tracing::warn!(%stream, error, request_id, "the service refused the stream's position: the next way to resume is tried");
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
                "the stream falls behind, and its session gets all that the service gives (25 MB/s): more comes than one \
                 session can carry");
        }
        Pulled::Retrying { error, delay } => {
            telemetry::failed(key, error.code());
            states.count_error(key, error.code());
            let (request_id, out_of_files) = (error.request_id(), error.is_out_of_files());
            let error = plan.context.shown(&error);
            if out_of_files {
                // Said once for all streams.
                open_files::refused();
            } else {
                tracing::warn!(%stream, error, request_id, delay_ms = delay.as_millis() as u64, "trying again");
            }
            states.set(key, StreamState::Retrying { reason: error });
        }
        _ => {}
    }
}
