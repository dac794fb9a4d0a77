//! Pulling one stream: from the service into the shard's queue.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kvs_client::{ErrorClass, Pulled, PulledFragment, Puller, StreamPosition};
use tokio::sync::mpsc;

use super::StreamPlan;
use super::state::{StreamState, StreamStates};
use crate::record::RecordBuilder;
use crate::shard::{Outgoing, StoredOffset};
use crate::telemetry;

/// After a failure to ask for a stream's ARN it is asked for again after so long.
const DESCRIBE_RETRY: Duration = Duration::from_secs(2);

/// Runs until the queue is closed, the stream fails, or the future is dropped.
pub(super) async fn run(
    plan: Arc<StreamPlan>,
    position: Option<StoredOffset>,
    states: Arc<StreamStates>,
    queue: mpsc::Sender<Outgoing>,
) {
    let context = &plan.context;
    let position = position.map(to_position);
    let place = position.as_ref().map_or("none", |position| position.fragment_number.as_str());
    tracing::info!(connector = %plan.key.connector, stream = %plan.key.stream, after_fragment_number = place, "pulling");
    let builder = RecordBuilder {
        key: Arc::clone(&plan.key),
        stream_name: plan.stream.name().to_owned(),
        stream_arn: plan.arn.get_or_init(|| arn(&plan)).await.clone(),
        topic: Arc::clone(&context.topic),
        topic_partitions: context.topic_partitions,
        key_format: context.key_format,
        encoder: Arc::clone(&context.encoder),
        timestamps: context.timestamps,
    };
    let mut puller = Puller::new(
        Arc::clone(&context.client),
        plan.stream.clone(),
        position,
        context.puller.clone(),
        context.budget.clone(),
    );
    loop {
        match puller.next().await {
            Ok(Pulled::Fragment(pulled)) => {
                states.set(&plan.key, StreamState::Running);
                match outgoing(&plan, &builder, *pulled) {
                    Ok(outgoing) => {
                        if queue.send(outgoing).await.is_err() {
                            return;
                        }
                    }
                    Err(reason) => return states.fail(&plan.key, reason),
                }
            }
            Ok(other) => note(&plan, &states, other),
            Err(error) => return states.fail(&plan.key, error.to_string()),
        }
    }
}

fn to_position(offset: StoredOffset) -> StreamPosition {
    StreamPosition {
        fragment_number: offset.fragment_number,
        continuation_token: offset.continuation_token,
        server_timestamp: offset.server_timestamp,
        producer_timestamp: offset.producer_timestamp,
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
                tracing::warn!(stream = %plan.stream, %error,
                    "the stream's ARN cannot be asked for and is null in its records; grant kinesisvideo:DescribeStream");
                return None;
            }
            Err(error) => {
                tracing::warn!(stream = %plan.stream, %error, "the stream's ARN is asked for again");
                tokio::time::sleep(DESCRIBE_RETRY).await;
            }
        }
    }
}

fn outgoing(plan: &StreamPlan, builder: &RecordBuilder, pulled: PulledFragment) -> Result<Outgoing, String> {
    let PulledFragment { fragment, permit, content_type, request_id } = pulled;
    let received = Instant::now();
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64);
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
    };
    let records = builder.build(fragment, content_type.as_deref(), now_ms).map_err(|error| error.to_string())?;
    Ok(Outgoing { key: Arc::clone(&plan.key), offset, records, size_bytes, received, permit: Box::new(permit) })
}

/// What happens between fragments: into the log, the metrics and the stream's state.
fn note(plan: &StreamPlan, states: &StreamStates, pulled: Pulled) {
    let (key, stream) = (&plan.key, &plan.stream);
    match pulled {
        Pulled::Opened { selector, request_id } => {
            telemetry::session_opened(key);
            tracing::debug!(%stream, selector, request_id, "a session is open");
        }
        Pulled::Waiting { number, received_bytes } => {
            let fragment_number = number.map(|number| number.as_str().to_owned());
            tracing::info!(%stream, fragment_number, received_bytes,
                "the response ended within a fragment: waiting for the rest of it");
            states.set(key, StreamState::WaitingForRest { fragment_number });
        }
        Pulled::Odd { number, times } => {
            tracing::warn!(%stream, fragment_number = %number, times,
                "a fragment came without its end and the next one behind it: it is pulled again");
        }
        Pulled::PositionRefused { error } => {
            telemetry::retried(key, "position");
            let request_id = error.request_id();
            tracing::warn!(%stream, %error, request_id, "the service refused the stream's place: the next way to resume is tried");
        }
        Pulled::Retrying { error, delay } => {
            telemetry::retried(key, error.reason());
            let request_id = error.request_id();
            tracing::warn!(%stream, %error, request_id, delay_ms = delay.as_millis() as u64, "trying again");
            states.set(key, StreamState::Retrying { reason: error.to_string() });
        }
        _ => {}
    }
}
