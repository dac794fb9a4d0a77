//! Turns what was pulled into what is published.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use kvs_client::{PassedOver, PulledFragment, RawChunk, StreamPosition};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::StreamPlan;
use super::placing::placed;
use super::states::{Restart, StreamStates};
use crate::config::service_errors::explain_passed_over;
use crate::model::{Publication, Record, StoredOffset};
use crate::output::{DeadLetter, Notification, ProjectError, PublishedWith, StreamOutputs, Unpublished};
use crate::supervision::fault_point_in;
use crate::{open_files, telemetry};

/// The delay before the ARN is requested again after a failure; it doubles each time.
const DESCRIBE_RETRY: Duration = Duration::from_secs(2);
const DESCRIBE_RETRY_MAX: Duration = Duration::from_secs(600);
/// How long the first fragment waits for the ARN, so that usually all records have it.
const ARN_AWAITED: Duration = Duration::from_secs(1);

/// Publishes one stream by passing its fragments to the shard.
pub(super) struct Publisher<'a> {
    plan: &'a StreamPlan,
    outputs: StreamOutputs,
    arn_awaited: bool,
    /// Whether the next fragment is the connector's first of the stream.
    is_new: bool,
    /// The interruption whose end has been reported.
    ended_interruption: Option<u64>,
    /// Holds a token for each publication that has been sent to the shard and is not committed yet.
    in_flight: TaskTracker,
}

pub(super) fn to_position(offset: StoredOffset) -> StreamPosition {
    StreamPosition {
        fragment_number: offset.fragment_number,
        continuation_token: offset.continuation_token,
        server_timestamp: offset.server_timestamp,
        producer_timestamp: offset.producer_timestamp,
        continuity: offset.continuity,
    }
}

/// Returns the records of a notification about a stream. A notification that cannot be encoded is dropped and logged.
pub(super) fn notify(plan: &StreamPlan, notification: &Notification<'_>) -> Vec<Record> {
    let (connector, stream) = (&plan.key.connector, &plan.stream);
    if notification.is_good_news() {
        tracing::info!(%connector, %stream, "{}", notification.message());
    } else {
        tracing::warn!(%connector, %stream, "{}", notification.message());
    }
    let records = plan.context.outputs.notify(&plan.key, plan.stream.name(), plan.known_arn(), notification);
    records.unwrap_or_else(|error| {
        tracing::error!(stream = %plan.stream, %error, "a notification was dropped");
        Vec::new()
    })
}

/// Returns a publication for a notification that has no fragment to go with.
pub(super) fn last_words(plan: &StreamPlan, notification: &Notification<'_>) -> Publication {
    Publication::of_notifications(Arc::clone(&plan.key), notify(plan, notification))
}

impl<'a> Publisher<'a> {
    /// Returns a publisher of a stream to these outputs; `is_new`: nothing of the stream has been published yet. The ARN is null in its records until it is known; see [`learn_arn`].
    pub(super) fn new(plan: &'a StreamPlan, outputs: StreamOutputs, is_new: bool) -> Self {
        let in_flight = TaskTracker::new();
        Self { plan, outputs, arn_awaited: false, is_new, ended_interruption: None, in_flight }
    }

    /// Returns the records of a notification about the stream.
    pub(super) fn notification(&self, notification: &Notification<'_>) -> Vec<Record> {
        notify(self.plan, notification)
    }

    /// Passes a fragment to the shard, together with pending notifications. Returns `false` when the task is over, because the
    /// queue is closed or the stream has failed.
    pub(super) async fn send(
        &mut self,
        pulled: PulledFragment,
        notifications: &mut Vec<Record>,
        states: &StreamStates,
        queue: &mpsc::Sender<Publication>,
    ) -> bool {
        if self.plan.known_arn().is_none() && !std::mem::replace(&mut self.arn_awaited, true) {
            let _ = tokio::time::timeout(ARN_AWAITED, learn_arn(self.plan)).await;
        }
        self.note_received(&pulled);
        let refused_sizes = states.refused_sizes(&self.plan.key);
        let with = PublishedWith {
            stream_arn: self.plan.known_arn(),
            ingest_time: states.writes_ingest_time(&self.plan.key),
            refused_sizes: refused_sizes.as_ref(),
        };
        let made = placed(self.outputs.publication(pulled, with), self.plan, states).await;
        match made {
            Ok(mut publication) => {
                if std::mem::take(&mut self.is_new) {
                    notifications.extend(self.notification(&Notification::StreamStarted));
                }
                self.note_resumed(notifications, states);
                publication.notifications.append(notifications);
                self.hand_over(publication, queue).await
            }
            Err(unpublished) => self.unpublished(unpublished, notifications, states, queue).await,
        }
    }

    /// Says that the stream goes on, if it was reported that it did not. Of several fragments that are not committed yet, the first
    /// one says so.
    fn note_resumed(&mut self, notifications: &mut Vec<Record>, states: &StreamStates) {
        let Some(interruption) = states.interruption(&self.plan.key) else { return };
        if self.ended_interruption.replace(interruption) != Some(interruption) {
            notifications.extend(self.notification(&Notification::StreamResumed));
        }
    }

    /// Skips a fragment that cannot be published, if the fragment itself is the reason and that is tolerated; else the stream
    /// fails.
    async fn unpublished(
        &mut self,
        mut unpublished: Unpublished,
        notifications: &mut Vec<Record>,
        states: &StreamStates,
        queue: &mpsc::Sender<Publication>,
    ) -> bool {
        let stage = match &unpublished.error {
            ProjectError::Fragment(error) if self.plan.context.puller.pass_over_unparsable => error.stage(),
            error => {
                let reason = self.plan.context.resolved.hide(&error.to_string());
                states.fail(&self.plan.key, reason, Restart::Automatic);
                return false;
            }
        };
        self.note_resumed(notifications, states);
        let permit = unpublished.take_permit();
        let (reason, fragment) = (unpublished.error.to_string(), unpublished.fragment());
        let position = StreamPosition { continuity: unpublished.continuity(), ..StreamPosition::after(fragment) };
        let letter = DeadLetter {
            stage,
            reason: &reason,
            number: &fragment.number,
            server_timestamp: fragment.server_timestamp,
            producer_timestamp: fragment.producer_timestamp,
            bytes: &fragment.payload,
            size_bytes: Some(fragment.payload.len() as u64),
            content_type: unpublished.content_type(),
        };
        self.skip(&letter, (position, permit), notifications, states, queue).await
    }

    /// Moves the stream's offset past a fragment, together with what is kept of the fragment and a notification.
    async fn skip(
        &mut self,
        letter: &DeadLetter<'_>,
        (position, permit): (StreamPosition, Box<dyn Any + Send>),
        notifications: &mut Vec<Record>,
        states: &StreamStates,
        queue: &mpsc::Sender<Publication>,
    ) -> bool {
        let (stage, reason) = (letter.stage, letter.reason);
        let records = match self.outputs.dead_letter(letter, self.plan.known_arn()) {
            Ok(records) => records,
            Err(error) => {
                states.fail(&self.plan.key, error.to_string(), Restart::Automatic);
                return false;
            }
        };
        let topic = self.outputs.dead_letter_topic();
        telemetry::passed_over(&self.plan.key, stage);
        // The notification's own line says it, too.
        tracing::debug!(stream = %self.plan.stream, fragment_number = %letter.number, stage, reason,
            dead_letter_topic = topic.as_deref(), "the fragment is passed over (errors.tolerance is all)");
        let notification =
            Notification::FragmentPassedOver { position: &position, reason, dead_letter_topic: topic.as_deref() };
        notifications.extend(self.notification(&notification));
        let publication = Publication {
            offset: Some(self.outputs.offset_after(position)),
            records,
            permit,
            ..self.notifications_alone(std::mem::take(notifications))
        };
        self.hand_over(publication, queue).await
    }

    /// Skips a fragment that cannot be parsed.
    pub(super) async fn pass_over(
        &mut self,
        passed_over: PassedOver,
        notifications: &mut Vec<Record>,
        states: &StreamStates,
        queue: &mpsc::Sender<Publication>,
    ) -> bool {
        let reason = explain_passed_over(&passed_over);
        let PassedOver { position, request_id, raw, .. } = passed_over;
        let RawChunk { bytes, size_bytes, permit, .. } = raw;
        let permit: Box<dyn Any + Send> = Box::new(permit);
        tracing::debug!(stream = %self.plan.stream, fragment_number = %position.fragment_number, request_id,
            "a fragment cannot be parsed");
        let number = position.fragment_number.clone();
        let letter = DeadLetter {
            stage: "parse",
            reason: &reason,
            number: &number,
            server_timestamp: position.server_timestamp,
            producer_timestamp: position.producer_timestamp,
            bytes: &bytes,
            size_bytes,
            content_type: "video/x-matroska",
        };
        self.skip(&letter, (position, permit), notifications, states, queue).await
    }

    fn notifications_alone(&self, notifications: Vec<Record>) -> Publication {
        Publication::of_notifications(Arc::clone(&self.plan.key), notifications)
    }

    async fn hand_over(&self, publication: Publication, queue: &mpsc::Sender<Publication>) -> bool {
        let permit = Box::new((publication.permit, self.in_flight.token()));
        queue.send(Publication { permit, ..publication }).await.is_ok()
    }

    /// Passes pending notifications to the shard, and waits until everything sent to it is committed. Returns `false` when the
    /// queue is closed. When the shard is lost meanwhile, the stream's task ends before this returns.
    pub(super) async fn finish(&self, notifications: Vec<Record>, queue: &mpsc::Sender<Publication>) -> bool {
        if !notifications.is_empty() && !self.hand_over(self.notifications_alone(notifications), queue).await {
            return false;
        }
        self.in_flight.close();
        self.in_flight.wait().await;
        true
    }

    /// Records a received fragment in the log and the metrics.
    fn note_received(&self, pulled: &PulledFragment) {
        let (plan, fragment) = (self.plan, &pulled.fragment);
        let size_bytes = fragment.payload.len();
        tracing::trace!(stream = %plan.stream, fragment_number = %fragment.number, size_bytes, "received");
        if !fragment.complete {
            telemetry::incomplete(&plan.key);
            tracing::warn!(stream = %plan.stream, fragment_number = %fragment.number, request_id = pulled.request_id,
                "the fragment's end is missing, three times in a row: published as it is, with complete=false");
        }
        if let Some(millis) = fragment.millis_behind_now {
            telemetry::millis_behind_now(&plan.key, millis);
        }
    }
}

/// Requests the stream's ARN until it is known. Pulling does not wait for it.
pub(super) async fn learn_arn(plan: &StreamPlan) {
    plan.arn.get_or_init(|| arn(plan)).await;
}

/// Requests the stream's ARN while the stream is pulled, and never returns.
pub(super) async fn keep_learning(plan: &StreamPlan) -> std::convert::Infallible {
    fault_point_in("learning");
    learn_arn(plan).await;
    std::future::pending().await
}

async fn arn(plan: &StreamPlan) -> Option<String> {
    if let Some(arn) = plan.stream.arn() {
        return Some(arn.to_owned());
    }
    let mut delay = DESCRIBE_RETRY;
    loop {
        match plan.context.client.describe_stream(&plan.stream).await {
            Ok(info) => return Some(info.arn),
            Err(error) => {
                let remedy = match &error {
                    kvs_client::Error::Service(refused)
                        if matches!(&*refused.error_type, "AccessDeniedException" | "NotAuthorizedException") =>
                    {
                        "; grant kinesisvideo:DescribeStream"
                    }
                    _ => "",
                };
                if error.is_out_of_files() {
                    // Logged once for all streams.
                    open_files::refused();
                } else {
                    tracing::warn!(stream = %plan.stream, error = plan.context.shown(&error), retry_in_s = delay.as_secs(),
                        "the stream's ARN is not known yet and is null in its records{remedy}");
                }
            }
        }
        tokio::time::sleep(delay).await;
        delay = delay.saturating_mul(2).min(DESCRIBE_RETRY_MAX);
    }
}
