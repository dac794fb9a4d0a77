//! GetMedia (service model kinesis-video-media, 2017-09-30).

use std::sync::Arc;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use kvs_mkv::FragmentNumber;
use serde::Deserialize;

use super::call::Call;
use crate::error::ServiceError;
use crate::fault::FaultKind;
use crate::model::{Snapshot, StoredFragment};
use crate::session::GetMediaSession;
use crate::store::Store;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StartSelector {
    start_selector_type: String,
    after_fragment_number: Option<String>,
    start_timestamp: Option<f64>,
    continuation_token: Option<String>,
}

/// Where a session starts.
enum Start {
    /// At the fragment with this index.
    At(usize),
    /// The requested fragment has expired, which is reported within the media.
    Expired,
}

pub(super) fn get_media(store: &Arc<Store>, call: Call) -> Result<Response, ServiceError> {
    let stream = call.stream(store)?;
    let selector = StartSelector::deserialize(&call.request["StartSelector"])
        .map_err(|error| ServiceError::invalid_argument(error.to_string()))?;
    let start = start(&stream.snapshot(), &selector)?;
    let permit = Arc::clone(&stream.get_media_connections);
    let permit = permit.try_acquire_owned().map_err(|_| ServiceError::connection_limit())?;
    let (index, fault) = match start {
        Start::At(index) => (index, call.fault),
        Start::Expired => {
            let error_code = "FRAGMENT_NOT_FOUND".to_owned();
            (0, Some(FaultKind::ErrorTag { after_fragments: 0, error_id: 4000, error_code }))
        }
    };
    let session = GetMediaSession::new(stream, index, fault, *store.limits(), permit);
    let body = Body::from_stream(session.into_body());
    Ok(([(header::CONTENT_TYPE, "video/webm")], body).into_response())
}

/// Returns the index of the fragment with which a session starts. The selector has passed the model's check, so its
/// companions are present.
fn start(snapshot: &Snapshot, selector: &StartSelector) -> Result<Start, ServiceError> {
    let Snapshot { base, fragments } = snapshot;
    let missing = || ServiceError::invalid_argument("StartSelector is not complete.");
    // A number below all that are held: the fragment existed and has expired.
    let expired = |number: &FragmentNumber| *base > 0 && fragments.first().is_none_or(|first| *number < first.number);
    let position = match selector.start_selector_type.as_str() {
        "EARLIEST" => 0,
        "NOW" => fragments.len().saturating_sub(1),
        "FRAGMENT_NUMBER" => {
            let text = selector.after_fragment_number.as_deref().ok_or_else(missing)?;
            let after: FragmentNumber = text.parse().map_err(|_| missing())?;
            if expired(&after) {
                return Ok(Start::Expired);
            }
            fragments.partition_point(|fragment| fragment.number <= after)
        }
        "CONTINUATION_TOKEN" => {
            let token = selector.continuation_token.as_deref().ok_or_else(missing)?;
            match fragments.iter().rposition(|fragment| fragment.token == token) {
                Some(position) => position + 1,
                None if token.parse().is_ok_and(|number| expired(&number)) => return Ok(Start::Expired),
                None => return Err(ServiceError::invalid_argument("The continuation token is not valid.")),
            }
        }
        kind => {
            let wanted = (selector.start_timestamp.ok_or_else(missing)? * 1000.0).round() as i64;
            let start_millis = |fragment: &StoredFragment| match kind {
                "SERVER_TIMESTAMP" => fragment.server_millis,
                _ => fragment.producer_millis,
            };
            // The fragment that contains the time, or the first one after it.
            let ends_later = |fragment: &Arc<StoredFragment>| fragment.end_millis(start_millis(fragment)) > wanted;
            fragments.iter().position(ends_later).unwrap_or(fragments.len())
        }
    };
    Ok(Start::At(base + position))
}
