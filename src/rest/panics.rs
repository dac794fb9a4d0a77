//! Handles requests that panic: the client gets 500, and all other requests continue.

use std::any::Any;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use crate::supervision::{Part, caught};

/// Returns the response to a request that panicked, after counting and logging the panic.
pub(super) fn answer(panic: Box<dyn Any + Send>) -> Response {
    let panicked = caught(Part::Request, &*panic);
    tracing::error!(%panicked, "a request panicked; responding with 500");
    ApiError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "This request failed because of a defect in this program; its log says where.",
    )
    .into_response()
}
