//! From what was pulled to what is published.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kvs_client::{ErrorClass, PassedOver, PulledFragment, StreamPosition};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::StreamPlan;
use super::states::{Restart, StreamStates};
use crate::record::{Notification, RecordBuilder};
use crate::shard::{DataPartition, Outgoing, Record, StoredOffset};
use crate::telemetry;

/// After a failure to ask for a stream's ARN it is asked for again after this long, and then after twice as long each time.
const DESCRIBE_RETRY: Duration = Duration::from_secs(2);
const DESCRIBE_RETRY_MAX: Duration = Duration::from_secs(600);
/// The first fragment waits this long for the ARN, so that usually all records have it.
const ARN_AWAITED: Duration = Duration::from_secs(1);

/// Makes the records of one stream.
pub(super) struct Publisher<'a> {
    plan: &'a StreamPlan,
    builder: RecordBuilder,
    arn_awaited: bool,
    /// Has a token of each that has been handed over and is not committed yet.
    in_flight: TaskTracker,
}

pub(super) fn to_position(offset: StoredOffset) -> StreamPosition {
    StreamPosition {
        fragment_number: offset.fragment_number,
        continuation_token: offset.continuation_token,
        server_timestamp: offset.server_timestamp,
        producer_timestamp: offset.producer_timestamp,
    }
}

pub(super) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64)
}

/// A notification that has no fragment to go with.
pub(super) fn last_words(plan: &StreamPlan, notification: &Notification<'_>) -> Option<Outgoing> {
    Some(without_fragment(plan, vec![notification_record(plan, notification)?]))
}

/// Notifications that have no fragment to go with.
pub(super) fn without_fragment(plan: &StreamPlan, notifications: Vec<Record>) -> Outgoing {
    let (key, records) = (Arc::clone(&plan.key), Vec::new());
    Outgoing {
        key,
        offset: None,
        records,
        notifications,
        size_bytes: 0,
        received: Instant::now(),
        permit: Box::new(()),
    }
}

fn notification_record(plan: &StreamPlan, notification: &Notification<'_>) -> Option<Record> {
    let arn = known_arn(plan);
    let topic = &plan.context.notifications;
    tracing::warn!(connector = %plan.key.connector, stream = %plan.stream, "{}", notification.message());
    match topic.record(&plan.key, plan.stream.name(), arn.as_deref(), now_ms(), notification) {
        Ok(record) => Some(record),
        Err(error) => {
            tracing::error!(stream = %plan.stream, %error, "a notification is lost");
            None
        }
    }
}

impl<'a> Publisher<'a> {
    /// Returns what publishes a stream, to this partition of the data topic. The ARN is null in its records until it is known;
    /// see [`learn_arn`].
    pub(super) fn new(plan: &'a StreamPlan, partition: i32) -> Self {
        let context = &plan.context;
        let builder = RecordBuilder {
            key: Arc::clone(&plan.key),
            stream_name: plan.stream.name().to_owned(),
            stream_arn: known_arn(plan),
            topic: Arc::clone(&context.topic),
            partition,
            key_format: context.key_format,
            encoder: Arc::clone(&context.encoder),
            timestamps: context.timestamps,
            ingest_time: false,
        };
        Self { plan, builder, arn_awaited: false, in_flight: TaskTracker::new() }
    }

    pub(super) fn notification(&self, notification: &Notification<'_>) -> Option<Record> {
        notification_record(self.plan, notification)
    }

    /// Hands a fragment to the shard, with what is to be told along with it. `false`: the task is over, for the queue is
    /// closed or the stream has failed.
    pub(super) async fn send(
        &mut self,
        pulled: PulledFragment,
        notifications: &mut Vec<Record>,
        states: &StreamStates,
        queue: &mpsc::Sender<Outgoing>,
    ) -> bool {
        if self.builder.stream_arn.is_none() {
            if !std::mem::replace(&mut self.arn_awaited, true) {
                let _ = tokio::time::timeout(ARN_AWAITED, learn_arn(self.plan)).await;
            }
            self.builder.stream_arn = known_arn(self.plan);
        }
        self.builder.ingest_time = states.writes_ingest_time(&self.plan.key);
        match self.fragment(pulled) {
            Ok(mut outgoing) => {
                outgoing.notifications.append(notifications);
                self.hand_over(outgoing, queue).await
            }
            Err(reason) => {
                states.fail(&self.plan.key, reason, Restart::Automatic);
                false
            }
        }
    }

    /// Moves the stream's offset over a fragment that cannot be parsed, together with a notification that says so.
    pub(super) async fn pass_over(
        &self,
        passed_over: PassedOver,
        notifications: &mut Vec<Record>,
        queue: &mpsc::Sender<Outgoing>,
    ) -> bool {
        let PassedOver { position, reason, request_id } = passed_over;
        telemetry::passed_over(&self.plan.key);
        tracing::error!(stream = %self.plan.stream, fragment_number = %position.fragment_number, reason, request_id,
            "the fragment cannot be parsed and is passed over (errors.tolerance is all)");
        let notification = Notification::FragmentPassedOver { position: &position, reason: &reason };
        notifications.extend(self.notification(&notification));
        let outgoing = Outgoing {
            offset: Some(StoredOffset {
                continuation_token: position.continuation_token,
                fragment_number: position.fragment_number,
                server_timestamp: position.server_timestamp,
                producer_timestamp: position.producer_timestamp,
                sequence: None,
                data_partition: Some(self.data_partition()),
            }),
            ..without_fragment(self.plan, std::mem::take(notifications))
        };
        self.hand_over(outgoing, queue).await
    }

    async fn hand_over(&self, outgoing: Outgoing, queue: &mpsc::Sender<Outgoing>) -> bool {
        let permit = Box::new((outgoing.permit, self.in_flight.token()));
        queue.send(Outgoing { permit, ..outgoing }).await.is_ok()
    }

    /// Hands over what is still to be told, and waits until all that has been handed over is committed. `false`: the queue is
    /// closed. When the shard is lost meanwhile, the stream's task ends before this does.
    pub(super) async fn finish(self, notifications: Vec<Record>, queue: &mpsc::Sender<Outgoing>) -> bool {
        if !notifications.is_empty() && !self.hand_over(without_fragment(self.plan, notifications), queue).await {
            return false;
        }
        self.in_flight.close();
        self.in_flight.wait().await;
        true
    }

    /// Where the stream's records go.
    fn data_partition(&self) -> DataPartition {
        DataPartition { topic: self.builder.topic.to_string(), partition: self.builder.partition }
    }

    /// A fragment's records and offset.
    fn fragment(&self, pulled: PulledFragment) -> Result<Outgoing, String> {
        let PulledFragment { fragment, permit, content_type, request_id } = pulled;
        let plan = self.plan;
        let received = Instant::now();
        let size_bytes = fragment.payload.len();
        tracing::trace!(stream = %plan.stream, fragment_number = %fragment.number, size_bytes, "received");
        if !fragment.complete {
            telemetry::incomplete(&plan.key);
            tracing::warn!(stream = %plan.stream, fragment_number = %fragment.number, request_id,
                "the fragment's end never came, three times running: published as it is, with complete=false");
        }
        if let Some(millis) = fragment.millis_behind_now {
            telemetry::millis_behind_now(&plan.key, millis);
        }
        let offset = StoredOffset {
            continuation_token: fragment.continuation_token.as_deref().map(str::to_owned),
            fragment_number: fragment.number.clone(),
            server_timestamp: fragment.server_timestamp,
            producer_timestamp: fragment.producer_timestamp,
            sequence: None,
            data_partition: Some(self.data_partition()),
        };
        let built = self.builder.build(fragment, content_type.as_deref(), now_ms());
        let records = built.map_err(|error| error.to_string())?;
        let key = Arc::clone(&plan.key);
        let (offset, notifications) = (Some(offset), Vec::new());
        Ok(Outgoing { key, offset, records, notifications, size_bytes, received, permit: Box::new(permit) })
    }
}

/// The stream's ARN, where it is configured or has been learned.
fn known_arn(plan: &StreamPlan) -> Option<String> {
    let learned = || plan.arn.get().cloned().flatten();
    plan.stream.arn().map(str::to_owned).or_else(learned)
}

/// Asks for the stream's ARN until it is known. Nothing that is pulled waits for it.
pub(super) async fn learn_arn(plan: &StreamPlan) {
    plan.arn.get_or_init(|| arn(plan)).await;
}

/// Asks for the stream's ARN while it is pulled, and never ends.
pub(super) async fn keep_learning(plan: &StreamPlan) -> std::convert::Infallible {
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
                let remedy = match error.class() {
                    ErrorClass::Fatal | ErrorClass::RefreshCredentials => "; grant kinesisvideo:DescribeStream",
                    _ => "",
                };
                tracing::warn!(stream = %plan.stream, error = plan.context.shown(&error), retry_in_s = delay.as_secs(),
                    "the stream's ARN is not known yet and is null in its records{remedy}");
            }
        }
        tokio::time::sleep(delay).await;
        delay = delay.saturating_mul(2).min(DESCRIBE_RETRY_MAX);
    }
}
