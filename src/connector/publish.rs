//! From what was pulled to what is published.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kvs_client::{ErrorClass, PulledFragment, StreamPosition};
use tokio::sync::mpsc;

use super::StreamPlan;
use super::state::{Restart, StreamStates};
use crate::record::{Notification, RecordBuilder};
use crate::shard::{DataPartition, Outgoing, Record, StoredOffset};
use crate::telemetry;

/// After a failure to ask for a stream's ARN it is asked for again after so long.
const DESCRIBE_RETRY: Duration = Duration::from_secs(2);

/// Makes the records of one stream.
pub(super) struct Publisher<'a> {
    plan: &'a StreamPlan,
    builder: RecordBuilder,
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
    let arn = plan.arn.get().and_then(Option::as_deref);
    let topic = &plan.context.notifications;
    tracing::warn!(connector = %plan.key.connector, stream = %plan.stream, "{}", notification.message());
    match topic.record(&plan.key, plan.stream.name(), arn, now_ms(), notification) {
        Ok(record) => Some(record),
        Err(error) => {
            tracing::error!(stream = %plan.stream, %error, "a notification is lost");
            None
        }
    }
}

impl<'a> Publisher<'a> {
    /// Asks for the stream's ARN first, if that is not known. The records go to this partition of the data topic.
    pub(super) async fn new(plan: &'a StreamPlan, partition: i32) -> Self {
        let context = &plan.context;
        let builder = RecordBuilder {
            key: Arc::clone(&plan.key),
            stream_name: plan.stream.name().to_owned(),
            stream_arn: plan.arn.get_or_init(|| arn(plan)).await.clone(),
            topic: Arc::clone(&context.topic),
            partition,
            key_format: context.key_format,
            encoder: Arc::clone(&context.encoder),
            timestamps: context.timestamps,
        };
        Self { plan, builder }
    }

    pub(super) fn notification(&self, notification: &Notification<'_>) -> Option<Record> {
        notification_record(self.plan, notification)
    }

    /// Hands a fragment to the shard, with what is to be told along with it. `false`: the task is over, for the queue is
    /// closed or the stream has failed.
    pub(super) async fn send(
        &self,
        pulled: PulledFragment,
        notifications: &mut Vec<Record>,
        states: &StreamStates,
        queue: &mpsc::Sender<Outgoing>,
    ) -> bool {
        match self.fragment(pulled) {
            Ok(mut outgoing) => {
                outgoing.notifications.append(notifications);
                queue.send(outgoing).await.is_ok()
            }
            Err(reason) => {
                states.fail(&self.plan.key, reason, Restart::Automatic);
                false
            }
        }
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
        telemetry::budget_used(plan.context.budget.used_bytes());
        let offset = StoredOffset {
            continuation_token: fragment.continuation_token.as_deref().map(str::to_owned),
            fragment_number: fragment.number.clone(),
            server_timestamp: fragment.server_timestamp,
            producer_timestamp: fragment.producer_timestamp,
            sequence: None,
            data_partition: Some(DataPartition {
                topic: self.builder.topic.to_string(),
                partition: self.builder.partition,
            }),
        };
        let built = self.builder.build(fragment, content_type.as_deref(), now_ms());
        let records = built.map_err(|error| error.to_string())?;
        let key = Arc::clone(&plan.key);
        let (offset, notifications) = (Some(offset), Vec::new());
        Ok(Outgoing { key, offset, records, notifications, size_bytes, received, permit: Box::new(permit) })
    }
}

/// The stream's ARN; `None` when the connector may not ask for it.
async fn arn(plan: &StreamPlan) -> Option<String> {
    if let Some(arn) = plan.stream.arn() {
        return Some(arn.to_owned());
    }
    loop {
        match plan.context.client.describe_stream(&plan.stream).await {
            Ok(info) => return Some(info.arn),
            Err(error) if matches!(error.class(), ErrorClass::Fatal | ErrorClass::RefreshCredentials) => {
                tracing::warn!(stream = %plan.stream, error = plan.context.shown(&error),
                    "the stream's ARN cannot be asked for and is null in its records; grant kinesisvideo:DescribeStream");
                return None;
            }
            Err(error) => {
                tracing::warn!(stream = %plan.stream, error = plan.context.shown(&error), "the stream's ARN is asked for again");
                tokio::time::sleep(DESCRIBE_RETRY).await;
            }
        }
    }
}
