//! A request that ends in a panic: its client gets 500, and all others go on.

use std::any::Any;
use std::sync::Once;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;

/// Answers a request that ended in a panic, and counts it. Where it was is logged when it happens ([`log_places`]).
pub(super) fn answer(panic: Box<dyn Any + Send>) -> Response {
    crate::telemetry::rest_panicked();
    tracing::error!(
        reason = text(&*panic),
        "a request ended in a panic, which is a fault of this program; it is answered with 500"
    );
    ApiError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "This request failed by a fault of this program; its log says where.",
    )
    .into_response()
}

/// What a panic says.
fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it does not say why")
}

/// Has the place of every panic logged, on whatever thread it is: only there it is known.
pub(super) fn log_places() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            let thread = std::thread::current().name().unwrap_or_default().to_owned();
            tracing::error!(place, thread, "a panic");
            before(panic);
        }));
    });
}
