//! The service's HTTP API: the gate that all operations share, and one file per group of operations.
//!
//! A call passes the gate in this order: signature, the model's check, limits of calls, faults, operation. An operation
//! gets the streams and its request, and nothing else.

mod archive;
mod call;
mod control;
mod get_media;
mod put_media;
mod simulator;
mod tags;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use kvs_api::{Operation, Violation};
use serde_json::Value;

use crate::call_limits::CallLimits;
use crate::connection::ConnectionHandle;
use crate::error::{ServiceError, next_request_id};
use crate::fault::FaultKind;
use crate::faults::Faults;
use crate::model::arn;
use crate::session::{linger, with_faults};
use crate::signature::{Signer, Verifier};
use crate::store::Store;

use call::Call;

/// The largest request body read as a whole: 1,000 fragment numbers are 150 KB.
const BODY_MAX_BYTES: usize = 1 << 20;

/// The state that the API is served from.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) store: Arc<Store>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) call_limits: CallLimits,
    /// The URL that GetDataEndpoint returns.
    pub(crate) data_endpoint: String,
    /// The account whose streams `/simulator/` shows if the request names none.
    pub(crate) default_account: String,
}

pub(crate) fn router(service: Service) -> Router {
    let inspection =
        simulator::router(Arc::clone(&service.store), Arc::clone(&service.faults), service.default_account.clone());
    Router::new().fallback(post(serve).fallback(unknown)).with_state(Arc::new(service)).merge(inspection)
}

async fn unknown() -> ServiceError {
    ServiceError::unknown_operation()
}

/// Responds to a call, always with a request id and the simulator's time.
async fn serve(State(service): State<Arc<Service>>, request: Request) -> Response {
    let request_id = next_request_id();
    let path = request.uri().path().to_owned();
    let mut response = match respond(&service, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    };
    tracing::info!(%path, status = response.status().as_u16(), %request_id, "call served");
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert("x-amzn-requestid", value.clone());
        headers.insert("x-amz-requestid", value);
    }
    if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(service.store.clock().now())) {
        headers.insert(header::DATE, date);
    }
    response
}

/// Responds to a call. Continues to read for a moment if a producer is refused.
async fn respond(service: &Service, request: Request) -> Result<Response, ServiceError> {
    let mut unread = None;
    let response = pass_gate(service, request, &mut unread).await;
    if response.is_err()
        && let Some(body) = unread
    {
        linger(&mut body.into_data_stream()).await;
    }
    response
}

/// Takes a call through the gate. Leaves the body of a producer in `unread` if the call is refused.
async fn pass_gate(service: &Service, request: Request, unread: &mut Option<Body>) -> Result<Response, ServiceError> {
    let operation = Operation::of_path(request.uri().path()).ok_or_else(ServiceError::unknown_operation)?;
    let connection = request.extensions().get::<ConnectionHandle>().cloned();
    let (parts, body) = request.into_parts();
    let (signer, request) = if operation == Operation::PutMedia {
        *unread = Some(body);
        (service.verifier.verify(&parts, None)?, put_media::members(&parts.headers))
    } else {
        read_json(&service.verifier, &parts, body).await?
    };
    let violations = operation.check(&request);
    if !violations.is_empty() {
        return Err(invalid(operation, &violations));
    }
    let named = request["StreamName"].as_str().or_else(|| request["StreamARN"].as_str().and_then(arn::name_of));
    if !service.call_limits.admit(operation, &signer.account, named) {
        return Err(ServiceError::client_limit());
    }
    let fault = service.faults.take(operation.name(), named);
    match &fault {
        Some(FaultKind::Refuse { status, error_type, message }) => {
            return Err(ServiceError::new(*status, error_type, message.clone()));
        }
        Some(FaultKind::Respond { status, content_type, body }) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return Ok((status, [(header::CONTENT_TYPE, content_type.clone())], body.clone()).into_response());
        }
        Some(FaultKind::Delay { duration_ms }) => tokio::time::sleep(Duration::from_millis(*duration_ms)).await,
        _ => {}
    }
    let call = Call { account: signer.account.clone(), request, fault: fault.clone() };
    if let Ok(stream) = call.stream(&service.store) {
        stream.catch_up().await;
    }
    let response = dispatch(service, operation, call, signer, unread)?;
    let rate = service.store.limits().session_bytes_per_second.filter(|_| operation.endpoint_name().is_some());
    Ok(response.map(|body| with_faults(body, fault, rate, connection)))
}

/// Returns the error for a request with violations, which names all of them.
fn invalid(operation: Operation, violations: &[Violation]) -> ServiceError {
    let all: Vec<String> = violations.iter().map(ToString::to_string).collect();
    let about_tags = matches!(operation, Operation::TagStream | Operation::UntagStream | Operation::ListTagsForStream);
    // These three operations have an error type of their own for an invalid ARN.
    if about_tags && violations.iter().any(|violation| violation.member == "StreamARN") {
        return ServiceError::new(400, "InvalidResourceFormatException", all.join("; "));
    }
    ServiceError::invalid_argument(all.join("; "))
}

fn dispatch(
    service: &Service,
    operation: Operation,
    call: Call,
    signer: Signer,
    unread: &mut Option<Body>,
) -> Result<Response, ServiceError> {
    let store = &service.store;
    match operation {
        Operation::CreateStream => control::create_stream(store, &call),
        Operation::DescribeStream => control::describe_stream(store, &call),
        Operation::ListStreams => control::list_streams(store, &call),
        Operation::UpdateStream => control::update_stream(store, &call),
        Operation::UpdateDataRetention => control::update_data_retention(store, &call),
        Operation::DescribeStreamStorageConfiguration => control::describe_stream_storage_configuration(store, &call),
        Operation::UpdateStreamStorageConfiguration => control::update_stream_storage_configuration(store, &call),
        Operation::DeleteStream => control::delete_stream(store, &call),
        Operation::GetDataEndpoint => control::get_data_endpoint(store, &service.data_endpoint, &call),
        Operation::TagStream => tags::tag_stream(store, &call),
        Operation::UntagStream => tags::untag_stream(store, &call),
        Operation::ListTagsForStream => tags::list_tags_for_stream(store, &call),
        Operation::GetMedia => get_media::get_media(store, call),
        Operation::ListFragments => archive::list_fragments(store, &call),
        Operation::GetMediaForFragmentList => archive::get_media_for_fragment_list(store, call),
        Operation::PutMedia => put_media::put_media(store, &call, signer, unread),
        _ => Err(ServiceError::unknown_operation()),
    }
}

/// Reads and verifies a request whose body is JSON.
async fn read_json(verifier: &Verifier, parts: &Parts, body: Body) -> Result<(Signer, Value), ServiceError> {
    let body = axum::body::to_bytes(body, BODY_MAX_BYTES).await.map_err(|_| {
        ServiceError::new(413, "RequestEntityTooLargeException", "The request body is larger than 1 MiB.")
    })?;
    let mut signer = verifier.verify(parts, Some(&body))?;
    let body = match &mut signer.chunked {
        Some(decoder) => Bytes::from(decoder.decode_all(&body)?),
        None => body,
    };
    let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
    let request = serde_json::from_slice(body)
        .map_err(|error| ServiceError::new(400, "SerializationException", error.to_string()))?;
    Ok((signer, request))
}
