//! Archived media (service model kinesis-video-archived-media, 2017-09-30).

use std::sync::Arc;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use kvs_mkv::FragmentNumber;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, json as json_response};
use super::control;
use crate::error::ServiceError;
use crate::fault::FaultKind;
use crate::model::{StoredFragment, Stream, number};
use crate::session::ArchiveSession;
use crate::store::{LookupError, Store};

/// The page size if the request has no MaxResults.
const PAGE_DEFAULT: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListFragments {
    max_results: Option<usize>,
    next_token: Option<String>,
    fragment_selector: Option<FragmentSelector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FragmentSelector {
    fragment_selector_type: String,
    timestamp_range: TimestampRange,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimestampRange {
    start_timestamp: f64,
    end_timestamp: f64,
}

/// Returns the archived fragments of a stream: none without a retention period.
fn archived(stream: &Stream) -> Vec<Arc<StoredFragment>> {
    let hours = stream.settings().retention_hours;
    if hours == 0 { Vec::new() } else { stream.snapshot().fragments }
}

pub(super) fn list_fragments(store: &Store, call: &Call) -> Result<Response, ServiceError> {
    let request: ListFragments = call.parse()?;
    let stream = call.stream(store)?;
    let mut found = archived(&stream);
    if let Some(FaultKind::Omit { fragments }) = call.fault {
        found.truncate(found.len().saturating_sub(fragments));
    }
    if let Some(selector) = &request.fragment_selector {
        let range = &selector.timestamp_range;
        if range.start_timestamp > range.end_timestamp {
            return Err(ServiceError::invalid_argument("TimestampRange: StartTimestamp is after EndTimestamp."));
        }
        let (from, to) = (range.start_timestamp * 1000.0, range.end_timestamp * 1000.0);
        let by_server = selector.fragment_selector_type == "SERVER_TIMESTAMP";
        found.retain(|fragment| {
            let millis = if by_server { fragment.server_millis } else { fragment.producer_millis };
            (from.round()..=to.round()).contains(&(millis as f64))
        });
    }
    // Unordered, even across pages, as the service lists them; but in the same order each time, so that pages are disjoint.
    let order = |number: &FragmentNumber| (number::mix(number.as_str(), 17), number.clone());
    found.sort_by_cached_key(|fragment| order(&fragment.number));
    if let Some(token) = &request.next_token {
        let after = control::decode_token(token).and_then(|text| text.parse::<FragmentNumber>().ok());
        let after = after.ok_or_else(ServiceError::bad_page_token)?;
        let last = order(&after);
        found.retain(|fragment| order(&fragment.number) > last);
    }
    let page = request.max_results.unwrap_or(PAGE_DEFAULT);
    let more = found.len() > page;
    found.truncate(page);
    let next_token = found.last().filter(|_| more).map(|last| control::encode_token(last.number.as_str()));
    let rows: Vec<Value> = found.iter().map(|fragment| row(fragment)).collect();
    Ok(json_response(json!({ "Fragments": rows, "NextToken": next_token })))
}

fn row(fragment: &StoredFragment) -> Value {
    json!({
        "FragmentNumber": fragment.number.as_str(),
        "FragmentSizeInBytes": fragment.size_bytes(),
        "ProducerTimestamp": fragment.producer_millis as f64 / 1000.0,
        "ServerTimestamp": fragment.server_millis as f64 / 1000.0,
        "FragmentLengthInMilliseconds": fragment.duration_millis,
    })
}

pub(super) fn get_media_for_fragment_list(store: &Store, call: Call) -> Result<Response, ServiceError> {
    let stream = call.stream(store)?;
    let listed = call.request["Fragments"].as_array().into_iter().flatten();
    let numbers: Vec<FragmentNumber> = listed.filter_map(|number| number.as_str()?.parse().ok()).collect();
    if stream.settings().retention_hours == 0 {
        return Err(LookupError::NotFound { stream: stream.name().to_owned() }.into());
    }
    let mut found = stream.by_numbers(&numbers);
    if found.is_empty() {
        return Err(ServiceError::new(404, "ResourceNotFoundException", "None of the fragments is found."));
    }
    match call.fault {
        Some(FaultKind::Omit { fragments }) => found.truncate(found.len().saturating_sub(fragments)),
        Some(FaultKind::LeaveOut { index }) if index < found.len() => _ = found.remove(index),
        _ => {}
    }
    let permit = Arc::clone(&stream.archive_connections);
    let permit = permit.try_acquire_owned().map_err(|_| ServiceError::connection_limit())?;
    let session = ArchiveSession::new(found, call.fault, permit);
    Ok(([(header::CONTENT_TYPE, "video/webm")], Body::from_stream(session.into_body())).into_response())
}
