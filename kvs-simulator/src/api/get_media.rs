//! GetMedia (`kvs-api.txt`, kinesis-video-media 2017-09-30).

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use kvs_mkv::FragmentNumber;
use serde::Deserialize;

use super::parse;
use crate::error::ServiceError;
use crate::fault::FaultKind;
use crate::media::Session;
use crate::server::{ConnectionHandle, Shared};
use crate::stream::{Held, Stream};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetMedia {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    start_selector: Option<StartSelector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StartSelector {
    start_selector_type: Option<String>,
    after_fragment_number: Option<String>,
    start_timestamp: Option<f64>,
    continuation_token: Option<String>,
}

pub(super) async fn get_media(
    State(shared): State<Arc<Shared>>,
    connection: Option<Extension<ConnectionHandle>>,
    body: Bytes,
) -> Result<Response, ServiceError> {
    let request: GetMedia = parse(&body)?;
    let stream = shared.store.find(request.stream_name.as_deref(), request.stream_arn.as_deref())?;
    if !stream.admit_call(&shared.limits) {
        let message = "Kinesis Video Streams has throttled the request because you have exceeded the limit of \
                       allowed client calls. Try making the call later.";
        return Err(ServiceError::new(400, "ClientLimitExceededException", message));
    }
    let fault = shared.faults.take("GetMedia", Some(&stream.name));
    if let Some(FaultKind::Refuse { status, error_type, message }) = fault {
        return Err(ServiceError::new(status, &error_type, message));
    }
    let selector =
        request.start_selector.ok_or_else(|| ServiceError::invalid_argument("StartSelector is required."))?;
    let index = start_index(&stream, &selector)?;
    let Ok(permit) = Arc::clone(&stream.connections).try_acquire_owned() else {
        let message = "Kinesis Video Streams has throttled the request because you have exceeded the limit of \
                       allowed client connections.";
        return Err(ServiceError::new(400, "ConnectionLimitExceededException", message));
    };
    let connection = connection.map(|Extension(connection)| connection);
    let session = Session::new(stream, index, fault, shared.limits, connection, permit);
    let body = Body::from_stream(session.into_body());
    Ok(([(header::CONTENT_TYPE, "video/webm")], body).into_response())
}

/// Index of the fragment a session begins with.
fn start_index(stream: &Stream, selector: &StartSelector) -> Result<usize, ServiceError> {
    let kind = selector.start_selector_type.as_deref().unwrap_or_default();
    let missing = |field: &str| ServiceError::invalid_argument(format!("{field} is required for {kind}."));
    let held = stream.held();
    Ok(match kind {
        "EARLIEST" => 0,
        "NOW" => held.len().saturating_sub(1),
        "FRAGMENT_NUMBER" => {
            let text = selector.after_fragment_number.as_deref().ok_or_else(|| missing("AfterFragmentNumber"))?;
            let after: FragmentNumber = text
                .parse()
                .map_err(|_| ServiceError::invalid_argument("AfterFragmentNumber: ^[0-9]+$ was expected."))?;
            held.partition_point(|held| held.number <= after)
        }
        "CONTINUATION_TOKEN" => {
            let token = selector.continuation_token.as_deref().ok_or_else(|| missing("ContinuationToken"))?;
            let position = held.iter().rposition(|held| held.token == token);
            position.ok_or_else(|| ServiceError::invalid_argument("The continuation token is not valid."))? + 1
        }
        "SERVER_TIMESTAMP" | "PRODUCER_TIMESTAMP" => {
            let seconds = selector.start_timestamp.ok_or_else(|| missing("StartTimestamp"))?;
            let wanted = (seconds * 1000.0).round() as i64;
            let begins = |held: &Held| match kind {
                "SERVER_TIMESTAMP" => held.server_millis,
                _ => held.producer_millis,
            };
            // The chunk that contains the time, or the first one after it.
            let found = held.iter().position(|held| held.ends_millis(begins(held)) > wanted);
            found.unwrap_or(held.len())
        }
        other => {
            let message = format!(
                "StartSelectorType '{other}': one of FRAGMENT_NUMBER, SERVER_TIMESTAMP, PRODUCER_TIMESTAMP, NOW, \
                 EARLIEST, CONTINUATION_TOKEN was expected."
            );
            return Err(ServiceError::invalid_argument(message));
        }
    })
}
