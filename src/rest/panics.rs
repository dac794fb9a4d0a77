//! A request that ends in a panic: its client gets 500, and all others go on.

use std::any::Any;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use crate::supervision::{Part, caught};

/// Returns the answer to a request that ended in a panic, which is counted and logged.
pub(super) fn answer(panic: Box<dyn Any + Send>) -> Response {
    let panicked = caught(Part::Request, &*panic);
    tracing::error!(%panicked, "a request ended in a panic; it is answered with 500");
    ApiError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "This request failed by a fault of this program; its log says where.",
    )
    .into_response()
}
