//! `/admin/loggers`: log levels, changed at run time.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::api::loggers::{Level, LoggerLevel};
use super::error::{ApiError, JsonBody, Path, Query};
use super::parameter::Parameter;
use super::routes::{Herder, Routes, operation};

type Shared = State<Herder>;

/// The names of loggers that may be set.
const NAME_PATTERN: &str = r"^[A-Za-z_][A-Za-z0-9_]*((::|\.)[A-Za-z_][A-Za-z0-9_]*)*$";

pub(super) fn routes() -> Routes {
    let logger = |max_chars| {
        let description = "root, or a module such as kvs_connect::shard, also written with dots.";
        Parameter::text("logger", description, max_chars, "kvs_connect")
    };
    Routes::new("admin")
        .parameter(logger(None))
        .get(
            "/admin/loggers",
            list,
            operation("listLoggers", "List the levels of all loggers")
                .returns::<BTreeMap<String, LoggerLevel>>(200, "Levels by logger."),
        )
        .get(
            "/admin/loggers/{logger}",
            get,
            operation("getLogger", "Get a logger's level").returns::<LoggerLevel>(200, "The level."),
        )
        .put(
            "/admin/loggers/{logger}",
            put,
            operation("putLogger", "Set the level of a logger and of all loggers within it")
                .parameter(logger(Some(200)).pattern(NAME_PATTERN))
                .parameter(Parameter::choice("scope", "Only this worker, or all workers.", &["worker", "cluster"]))
                .takes::<Level>(r#"{ "level": "INFO" }"#)
                .returns::<Vec<String>>(200, "The names of the changed loggers.")
                .done(204, "All workers set the level."),
        )
}

async fn list(State(herder): Shared) -> Json<BTreeMap<String, LoggerLevel>> {
    Json(herder.logging().all().into_iter().map(|(name, level)| (name, level.into())).collect())
}

async fn get(State(herder): Shared, Path(name): Path<String>) -> Result<Json<LoggerLevel>, ApiError> {
    let level = herder.logging().get(&name);
    let level = level.ok_or_else(|| ApiError::not_found(format!("Logger {name} not found.")))?;
    Ok(Json(level.into()))
}

#[derive(Deserialize)]
struct Scope {
    scope: Option<String>,
}

/// Sets a level on this worker, or with `scope=cluster` on all workers.
async fn put(
    State(herder): Shared,
    Path(name): Path<String>,
    Query(Scope { scope }): Query<Scope>,
    JsonBody(Level { level }): JsonBody<Level>,
) -> Result<Response, ApiError> {
    let level =
        level.ok_or_else(|| ApiError::bad_request("Desired 'level' parameter was not specified in request."))?;
    let refused = |reason| ApiError::not_found(format!("invalid log level '{level}' for '{name}': {reason}"));
    match scope.as_deref() {
        None | Some("worker") => {
            let set = herder.logging().set(&name, &level).map_err(refused)?;
            Ok(Json(set).into_response())
        }
        Some("cluster") => {
            // What every worker would refuse is refused here.
            herder.logging().check(&name, &level).map_err(refused)?;
            herder.set_logger_everywhere(&name, &level).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Some(other) => Err(ApiError::bad_request(format!("scope: {other:?}: worker or cluster was expected"))),
    }
}
