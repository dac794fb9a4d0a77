//! GetMedia (`kvs-api.txt`, kinesis-video-media 2017-09-30).

use std::sync::Arc;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use kvs_mkv::FragmentNumber;
use serde::Deserialize;

use super::Call;
use crate::error::ServiceError;
use crate::fault::FaultKind;
use crate::media::Session;
use crate::server::Shared;
use crate::stream::{Held, Snapshot};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StartSelector {
    start_selector_type: String,
    after_fragment_number: Option<String>,
    start_timestamp: Option<f64>,
    continuation_token: Option<String>,
}

/// Where a session begins.
enum Start {
    At(usize),
    /// What was asked for is no more: told within the media.
    Gone,
}

pub(super) fn get_media(shared: &Arc<Shared>, call: Call) -> Result<Response, ServiceError> {
    let stream = call.stream(shared)?;
    let selector = StartSelector::deserialize(&call.request["StartSelector"])
        .map_err(|error| ServiceError::invalid_argument(error.to_string()))?;
    let start = start(&stream.snapshot(), &selector)?;
    let permit = Arc::clone(&stream.get_media_connections);
    let permit = permit.try_acquire_owned().map_err(|_| ServiceError::connection_limit())?;
    let (index, fault) = match start {
        Start::At(index) => (index, call.fault),
        Start::Gone => {
            let error_code = "FRAGMENT_NOT_FOUND".to_owned();
            (0, Some(FaultKind::ErrorTag { after_fragments: 0, error_id: 4000, error_code }))
        }
    };
    let session = Session::new(stream, index, fault, shared.limits, permit);
    let body = Body::from_stream(session.into_body());
    Ok(([(header::CONTENT_TYPE, "video/webm")], body).into_response())
}

/// Index of the fragment a session begins with. Companions of the selector are known to be there.
fn start(snapshot: &Snapshot, selector: &StartSelector) -> Result<Start, ServiceError> {
    let Snapshot { base, held } = snapshot;
    let missing = || ServiceError::invalid_argument("StartSelector is not complete.");
    // Older than what is kept: the place is known to have been, and is gone.
    let expired = |number: &FragmentNumber| *base > 0 && held.first().is_none_or(|first| *number < first.number);
    let place = match selector.start_selector_type.as_str() {
        "EARLIEST" => 0,
        "NOW" => held.len().saturating_sub(1),
        "FRAGMENT_NUMBER" => {
            let text = selector.after_fragment_number.as_deref().ok_or_else(missing)?;
            let after: FragmentNumber = text.parse().map_err(|_| missing())?;
            if expired(&after) {
                return Ok(Start::Gone);
            }
            held.partition_point(|held| held.number <= after)
        }
        "CONTINUATION_TOKEN" => {
            let token = selector.continuation_token.as_deref().ok_or_else(missing)?;
            match held.iter().rposition(|held| held.token == token) {
                Some(place) => place + 1,
                None if token.parse().is_ok_and(|number| expired(&number)) => return Ok(Start::Gone),
                None => return Err(ServiceError::invalid_argument("The continuation token is not valid.")),
            }
        }
        kind => {
            let wanted = (selector.start_timestamp.ok_or_else(missing)? * 1000.0).round() as i64;
            let begins = |held: &Held| match kind {
                "SERVER_TIMESTAMP" => held.server_millis,
                _ => held.producer_millis,
            };
            // The chunk that contains the time, or the first one after it.
            held.iter().position(|held| held.ends_millis(begins(held)) > wanted).unwrap_or(held.len())
        }
    };
    Ok(Start::At(base + place))
}
