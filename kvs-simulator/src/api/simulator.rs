//! What the simulator says about itself, and the faults it takes. Not signed: it is a test's own door.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::error::ServiceError;
use crate::fault::Fault;
use crate::server::Shared;

/// What a stream holds, in the order of the stream: what tests compare with.
pub(super) async fn fragments(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, ServiceError> {
    let stream = shared.store.find(Some(&name), None)?;
    let held = stream.held();
    // Hashing is work: not on a thread that serves others.
    let rows = tokio::task::spawn_blocking(move || held.iter().map(|held| held.row()).collect::<Vec<_>>()).await;
    let rows = rows.map_err(|error| ServiceError::new(500, "InternalFailure", error.to_string()))?;
    let not_whole: Vec<_> = stream
        .not_whole()
        .iter()
        .map(|chunk| {
            json!({
                "fragmentNumber": chunk.number.as_ref().map(|number| number.as_str()),
                "sizeBytes": chunk.bytes.len(),
                "reason": "it has no continuation token: the recording was cut",
            })
        })
        .collect();
    Ok(Json(json!({ "stream": name, "streamARN": stream.arn, "fragments": rows, "notWhole": not_whole })))
}

pub(super) async fn faults(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!({ "faults": shared.faults.pending() }))
}

pub(super) async fn add_fault(
    State(shared): State<Arc<Shared>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Fault>), ServiceError> {
    let fault: Fault = super::parse(&body)?;
    shared.faults.add(fault.clone());
    Ok((StatusCode::CREATED, Json(fault)))
}

pub(super) async fn clear_faults(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.faults.clear();
    StatusCode::NO_CONTENT
}
