//! The operations: what all have in common, and one file a group.

mod archive;
mod control;
mod get_media;
mod put_media;
mod simulator;
mod tags;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::StreamExt;
use kvs_api::{Operation, Violation};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{ServiceError, next_request_id};
use crate::fault::FaultKind;
use crate::faulty_body;
use crate::server::{ConnectionHandle, Shared};
use crate::signature::{self, Signer};
use crate::store;
use crate::stream::Stream;

/// The largest request body that is read whole: 1,000 fragment numbers are 150 KB.
const BODY_MAX_BYTES: usize = 1 << 20;

/// How long a producer that is refused is heard, so that it gets to read the answer.
const REFUSED_HEARD_FOR: Duration = Duration::from_secs(1);

/// A call that is signed, of the operation's shape and within the limits.
pub(crate) struct Call {
    pub(crate) account: String,
    /// The request's members; PutMedia's are its headers.
    pub(crate) request: Value,
    /// What is to go wrong.
    pub(crate) fault: Option<FaultKind>,
}

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/simulator/streams/{name}/fragments", get(simulator::fragments))
        .route("/simulator/faults", get(simulator::faults).post(simulator::add_fault).delete(simulator::clear_faults))
        .route("/simulator/health", get(|| async { "ok" }))
        .fallback(post(serve).fallback(unknown))
        .with_state(shared)
}

async fn unknown() -> ServiceError {
    ServiceError::unknown_operation()
}

/// Answers a call, with its request id and the simulator's time on whatever is answered.
async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let request_id = next_request_id();
    let path = request.uri().path().to_owned();
    let mut response = match answer(&shared, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    };
    tracing::info!(%path, status = response.status().as_u16(), %request_id, "answered");
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert("x-amzn-requestid", value.clone());
        headers.insert("x-amz-requestid", value);
    }
    if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(shared.clock.now())) {
        headers.insert(header::DATE, date);
    }
    response
}

/// Answers a call. A producer that is refused is heard out before.
async fn answer(shared: &Arc<Shared>, request: Request) -> Result<Response, ServiceError> {
    let mut rest = None;
    let answer = answer_or_leave(shared, request, &mut rest).await;
    if answer.is_err()
        && let Some(body) = rest
    {
        hear_out(&mut body.into_data_stream()).await;
    }
    answer
}

/// Reads on for a moment what nobody wants: a producer that is cut off while it sends may never read why.
pub(crate) async fn hear_out(body: &mut BodyDataStream) {
    let hearing = async { while let Some(Ok(_)) = body.next().await {} };
    let _ = tokio::time::timeout(REFUSED_HEARD_FOR, hearing).await;
}

/// What is not read of a producer's body is left in `rest`.
async fn answer_or_leave(
    shared: &Arc<Shared>,
    request: Request,
    rest: &mut Option<Body>,
) -> Result<Response, ServiceError> {
    let operation = Operation::of_path(request.uri().path()).ok_or_else(ServiceError::unknown_operation)?;
    let connection = request.extensions().get::<ConnectionHandle>().cloned();
    let (parts, body) = request.into_parts();
    let (signer, request) = if operation == Operation::PutMedia {
        *rest = Some(body);
        let signer = signature::verify(&parts, None, &shared.keys, &shared.region, shared.clock.now())?;
        (signer, put_media::members(&parts.headers))
    } else {
        read_json(shared, &parts, body).await?
    };
    let violations = operation.check(&request);
    if !violations.is_empty() {
        return Err(invalid(operation, &violations));
    }
    let named = request["StreamName"].as_str().or_else(|| request["StreamARN"].as_str().and_then(store::name_of));
    if !shared.counts.admit(&shared.limits, operation, &signer.account, named) {
        return Err(ServiceError::client_limit());
    }
    let fault = shared.faults.take(operation.name(), named);
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
    if let Ok(stream) = call.stream(shared) {
        stream.catch_up().await;
    }
    let response = dispatch(shared, operation, call, signer, rest).await?;
    let rate = shared.limits.session_bytes_per_second.filter(|_| operation.endpoint_name().is_some());
    Ok(response.map(|body| faulty_body::wrap(body, fault, rate, connection)))
}

/// A refusal that says everything that is wrong.
fn invalid(operation: Operation, violations: &[Violation]) -> ServiceError {
    let all: Vec<String> = violations.iter().map(ToString::to_string).collect();
    let about_tags = matches!(operation, Operation::TagStream | Operation::UntagStream | Operation::ListTagsForStream);
    // These three have a type of their own for an ARN that is none.
    if about_tags && violations.iter().any(|violation| violation.member == "StreamARN") {
        return ServiceError::new(400, "InvalidResourceFormatException", all.join("; "));
    }
    ServiceError::invalid_argument(all.join("; "))
}

async fn dispatch(
    shared: &Arc<Shared>,
    operation: Operation,
    call: Call,
    signer: Signer,
    rest: &mut Option<Body>,
) -> Result<Response, ServiceError> {
    match operation {
        Operation::CreateStream => control::create_stream(shared, &call),
        Operation::DescribeStream => control::describe_stream(shared, &call),
        Operation::ListStreams => control::list_streams(shared, &call),
        Operation::UpdateStream => control::update_stream(shared, &call),
        Operation::UpdateDataRetention => control::update_data_retention(shared, &call),
        Operation::DescribeStreamStorageConfiguration => control::describe_stream_storage_configuration(shared, &call),
        Operation::UpdateStreamStorageConfiguration => control::update_stream_storage_configuration(shared, &call),
        Operation::DeleteStream => control::delete_stream(shared, &call),
        Operation::GetDataEndpoint => control::get_data_endpoint(shared, &call),
        Operation::TagStream => tags::tag_stream(shared, &call),
        Operation::UntagStream => tags::untag_stream(shared, &call),
        Operation::ListTagsForStream => tags::list_tags_for_stream(shared, &call),
        Operation::GetMedia => get_media::get_media(shared, call),
        Operation::ListFragments => archive::list_fragments(shared, &call),
        Operation::GetMediaForFragmentList => archive::get_media_for_fragment_list(shared, call),
        Operation::PutMedia => put_media::put_media(shared, &call, signer, rest),
    }
}

/// Reads and verifies a request that is JSON.
async fn read_json(shared: &Shared, parts: &Parts, body: Body) -> Result<(Signer, Value), ServiceError> {
    let body = axum::body::to_bytes(body, BODY_MAX_BYTES).await.map_err(|_| {
        ServiceError::new(413, "RequestEntityTooLargeException", "The request body is larger than 1 MiB.")
    })?;
    let mut signer = signature::verify(parts, Some(&body), &shared.keys, &shared.region, shared.clock.now())?;
    let body = match &mut signer.chunked {
        Some(decoder) => Bytes::from(decoder.decode_all(&body)?),
        None => body,
    };
    let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
    let request = serde_json::from_slice(body)
        .map_err(|error| ServiceError::new(400, "SerializationException", error.to_string()))?;
    Ok((signer, request))
}

impl Call {
    /// The request's members as a type.
    fn parse<T: DeserializeOwned>(&self) -> Result<T, ServiceError> {
        T::deserialize(&self.request)
            .map_err(|error| ServiceError::new(400, "SerializationException", error.to_string()))
    }

    fn text(&self, member: &str) -> Option<&str> {
        self.request[member].as_str()
    }

    /// The stream the request means.
    fn stream(&self, shared: &Shared) -> Result<Arc<Stream>, ServiceError> {
        shared.store.find(&self.account, self.text("StreamName"), self.text("StreamARN"))
    }
}

fn json(value: Value) -> Response {
    Json(value).into_response()
}
