//! The routes: one file an API.

mod control;
mod get_media;
mod simulator;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::de::DeserializeOwned;

use crate::error::{ServiceError, next_request_id};
use crate::fault::FaultKind;
use crate::server::Shared;
use crate::signature;

/// The largest request body that is read: these APIs take a few hundred bytes.
const BODY_MAX_BYTES: usize = 1 << 20;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let service = Router::new()
        .route("/createStream", post(control::create_stream))
        .route("/listStreams", post(control::list_streams))
        .route("/describeStream", post(control::describe_stream))
        .route("/getDataEndpoint", post(control::get_data_endpoint))
        .route("/getMedia", post(get_media::get_media))
        .fallback(unknown_operation)
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), authenticate));
    let own = Router::new()
        .route("/simulator/streams/{name}/fragments", get(simulator::fragments))
        .route("/simulator/faults", get(simulator::faults).post(simulator::add_fault).delete(simulator::clear_faults))
        .route("/simulator/health", get(|| async { "ok" }));
    own.merge(service).with_state(shared)
}

async fn unknown_operation() -> ServiceError {
    ServiceError::new(404, "UnknownOperationException", "The requested operation is not one the simulator knows.")
}

/// Checks the signature and puts the request id on whatever is answered.
async fn authenticate(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let request_id = next_request_id();
    let path = request.uri().path().to_owned();
    let mut response = match checked(&shared, request).await {
        Ok(request) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    tracing::info!(%path, status = response.status().as_u16(), %request_id, "answered");
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("x-amzn-requestid", value.clone());
        response.headers_mut().insert("x-amz-requestid", value);
    }
    response
}

async fn checked(shared: &Shared, request: Request) -> Result<Request, ServiceError> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_MAX_BYTES).await.map_err(|_| {
        ServiceError::new(413, "RequestEntityTooLargeException", "The request body is larger than 1 MiB.")
    })?;
    signature::verify(&parts, &body, &shared.keys, std::time::SystemTime::now())?;
    Ok(Request::from_parts(parts, body.into()))
}

/// The request's JSON. What is no JSON of the operation's shape is refused as the service does.
fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, ServiceError> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| ServiceError::new(400, "SerializationException", error.to_string()))
}

/// A fault that refuses this call.
fn refusal(shared: &Shared, api: &str, stream: Option<&str>) -> Result<(), ServiceError> {
    match shared.faults.take(api, stream) {
        Some(FaultKind::Refuse { status, error_type, message }) => Err(ServiceError::new(status, &error_type, message)),
        _ => Ok(()),
    }
}
