//! Errors in Kafka Connect's form, and request bodies that are read within bounds.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use super::api;
use super::places::Place;
use crate::cluster::Refusal;
use crate::config::json;
use crate::herder::{OffsetsError, OperationError};

/// The largest body: a connector with ten thousand streams needs a tenth of it.
const BODY_MAX_BYTES: usize = 4 << 20;
/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// An error response.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = api::Error { error_code: self.status.as_u16(), message: self.message };
        (self.status, Json(body)).into_response()
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal {
            Refusal::NotFound(_) | Refusal::TaskNotFound(..) => StatusCode::NOT_FOUND,
            Refusal::AlreadyExists(_) | Refusal::OffsetsElsewhere { .. } | Refusal::OffsetsMoving(_) => {
                StatusCode::CONFLICT
            }
            Refusal::Invalid(_)
            | Refusal::NotStopped(_)
            | Refusal::NotStoppedToMove { .. }
            | Refusal::OffsetsLost { .. }
            | Refusal::Contract(_) => StatusCode::BAD_REQUEST,
        };
        Self::new(status, refusal.to_string())
    }
}

impl From<OperationError> for ApiError {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Refused(refusal) => refusal.into(),
            OperationError::OffsetsMove(error) => match *error {
                OffsetsError::Operation(error) => error.into(),
                _ if error.is_temporary() => Self::unavailable(OperationError::OffsetsMove(error).to_string()),
                _ => Self::new(StatusCode::BAD_REQUEST, OperationError::OffsetsMove(error).to_string()),
            },
            error if error.is_temporary() => Self::unavailable(error.to_string()),
            error => Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

impl From<OffsetsError> for ApiError {
    fn from(error: OffsetsError) -> Self {
        match error {
            OffsetsError::Operation(error) => error.into(),
            OffsetsError::Shard(_) | OffsetsError::Move(_) => Self::unavailable(error.to_string()),
            OffsetsError::Topic(_) | OffsetsError::ChangedMeanwhile { .. } if error.is_temporary() => {
                Self::unavailable(error.to_string())
            }
            OffsetsError::Topic(_) | OffsetsError::ChangedMeanwhile { .. } => {
                Self::new(StatusCode::CONFLICT, error.to_string())
            }
        }
    }
}

pub(super) async fn no_such_path() -> ApiError {
    ApiError::not_found("HTTP 404 Not Found")
}

pub(super) async fn no_such_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "HTTP 405 Method Not Allowed")
}

/// A JSON body.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        if let Some(kind) = request.headers().get(header::CONTENT_TYPE) {
            let kind =
                kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            if kind != "application/json" && !kind.ends_with("+json") {
                return Err(ApiError::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "HTTP 415 Unsupported Media Type: application/json was expected",
                ));
            }
        }
        // While the body arrives, the connection waits for its client.
        let waits = request.extensions().get::<Place>().map(Place::waits);
        let bytes = read(request.into_body()).await?;
        drop(waits);
        json::from_slice(&bytes).map(Self).map_err(|error| ApiError::bad_request(format!("the body: {error}")))
    }
}

async fn read(body: Body) -> Result<axum::body::Bytes, ApiError> {
    let too_large =
        || ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than {BODY_MAX_BYTES} bytes"));
    match tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, BODY_MAX_BYTES)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("the body did not arrive within {} s", BODY_TIMEOUT.as_secs()),
        )),
    }
}

/// The parameters of a path.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Self(path)),
            // A task id that is not a number names no task.
            Err(_) => Err(ApiError::not_found("HTTP 404 Not Found")),
        }
    }
}

/// A query.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(error) => Err(ApiError::bad_request(format!("the query: {error}"))),
        }
    }
}

/// Parses a flag of a query: `true` or `false` in any case, as Java reads them; Python writes `True`.
pub(super) fn flag<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" | "" => Ok(false),
        _ => Err(serde::de::Error::custom(format!("{text:?}: true or false was expected"))),
    }
}
