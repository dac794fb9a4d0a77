//! A backfill job: reads a range of one stream's archive from its position to the end of the range, with progress.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kvs_client::{ArchiveBounds, ArchivePuller, Archived, Error, FragmentNumber, Progress};
use tokio::sync::{mpsc, watch};

use super::StreamPlan;
use super::publish::to_position;
use super::pulling::{Flow, Source, StreamTask, after_fragment_number};
use super::state::{BackfillProgress, StreamState};
use super::states::StreamStates;
use crate::model::{Publication, StoredOffset};
use crate::output::Notification;
use crate::telemetry;

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
    let Some(task) = StreamTask::new(&plan, position.as_ref(), &states, &queue) else { return };
    let number = |number: &Option<FragmentNumber>| number.as_ref().map(|number| number.as_str().to_owned());
    tracing::info!(connector = %plan.key.connector, %stream, from = bounds.from.map(|from| from.to_string()),
        to = bounds.to.map(|to| to.to_string()), first = number(&bounds.first), last = number(&bounds.last),
        after_fragment_number = after_fragment_number(position.as_ref()), "backfilling");
    let named = [bounds.first.clone(), bounds.last.clone()];
    let puller = ArchivePuller::new(
        Arc::clone(&context.client),
        stream.clone(),
        bounds,
        position.map(to_position).as_ref(),
        context.puller.clone(),
        context.budget.clone(),
    );
    let (began, began_at) = (Instant::now(), puller.progress());
    task.run(Backfill { puller, named, began, began_at, logged: began, waits_for_time: false }).await;
}

/// A range of a stream's archive.
struct Backfill {
    puller: ArchivePuller,
    /// The fragments that the settings name as its bounds.
    named: [Option<FragmentNumber>; 2],
    /// When this run began, and how far the backfill was then.
    began: Instant,
    began_at: Progress,
    /// When progress was logged last.
    logged: Instant,
    /// Whether the backfill has caught up with the present.
    waits_for_time: bool,
}

impl Backfill {
    fn progress(&self) -> BackfillProgress {
        measure(self.puller.progress(), self.began_at, self.began)
    }

    /// Reports the backfill's progress.
    fn report(&self, task: &StreamTask<'_>) -> BackfillProgress {
        let progress = self.progress();
        task.states.set(&task.plan.key, StreamState::Backfilling(progress));
        telemetry::backfill(&task.plan.key, progress.permille);
        progress
    }
}

impl Source for Backfill {
    type Event = Archived;

    async fn next(&mut self) -> Result<Archived, Error> {
        self.puller.next().await
    }

    fn waits_for_memory(&self) -> watch::Receiver<Option<Instant>> {
        self.puller.waits_for_memory()
    }

    async fn happened(&mut self, archived: Archived, task: &mut StreamTask<'_>) -> Flow {
        let (plan, states) = (task.plan, task.states);
        match archived {
            Archived::Fragment(pulled) => {
                let progress = self.report(task);
                if self.logged.elapsed() >= LOGGED_EVERY {
                    self.logged = Instant::now();
                    log(plan, &progress, "backfilling");
                }
                return task.publish(*pulled).await;
            }
            Archived::PassedOver(passed_over) => return task.pass_over(*passed_over).await,
            Archived::Begun { range } => {
                self.began_at = self.puller.progress();
                tracing::info!(stream = %plan.stream, from = %range.from, to = %range.to,
                    "the fragments that bound the backfill have been found");
            }
            Archived::Listed => _ = self.report(task),
            Archived::WaitsForTime { until } => {
                let progress = BackfillProgress { eta_s: None, ..self.progress() };
                if !std::mem::replace(&mut self.waits_for_time, true) {
                    log(
                        plan,
                        &progress,
                        "the backfill has caught up with the present, and follows it to the end of its range",
                    );
                }
                states.set(&plan.key, StreamState::WaitingForTime { until, progress });
            }
            Archived::Missing { numbers } => {
                let is_bound = |number: &FragmentNumber| self.named.contains(&Some(number.clone()));
                let (bounds, listed): (Vec<_>, Vec<_>) = numbers.into_iter().partition(is_bound);
                for (numbers, bounds) in [(bounds, true), (listed, false)] {
                    if !numbers.is_empty() {
                        task.notify(&Notification::FragmentsMissing { numbers: &numbers, bounds });
                    }
                }
            }
            Archived::Retrying { error, delay } => task.retrying(&error, delay),
            Archived::Done => {
                let progress = BackfillProgress { eta_s: None, ..self.progress() };
                if progress.fragments > 0 {
                    task.notify(&Notification::StreamEnded { fragments: progress.fragments });
                }
                if task.finish().await.is_continue() {
                    log(plan, &progress, "the backfill is done");
                    telemetry::backfill(&plan.key, 1_000);
                    states.set(&plan.key, StreamState::Completed(progress));
                }
                return Flow::Break(());
            }
            _ => {}
        }
        Flow::Continue(())
    }
}

/// Returns the progress, and the time left at the rate of this run.
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
