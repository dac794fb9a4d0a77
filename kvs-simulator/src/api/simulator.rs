//! `/simulator/`: what the simulator holds, and its faults. These requests need no signature, because tests send them
//! and not clients of the service.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::error::ServiceError;
use crate::fault::Fault;
use crate::faults::Faults;
use crate::store::Store;

/// The streams, and the account whose streams are shown if a request names none.
struct Streams {
    store: Arc<Store>,
    default_account: String,
}

pub(super) fn router(store: Arc<Store>, faults: Arc<Faults>, default_account: String) -> Router {
    let streams = Streams { store, default_account };
    let streams =
        Router::new().route("/simulator/streams/{name}/fragments", get(fragments)).with_state(Arc::new(streams));
    let faults = Router::new()
        .route("/simulator/faults", get(list_faults).post(add_fault).delete(clear_faults))
        .with_state(faults);
    Router::new().route("/simulator/health", get(|| async { "ok" })).merge(streams).merge(faults)
}

#[derive(Deserialize)]
struct Account {
    account: Option<String>,
}

/// Returns the fragments that a stream holds, in stream order, for tests to compare with.
async fn fragments(
    State(streams): State<Arc<Streams>>,
    Path(name): Path<String>,
    Query(Account { account }): Query<Account>,
) -> Result<Json<Value>, ServiceError> {
    let account = account.as_deref().unwrap_or(&streams.default_account);
    let stream = streams.store.find(account, Some(&name), None)?;
    stream.catch_up().await;
    let fragments = stream.snapshot().fragments;
    // Hashing takes time, so it runs on a thread that serves no other requests. It stops when the client is gone, because
    // the end of the program would wait for it.
    let cancelled = CancellationToken::new();
    let _cancel_on_drop = cancelled.clone().drop_guard();
    let rows = move || {
        fragments.iter().take_while(|_| !cancelled.is_cancelled()).map(|fragment| fragment.row()).collect::<Vec<_>>()
    };
    #[expect(clippy::disallowed_methods, reason = "a panic is an internal error")]
    let rows = tokio::task::spawn_blocking(rows).await;
    let rows = rows.map_err(|error| ServiceError::internal(error.to_string()))?;
    let unterminated: Vec<_> = stream
        .unterminated()
        .iter()
        .map(|chunk| {
            json!({
                "fragmentNumber": chunk.number.as_ref().map(|number| number.as_str()),
                "sizeBytes": chunk.bytes.len(),
                "reason": "it has no continuation token: the recording was cut",
            })
        })
        .collect();
    Ok(Json(json!({ "stream": name, "streamARN": stream.identity.arn, "fragments": rows, "notWhole": unterminated })))
}

async fn list_faults(State(faults): State<Arc<Faults>>) -> Json<Value> {
    Json(json!({ "faults": faults.pending() }))
}

async fn add_fault(State(faults): State<Arc<Faults>>, body: Bytes) -> Result<(StatusCode, Json<Fault>), ServiceError> {
    let fault: Fault = serde_json::from_slice(&body)
        .map_err(|error| ServiceError::new(400, "SerializationException", error.to_string()))?;
    fault.check().map_err(|error| ServiceError::invalid_argument(error.to_string()))?;
    faults.add(fault.clone());
    Ok((StatusCode::CREATED, Json(fault)))
}

async fn clear_faults(State(faults): State<Arc<Faults>>) -> StatusCode {
    faults.clear();
    StatusCode::NO_CONTENT
}
