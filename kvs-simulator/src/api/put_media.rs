//! PutMedia (AWS API reference): media is received and acknowledged on one connection.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::call::Call;
use crate::error::ServiceError;
use crate::session::{PutMediaSession, TimecodeType};
use crate::signature::Signer;
use crate::store::Store;

/// Returns the request's members, which are headers, by their names in the API reference.
pub(super) fn members(headers: &HeaderMap) -> Value {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let mut members = Map::new();
    for (header, member) in [
        ("x-amzn-stream-name", "StreamName"),
        ("x-amzn-stream-arn", "StreamARN"),
        ("x-amzn-fragment-timecode-type", "FragmentTimecodeType"),
    ] {
        if let Some(value) = text(header) {
            members.insert(member.to_owned(), value.into());
        }
    }
    if let Some(value) = text("x-amzn-producer-start-timestamp") {
        // Seconds, or RFC 3339 as AWS's SDK for Java sends it. Anything else stays text, which the check refuses.
        let seconds = value.parse().ok().or_else(|| {
            let time = humantime::parse_rfc3339(value).ok()?;
            Some(time.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs_f64())
        });
        let seconds = seconds.map_or_else(|| value.into(), Value::from);
        members.insert("ProducerStartTimestamp".to_owned(), seconds);
    }
    Value::Object(members)
}

pub(super) fn put_media(
    store: &Arc<Store>,
    call: &Call,
    signer: Signer,
    unread: &mut Option<Body>,
) -> Result<Response, ServiceError> {
    if call.text("StreamName").is_some() && call.text("StreamARN").is_some() {
        return Err(ServiceError::invalid_argument("Only one of StreamName and StreamARN may be specified."));
    }
    let stream = call.stream(store)?;
    let timecodes = match (call.text("FragmentTimecodeType"), call.request["ProducerStartTimestamp"].as_f64()) {
        (Some("ABSOLUTE"), _) => TimecodeType::Absolute,
        (_, Some(seconds)) => TimecodeType::Relative { start_millis: (seconds * 1000.0).round() as i64 },
        _ => {
            let message = "ProducerStartTimestamp is required for RELATIVE fragment timecodes.";
            return Err(ServiceError::invalid_argument(message));
        }
    };
    let body = unread.take().unwrap_or_default();
    let session = PutMediaSession::new(Arc::clone(store), stream, timecodes, signer.chunked, body);
    Ok(([(header::CONTENT_TYPE, "application/json")], Body::from_stream(session.into_body())).into_response())
}
