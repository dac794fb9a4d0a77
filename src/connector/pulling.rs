//! The loop of a stream's task: what pulling live and backfilling have in common.
//!
//! **Contract.** The task runs until its queue is closed, the stream fails or is done, or its future is dropped. Fragments are
//! passed to the shard in the order in which they arrive, each with the notifications that came before it.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::pin;
use std::time::{Duration, Instant};

use kvs_client::{Error, PassedOver, PulledFragment};
use tokio::sync::{mpsc, watch};

use super::StreamPlan;
use super::memory;
use super::publish::{Publisher, last_words};
use super::silence::Silence;
use super::state::{Interruption, StreamState, StreamStatus};
use super::states::{Restart, StreamStates};
use crate::model::{Publication, Record, StoredOffset};
use crate::output::Notification;
use crate::supervision::{Part, fault_point};
use crate::{open_files, telemetry};

/// Whether the task continues after an event.
pub(super) type Flow = ControlFlow<()>;

/// Pulls a stream, event by event.
pub(super) trait Source {
    /// The events of this source.
    type Event;

    /// Returns the next event.
    fn next(&mut self) -> impl Future<Output = Result<Self::Event, Error>> + Send;

    /// Returns after how long without a fragment the stream counts as silent; `None`: never.
    fn silent_after(&self, _plan: &StreamPlan) -> Option<Duration> {
        None
    }

    /// Returns a channel that contains since when the stream has waited for memory.
    fn waits_for_memory(&self) -> watch::Receiver<Option<Instant>>;

    /// Handles an event.
    fn happened(&mut self, event: Self::Event, task: &mut StreamTask<'_>) -> impl Future<Output = Flow> + Send;
}

/// The task of one stream.
pub(super) struct StreamTask<'a> {
    pub(super) plan: &'a StreamPlan,
    pub(super) states: &'a StreamStates,
    queue: &'a mpsc::Sender<Publication>,
    publisher: Publisher<'a>,
    /// Notifications to publish in the next fragment's transaction.
    notifications: Vec<Record>,
    /// Whether the stream had no position when the task began.
    pub(super) is_new: bool,
    silence: Silence,
}

impl<'a> StreamTask<'a> {
    /// Returns a task that continues a stream from a position, or `None` if the stream has failed.
    pub(super) fn new(
        plan: &'a StreamPlan,
        position: Option<&StoredOffset>,
        states: &'a StreamStates,
        queue: &'a mpsc::Sender<Publication>,
    ) -> Option<Self> {
        match plan.outputs(position) {
            Ok(outputs) => {
                let is_new = position.is_none();
                let publisher = Publisher::new(plan, outputs, is_new);
                let silence = Silence::new(None);
                Some(Self { plan, states, queue, publisher, notifications: Vec::new(), is_new, silence })
            }
            Err(unusable) => {
                states.fail(&plan.key, unusable.to_string(), Restart::Automatic);
                None
            }
        }
    }

    /// Runs until the source or the queue ends.
    pub(super) async fn run(mut self, mut source: impl Source) {
        let mut waits = source.waits_for_memory();
        self.silence = Silence::new(source.silent_after(self.plan));
        loop {
            fault_point(Part::Stream);
            let flow = match self.next(&mut source, &mut waits).await {
                Ok(event) => source.happened(event, &mut self).await,
                Err(error) => self.failed(&error),
            };
            if flow.is_break() {
                return;
            }
        }
    }

    /// Waits for the next event, and reports meanwhile that the stream is silent.
    async fn next<S: Source>(
        &mut self,
        source: &mut S,
        waits: &mut watch::Receiver<Option<Instant>>,
    ) -> Result<S::Event, Error> {
        let (plan, states) = (self.plan, self.states);
        let mut next = pin!(memory::pulled(source.next(), waits, plan, states));
        loop {
            let silent = tokio::select! {
                biased;
                event = &mut next => return event,
                silent = self.silence.noticed() => silent,
            };
            // What is missing then is memory, which is reported as such.
            let waits_for_memory = |status: &StreamStatus| matches!(status.state, StreamState::WaitingForMemory);
            if states.look(&plan.key, waits_for_memory) == Some(true) {
                self.silence.ended();
            } else if states.interrupt(&plan.key, Interruption::Silent) {
                let cause = states.look(&plan.key, StreamStatus::cause).flatten();
                let silent_s = silent.as_secs();
                self.tell(&Notification::StreamSilent { silent_s, cause: cause.as_deref() }).await;
            }
        }
    }

    /// Publishes a notification at once, without waiting for a fragment.
    pub(super) async fn tell(&self, notification: &Notification<'_>) {
        // A queue that is closed ends the task at its next fragment.
        let _ = self.queue.send(last_words(self.plan, notification)).await;
    }

    /// Publishes a fragment.
    pub(super) async fn publish(&mut self, pulled: PulledFragment) -> Flow {
        let states = self.states;
        let sent = self.publisher.send(pulled, &mut self.notifications, states, self.queue).await;
        // A queue that was full is no silence.
        self.silence.ended();
        if sent { Flow::Continue(()) } else { Flow::Break(()) }
    }

    /// Moves the stream's offset past a fragment that cannot be parsed.
    pub(super) async fn pass_over(&mut self, passed_over: PassedOver) -> Flow {
        let sent = self.publisher.pass_over(passed_over, &mut self.notifications, self.states, self.queue).await;
        self.silence.ended();
        if sent { Flow::Continue(()) } else { Flow::Break(()) }
    }

    /// Adds a notification to the next fragment.
    pub(super) fn notify(&mut self, notification: &Notification<'_>) {
        self.notifications.extend(self.publisher.notification(notification));
    }

    /// Notes that the source is retrying.
    pub(super) fn retrying(&self, error: &Error, delay: Duration) {
        let (plan, states) = (self.plan, self.states);
        self.count(error);
        let (request_id, shown) = (error.request_id(), plan.context.shown(error));
        if error.is_out_of_files() {
            // Logged once for all streams.
            open_files::refused();
        } else {
            let delay_ms = delay.as_millis() as u64;
            tracing::warn!(stream = %plan.stream, error = shown, request_id, delay_ms, "trying again");
        }
        states.set(&plan.key, StreamState::Retrying { reason: shown });
    }

    /// Counts an error in the metrics and the stream's status.
    pub(super) fn count(&self, error: &Error) {
        telemetry::failed(&self.plan.key, error.code());
        self.states.count_error(&self.plan.key, error.code());
    }

    /// Gives the stream up. A deleted stream is left to discovery if there is one; any other stream fails.
    fn failed(&self, error: &Error) -> Flow {
        let (plan, context) = (self.plan, &self.plan.context);
        self.count(error);
        let reason = context.shown(error);
        if context.discovered && context.backfill.is_none() && error.is_not_found() {
            self.states.set(&plan.key, StreamState::Gone { reason });
        } else {
            self.states.fail(&plan.key, reason, Restart::Automatic);
        }
        Flow::Break(())
    }

    /// Publishes pending notifications, and waits until everything published is committed.
    pub(super) async fn finish(&mut self) -> Flow {
        let notifications = std::mem::take(&mut self.notifications);
        if self.publisher.finish(notifications, self.queue).await { Flow::Continue(()) } else { Flow::Break(()) }
    }
}

/// Returns the number of the stream's last published fragment, for the log.
pub(super) fn after_fragment_number(position: Option<&StoredOffset>) -> &str {
    position.map_or("none", |position| position.fragment_number.as_str())
}
