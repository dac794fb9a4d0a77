//! `/admin/loggers`: what is logged, changed at run time.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{ApiError, JsonBody, Path, Query};
use crate::logging::LoggerLevel;
use crate::worker::Worker;

type Shared = State<Arc<Worker>>;

fn to_json(level: &LoggerLevel) -> Value {
    json!({ "level": level.level, "last_modified": level.last_modified_ms })
}

pub(super) async fn list(State(worker): Shared) -> Json<Value> {
    let all = worker.logging().all();
    Json(Value::Object(all.iter().map(|(name, level)| (name.clone(), to_json(level))).collect()))
}

pub(super) async fn get(State(worker): Shared, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    let level = worker.logging().get(&name);
    let level = level.ok_or_else(|| ApiError::not_found(format!("Logger {name} not found.")))?;
    Ok(Json(to_json(&level)))
}

#[derive(Deserialize)]
pub(super) struct Level {
    level: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Scope {
    scope: Option<String>,
}

/// Sets a level, here or with `scope=cluster` on all workers.
pub(super) async fn put(
    State(worker): Shared,
    Path(name): Path<String>,
    Query(Scope { scope }): Query<Scope>,
    JsonBody(Level { level }): JsonBody<Level>,
) -> Result<Response, ApiError> {
    let level =
        level.ok_or_else(|| ApiError::bad_request("Desired 'level' parameter was not specified in request."))?;
    match scope.as_deref() {
        None | Some("worker") => {
            let set = worker.logging().set(&name, &level);
            let set = set
                .map_err(|reason| ApiError::not_found(format!("invalid log level '{level}' for '{name}': {reason}")))?;
            Ok(Json(set).into_response())
        }
        Some("cluster") => {
            // What would be refused everywhere is refused here.
            let refused = worker.logging().check(&name, &level);
            refused
                .map_err(|reason| ApiError::not_found(format!("invalid log level '{level}' for '{name}': {reason}")))?;
            worker.set_logger_everywhere(&name, &level).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Some(other) => Err(ApiError::bad_request(format!("scope: {other:?}: worker or cluster was expected"))),
    }
}
