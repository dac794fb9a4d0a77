//! A call of an operation, as the gate passes it on.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ServiceError;
use crate::fault::FaultKind;
use crate::model::Stream;
use crate::store::Store;

/// A call that is signed, valid and within the limits.
pub(super) struct Call {
    pub(super) account: String,
    /// The request's members; for PutMedia, its headers.
    pub(super) request: Value,
    /// The fault that strikes the call.
    pub(super) fault: Option<FaultKind>,
}

impl Call {
    /// Returns the request's members as a type.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, ServiceError> {
        T::deserialize(&self.request)
            .map_err(|error| ServiceError::new(400, "SerializationException", error.to_string()))
    }

    pub(super) fn text(&self, member: &str) -> Option<&str> {
        self.request[member].as_str()
    }

    /// Returns the stream that the request identifies.
    pub(super) fn stream(&self, store: &Store) -> Result<Arc<Stream>, ServiceError> {
        Ok(store.find(&self.account, self.text("StreamName"), self.text("StreamARN"))?)
    }
}

/// Returns a response with a JSON body.
pub(super) fn json(value: Value) -> Response {
    Json(value).into_response()
}
