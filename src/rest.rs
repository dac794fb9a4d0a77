//! Kafka Connect's REST API over the worker: the same paths, codes and JSON, with what is ours besides.
//!
//! **Contract.** Any worker answers for all. Every error is Connect's `{"error_code", "message"}`. Bodies, headers, connections
//! and the time they take are bounded ([`server`], `places`); who may do what is decided in one place ([`access`]), for which
//! hosts and pages in another (`origin`). A request that panics is answered and costs nobody else. `src/rest/openapi.json`
//! describes all of it, and is served.

pub mod access;
mod connectors;
mod error;
mod health;
mod loggers;
mod offsets;
mod origin;
mod panics;
mod places;
mod plugins;
pub mod server;
mod tls;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post, put};
use tower_http::catch_panic::CatchPanicLayer;

use crate::worker::Worker;

pub use access::{Access, AccessError};
pub use server::{Bound, ListenError, bind};

/// The document that describes the API.
pub const OPENAPI: &str = include_str!("rest/openapi.json");

/// What answers.
pub fn router(worker: Arc<Worker>, access: Arc<Access>) -> Router {
    let connector = Router::new()
        .route("/", get(connectors::get).delete(connectors::delete))
        .route("/config", get(connectors::config).put(connectors::put_config).patch(connectors::patch_config))
        .route("/status", get(connectors::status))
        .route("/restart", post(connectors::restart))
        .route("/pause", put(connectors::pause))
        .route("/resume", put(connectors::resume))
        .route("/stop", put(connectors::stop))
        .route("/tasks", get(connectors::tasks))
        .route("/tasks-config", get(connectors::tasks_config))
        .route("/tasks/{task}/status", get(connectors::task_status))
        .route("/tasks/{task}/restart", post(connectors::restart_task))
        .route("/topics", get(connectors::topics))
        .route("/topics/reset", put(connectors::reset_topics))
        .route("/offsets", get(offsets::get).patch(offsets::patch).delete(offsets::delete));
    let router = Router::new()
        .route("/", get(health::root))
        .route("/health", get(health::health))
        .route("/metrics", get(health::metrics))
        .route("/streams", get(health::streams))
        .route("/openapi.json", get(health::openapi))
        .route("/connectors", get(connectors::list).post(connectors::create))
        .nest("/connectors/{name}", connector)
        .route("/connector-plugins", get(plugins::list))
        .route("/connector-plugins/{plugin}/config", get(plugins::config))
        .route("/connector-plugins/{plugin}/config/validate", put(plugins::validate))
        .route("/admin/loggers", get(loggers::list))
        .route("/admin/loggers/{logger}", get(loggers::get).put(loggers::put))
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(axum::middleware::from_fn_with_state(access, access::check))
        .with_state(worker);
    guarded(router)
}

/// With what holds for all requests, whatever becomes of them.
fn guarded(router: Router) -> Router {
    router.layer(CatchPanicLayer::custom(panics::answer)).layer(axum::middleware::from_fn(places::note))
}

#[cfg(test)]
#[path = "rest/rest_tests.rs"]
mod tests;
