//! What the simulator says about itself, and the faults it takes. Not signed: it is a test's own door.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::error::ServiceError;
use crate::fault::Fault;
use crate::server::Shared;

#[derive(Deserialize)]
pub(super) struct Whose {
    account: Option<String>,
}

/// What a stream holds, in the order of the stream: what tests compare with.
pub(super) async fn fragments(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    Query(whose): Query<Whose>,
) -> Result<Json<Value>, ServiceError> {
    let account = whose.account.as_deref().unwrap_or(&shared.default_account);
    let stream = shared.store.find(account, Some(&name), None)?;
    stream.catch_up().await;
    let held = stream.snapshot().held;
    // Hashing is work: not on a thread that serves others.
    // Nor for one who is no longer there: the end of the program would wait for it.
    let asked = CancellationToken::new();
    let _until_answered = asked.clone().drop_guard();
    let rows = move || held.iter().take_while(|_| !asked.is_cancelled()).map(|held| held.row()).collect::<Vec<_>>();
    let rows = tokio::task::spawn_blocking(rows).await;
    let rows = rows.map_err(|error| ServiceError::internal(error.to_string()))?;
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
    Ok(Json(json!({ "stream": name, "streamARN": stream.identity.arn, "fragments": rows, "notWhole": not_whole })))
}

pub(super) async fn faults(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!({ "faults": shared.faults.pending() }))
}

pub(super) async fn add_fault(
    State(shared): State<Arc<Shared>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Fault>), ServiceError> {
    let fault: Fault = serde_json::from_slice(&body)
        .map_err(|error| ServiceError::new(400, "SerializationException", error.to_string()))?;
    fault.check().map_err(ServiceError::invalid_argument)?;
    shared.faults.add(fault.clone());
    Ok((StatusCode::CREATED, Json(fault)))
}

pub(super) async fn clear_faults(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.faults.clear();
    StatusCode::NO_CONTENT
}
