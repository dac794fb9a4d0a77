//! Kafka Connect's REST API over the herder: the same paths, codes and JSON, with some additions of our own.
//!
//! **Contract.** Any worker answers for its whole group. Every error is Connect's `{"error_code", "message"}`. Bodies, headers, connections
//! and their durations are bounded ([`server`], `places`). Authorization is decided in one place ([`access`]), the check of
//! hosts and pages in another (`origin`). A request that panics gets a response and affects no other. Each path is defined
//! once, in its handler's file, with its description (`routes.rs`); the OpenAPI document is generated from them and from
//! the wire types ([`api`]).

pub mod access;
mod api;
mod connectors;
mod error;
mod health;
mod loggers;
mod offsets;
mod openapi;
mod origin;
mod panics;
mod parameter;
mod places;
mod plugins;
mod reserve;
mod routes;
mod schemas;
pub mod server;
mod tasks;
mod tls;

use std::sync::Arc;

use axum::{Extension, Router};
use tower_http::catch_panic::CatchPanicLayer;

use crate::herder::Herder;

pub use access::{Access, AccessError};
pub use server::{Bound, ListenError, bind};
pub use tls::TlsError;

use routes::Routes;

/// Returns all paths, by file.
fn routes() -> Vec<Routes> {
    vec![
        health::routes(),
        connectors::routes(),
        tasks::routes(),
        offsets::routes(),
        plugins::routes(),
        loggers::routes(),
    ]
}

/// Builds the router that serves all requests.
pub fn router(herder: Arc<Herder>, access: Arc<Access>) -> Router {
    let routes = routes();
    let document = health::ServedDocument(openapi::text(&openapi::document(&routes)).into());
    let router = routes
        .into_iter()
        .fold(Router::new(), |router, routes| router.merge(routes.router))
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(Extension(document))
        .layer(axum::middleware::from_fn_with_state(access, access::check))
        .with_state(herder);
    guarded(router)
}

/// Adds the layers that apply to every request, whatever its outcome.
fn guarded(router: Router) -> Router {
    router.layer(CatchPanicLayer::custom(panics::answer)).layer(axum::middleware::from_fn(places::note))
}

#[cfg(test)]
#[path = "rest/rest_tests.rs"]
mod tests;
