//! A range of one stream's archive, as a job: from its position to the end of the range, with progress.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kvs_client::{ArchiveBounds, ArchivePuller, Archived, FragmentNumber, Progress};
use tokio::sync::mpsc;

use super::StreamPlan;
use super::memory;
use super::publish::{Publisher, to_position};
use super::state::{BackfillProgress, StreamState};
use super::states::{Restart, StreamStates};
use crate::model::{Publication, Record, StoredOffset};
use crate::output::Notification;
use crate::{open_files, telemetry};

/// The time between two log lines about progress.
const LOGGED_EVERY: Duration = Duration::from_secs(10);

/// Runs until the range is done, the queue is closed, the stream fails, or the future is dropped.
pub(super) async fn run(
    plan: Arc<StreamPlan>,
    bounds: ArchiveBounds,
    position: Option<StoredOffset>,
    states: Arc<StreamStates>,
    queue: mpsc::Sender<Publication>,
) {
    let (context, stream) = (&plan.context, &plan.stream);
    let outputs = match plan.outputs(position.as_ref()) {
        Ok(outputs) => outputs,
        Err(unusable) => return states.fail(&plan.key, unusable.to_string(), Restart::Automatic),
    };
    let position = position.map(to_position);
    let place = position.as_ref().map_or("none", |position| position.fragment_number.as_str());
    let number = |number: &Option<FragmentNumber>| number.as_ref().map(|number| number.as_str().to_owned());
    tracing::info!(connector = %plan.key.connector, %stream, from = bounds.from.map(|from| from.to_string()),
        to = bounds.to.map(|to| to.to_string()), first = number(&bounds.first), last = number(&bounds.last),
        after_fragment_number = place, "backfilling");
    let named = [bounds.first.clone(), bounds.last.clone()];
    let mut publisher = Publisher::new(&plan, outputs);
    let mut puller = ArchivePuller::new(
        Arc::clone(&context.client),
        stream.clone(),
        bounds,
        position.as_ref(),
        context.puller.clone(),
        context.budget.clone(),
    );
    let mut waits = puller.waits_for_memory();
    let began = Instant::now();
    let mut began_at = puller.progress();
    let mut logged = Instant::now();
    let mut waits_for_time = false;
    let mut notifications: Vec<Record> = Vec::new();
    loop {
        match memory::pulled(puller.next(), &mut waits, &plan, &states).await {
            Ok(Archived::Fragment(pulled)) => {
                let progress = measure(puller.progress(), began_at, began);
                states.set(&plan.key, StreamState::Backfilling(progress));
                telemetry::backfill(&plan.key, progress.permille);
                if logged.elapsed() >= LOGGED_EVERY {
                    logged = Instant::now();
                    log(&plan, &progress, "backfilling");
                }
                if !publisher.send(*pulled, &mut notifications, &states, &queue).await {
                    return;
                }
            }
            Ok(Archived::PassedOver(passed_over)) => {
                if !publisher.pass_over(*passed_over, &mut notifications, &queue).await {
                    return;
                }
            }
            Ok(Archived::Begun { range }) => {
                began_at = puller.progress();
                tracing::info!(%stream, from = %range.from, to = %range.to, "the fragments that bound the backfill are found");
            }
            Ok(Archived::Listed) => {
                let progress = measure(puller.progress(), began_at, began);
                states.set(&plan.key, StreamState::Backfilling(progress));
                telemetry::backfill(&plan.key, progress.permille);
            }
            Ok(Archived::WaitsForTime { until }) => {
                let progress = BackfillProgress { eta_s: None, ..measure(puller.progress(), began_at, began) };
                if !waits_for_time {
                    log(
                        &plan,
                        &progress,
                        "the backfill has come up to the present, and follows it to the end of its range",
                    );
                }
                waits_for_time = true;
                states.set(&plan.key, StreamState::WaitingForTime { until, progress });
            }
            Ok(Archived::Missing { numbers }) => {
                let is_bound = |number: &FragmentNumber| named.contains(&Some(number.clone()));
                let (bounds, listed): (Vec<_>, Vec<_>) = numbers.into_iter().partition(is_bound);
                for (numbers, bounds) in [(bounds, true), (listed, false)] {
                    if !numbers.is_empty() {
                        let missing = Notification::FragmentsMissing { numbers: &numbers, bounds };
                        notifications.extend(publisher.notification(&missing));
                    }
                }
            }
            Ok(Archived::Retrying { error, delay }) => {
                telemetry::failed(&plan.key, error.code());
                states.count_error(&plan.key, error.code());
                let (request_id, out_of_files) = (error.request_id(), error.is_out_of_files());
                let error = plan.context.shown(&error);
                if out_of_files {
                    // Said once for all streams.
                    open_files::refused();
                } else {
                    tracing::warn!(%stream, error, request_id, delay_ms = delay.as_millis() as u64, "trying again");
                }
                states.set(&plan.key, StreamState::Retrying { reason: error });
            }
            Ok(Archived::Done) => {
                let progress = BackfillProgress { eta_s: None, ..measure(puller.progress(), began_at, began) };
                if !publisher.finish(notifications, &queue).await {
                    return;
                }
                log(&plan, &progress, "the backfill is done");
                telemetry::backfill(&plan.key, 1_000);
                return states.set(&plan.key, StreamState::Completed(progress));
            }
            Ok(_) => {}
            Err(error) => {
                states.count_error(&plan.key, error.code());
                telemetry::failed(&plan.key, error.code());
                return states.fail(&plan.key, plan.context.shown(&error), Restart::Automatic);
            }
        }
    }
}

/// How far it is, and how long the rest takes at the rate of this run.
fn measure(now: Progress, began_at: Progress, began: Instant) -> BackfillProgress {
    let done = now.permille.saturating_sub(began_at.permille);
    let left = 1_000_u32.saturating_sub(now.permille);
    let elapsed = began.elapsed().as_secs_f64();
    let eta_s = (done > 0).then(|| (elapsed * f64::from(left) / f64::from(done)).round() as u64);
    BackfillProgress { permille: now.permille, fragments: now.fragments, size_bytes: now.size_bytes, eta_s }
}

fn log(plan: &StreamPlan, progress: &BackfillProgress, what: &str) {
    let BackfillProgress { permille, fragments, size_bytes, eta_s } = progress;
    let percent = f64::from(*permille) / 10.0;
    tracing::info!(connector = %plan.key.connector, stream = %plan.stream, percent, fragments, size_bytes, eta_s, "{what}");
}

#[cfg(test)]
#[path = "backfill_tests.rs"]
mod tests;
