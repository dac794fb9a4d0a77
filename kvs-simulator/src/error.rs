//! Errors in the form in which the service returns them.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::store::{CreateError, DataError, LookupError};

/// An error response: status, type and message.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error_type} (HTTP {status}): {message}")]
pub(crate) struct ServiceError {
    pub(crate) status: u16,
    pub(crate) error_type: String,
    pub(crate) message: String,
}

impl ServiceError {
    pub(crate) fn new(status: u16, error_type: &str, message: impl Into<String>) -> Self {
        Self { status, error_type: error_type.to_owned(), message: message.into() }
    }

    pub(crate) fn unknown_operation() -> Self {
        Self::new(404, "UnknownOperationException", "The simulator does not know the requested operation.")
    }

    pub(crate) fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidArgumentException", message)
    }

    pub(crate) fn bad_page_token() -> Self {
        Self::invalid_argument("NextToken is not one that the simulator returned.")
    }

    /// Returns the same error under the name that newer operations have for it.
    pub(crate) fn into_access_denied(self) -> Self {
        match self.error_type.as_str() {
            "NotAuthorizedException" => Self { error_type: "AccessDeniedException".to_owned(), ..self },
            _ => self,
        }
    }

    pub(crate) fn too_many_tags() -> Self {
        Self::new(400, "TagsPerResourceExceededLimitException", "A stream can have up to 50 tags.")
    }

    pub(crate) fn client_limit() -> Self {
        let message = "Kinesis Video Streams has throttled the request because you have exceeded the limit of allowed \
                       client calls. Try making the call later.";
        Self::new(400, "ClientLimitExceededException", message)
    }

    pub(crate) fn connection_limit() -> Self {
        let message = "Kinesis Video Streams has throttled the request because you have exceeded the limit of allowed \
                       client connections.";
        Self::new(400, "ConnectionLimitExceededException", message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "InternalFailure", message)
    }
}

impl From<LookupError> for ServiceError {
    fn from(error: LookupError) -> Self {
        match &error {
            LookupError::Unspecified => Self::invalid_argument(error.to_string()),
            LookupError::OtherAccount { .. } => Self::new(401, "NotAuthorizedException", error.to_string()),
            LookupError::NotFound { .. } => Self::new(404, "ResourceNotFoundException", error.to_string()),
        }
    }
}

impl From<DataError> for ServiceError {
    fn from(error: DataError) -> Self {
        Self::internal(format!("The data folder cannot be written: {error}"))
    }
}

impl From<CreateError> for ServiceError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Exists { .. } => Self::new(400, "ResourceInUseException", error.to_string()),
            CreateError::Data(error) => error.into(),
        }
    }
}

impl IntoResponse for ServiceError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::json!({ "Message": self.message }).to_string();
        let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        // The documentation has one spelling of the header, AWS's SDKs read the other.
        if let Ok(error_type) = HeaderValue::from_str(&self.error_type) {
            response.headers_mut().insert("x-amzn-errortype", error_type.clone());
            response.headers_mut().insert("x-amz-errortype", error_type);
        }
        response
    }
}

/// Returns a request id in the service's form, different for each request.
pub(crate) fn next_request_id() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(1);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("51000000-0000-4000-8000-{count:012x}")
}
