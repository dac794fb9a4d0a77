//! `/connectors`: making, changing, pausing, restarting, and how they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::{ApiError, JsonBody, Path, Query, flag};
use crate::cluster::{ConnectorEntry, RestartRequest, Settings, Status, TargetState};
use crate::config::connector::setting_text;
use crate::config::secrets;
use crate::worker::operations::ConnectorStatus;
use crate::worker::{TaskInfo, Worker};

type Shared = State<Arc<Worker>>;
type Answer<T> = Result<T, ApiError>;

fn shown(entry: &ConnectorEntry) -> Settings {
    entry.settings.as_ref().map(secrets::masked).unwrap_or_default()
}

fn info(name: &str, entry: &ConnectorEntry) -> Value {
    let tasks: Vec<Value> =
        Worker::tasks_of(entry).iter().map(|task| json!({ "connector": name, "task": task.id })).collect();
    json!({ "name": name, "config": shown(entry), "tasks": tasks, "type": "source" })
}

fn status_json(worker: &Worker, status: &Status) -> Map<String, Value> {
    let mut json = Map::from_iter([
        ("state".to_owned(), status.state.name().into()),
        ("worker_id".to_owned(), status.reporter.worker_id.as_str().into()),
        ("version".to_owned(), worker.release_of(&status.reporter.worker_id).into()),
    ]);
    if let Some(trace) = &status.trace {
        json.insert("trace".to_owned(), trace.as_str().into());
    }
    json
}

fn task_json(worker: &Worker, id: u32, status: &Status) -> Value {
    let mut json = status_json(worker, status);
    json.insert("id".to_owned(), id.into());
    json.into()
}

fn whole_status(worker: &Worker, name: &str, status: &ConnectorStatus) -> Value {
    let tasks: Vec<Value> = status.tasks.iter().map(|(&id, task)| task_json(worker, id, task)).collect();
    json!({ "name": name, "connector": status_json(worker, &status.connector), "tasks": tasks, "type": "source" })
}

/// Names, or with `expand` more of each.
pub(super) async fn list(State(worker): Shared, uri: Uri) -> Answer<Json<Value>> {
    let query = uri.query().unwrap_or_default();
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let expand: Vec<&str> = pairs.iter().filter(|(key, _)| key == "expand").map(|(_, value)| value.as_str()).collect();
    let view = worker.view()?;
    if expand.is_empty() {
        return Ok(Json(view.names().cloned().collect()));
    }
    let mut all = Map::new();
    for name in view.names() {
        let mut one = Map::new();
        // One that goes meanwhile is left out; what else is asked for is not known and left out, as Connect does.
        let Some(entry) = view.get(name) else { continue };
        if expand.contains(&"status")
            && let Ok(status) = worker.status(name)
        {
            one.insert("status".to_owned(), whole_status(&worker, name, &status));
        }
        if expand.contains(&"info") {
            one.insert("info".to_owned(), info(name, &entry));
        }
        all.insert(name.clone(), one.into());
    }
    Ok(Json(all.into()))
}

/// What POST takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Creation {
    name: Option<String>,
    config: Option<Map<String, Value>>,
    initial_state: Option<String>,
}

fn settings_of(config: Map<String, Value>) -> Answer<Settings> {
    let mut settings = Settings::new();
    for (key, value) in config {
        let text = setting_text(&value)
            .ok_or_else(|| ApiError::bad_request(format!("config: {key:?}: text was expected as its value")))?;
        settings.insert(key, text);
    }
    Ok(settings)
}

/// The name beside the settings, within them, and in the path: one.
fn one_name(settings: &mut Settings, name: &str) -> Answer<()> {
    match settings.get("name") {
        Some(inner) if inner != name => Err(ApiError::bad_request(format!(
            "Connector name configuration ({inner}) doesn't match connector name in the URL ({name})"
        ))),
        _ => {
            settings.insert("name".to_owned(), name.to_owned());
            Ok(())
        }
    }
}

fn made(name: &str, code: StatusCode, body: Value) -> Response {
    let path: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    let location = format!("/connectors/{}", path.replace('+', "%20"));
    (code, [(header::LOCATION, location)], Json(body)).into_response()
}

/// Makes a connector.
pub(super) async fn create(State(worker): Shared, JsonBody(creation): JsonBody<Creation>) -> Answer<Response> {
    let Creation { name, config, initial_state } = creation;
    let config = config.ok_or_else(|| ApiError::bad_request("config: an object of settings is required"))?;
    let mut settings = settings_of(config)?;
    let name = name
        .or_else(|| settings.get("name").cloned())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .ok_or_else(|| ApiError::bad_request("name: is required"))?;
    one_name(&mut settings, &name)?;
    let initial = match &initial_state {
        None => TargetState::Started,
        Some(text) => TargetState::from_initial(text).ok_or_else(|| {
            ApiError::bad_request(format!("initial_state: {text:?}: RUNNING, PAUSED or STOPPED was expected"))
        })?,
    };
    let body = info(&name, &worker.create(&name, settings, initial).await?);
    Ok(made(&name, StatusCode::CREATED, body))
}

pub(super) async fn get(State(worker): Shared, Path(name): Path<String>) -> Answer<Json<Value>> {
    Ok(Json(info(&name, &worker.connector(&name)?)))
}

pub(super) async fn delete(State(worker): Shared, Path(name): Path<String>) -> Answer<StatusCode> {
    worker.delete(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn config(State(worker): Shared, Path(name): Path<String>) -> Answer<Json<Settings>> {
    Ok(Json(shown(&worker.connector(&name)?)))
}

/// Makes a connector or sets all of its settings.
pub(super) async fn put_config(
    State(worker): Shared,
    Path(name): Path<String>,
    JsonBody(config): JsonBody<Map<String, Value>>,
) -> Answer<Response> {
    worker.view()?;
    let mut settings = settings_of(config)?;
    one_name(&mut settings, &name)?;
    let (is_new, entry) = worker.put_config(&name, settings).await?;
    let body = info(&name, &entry);
    Ok(if is_new { made(&name, StatusCode::CREATED, body) } else { Json(body).into_response() })
}

/// Sets some of a connector's settings; null removes one.
pub(super) async fn patch_config(
    State(worker): Shared,
    Path(name): Path<String>,
    JsonBody(patch): JsonBody<Map<String, Value>>,
) -> Answer<Json<Value>> {
    let mut changes = BTreeMap::new();
    for (key, value) in patch {
        let text = match &value {
            Value::Null => None,
            value => Some(setting_text(value).ok_or_else(|| {
                ApiError::bad_request(format!("{key:?}: text, or null to remove it, was expected as its value"))
            })?),
        };
        changes.insert(key, text);
    }
    if let Some(Some(inner)) = changes.get("name")
        && *inner != name
    {
        return Err(ApiError::bad_request(format!(
            "Connector name configuration ({inner}) doesn't match connector name in the URL ({name})"
        )));
    }
    Ok(Json(info(&name, &worker.patch_config(&name, changes).await?)))
}

pub(super) async fn status(State(worker): Shared, Path(name): Path<String>) -> Answer<Json<Value>> {
    if worker.view()?.get(&name).is_none() {
        return Err(ApiError::not_found(format!("No status found for connector {name}")));
    }
    Ok(Json(whole_status(&worker, &name, &worker.status(&name)?)))
}

/// What a restart is about.
#[derive(Deserialize)]
pub(super) struct RestartQuery {
    #[serde(default, rename = "includeTasks", deserialize_with = "flag")]
    include_tasks: bool,
    #[serde(default, rename = "onlyFailed", deserialize_with = "flag")]
    only_failed: bool,
}

/// Restarts a connector: 204 for itself alone, 202 with what is being restarted otherwise.
pub(super) async fn restart(
    State(worker): Shared,
    Path(name): Path<String>,
    Query(query): Query<RestartQuery>,
) -> Answer<Response> {
    let RestartQuery { include_tasks, only_failed } = query;
    let request = RestartRequest { connector: name.clone(), include_tasks, only_failed, task: None };
    let before = worker.status(&name)?;
    worker.restart(request.clone()).await?;
    if !include_tasks && !only_failed {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let status = Worker::restarting(before, &request);
    Ok((StatusCode::ACCEPTED, Json(whole_status(&worker, &name, &status))).into_response())
}

pub(super) async fn pause(State(worker): Shared, Path(name): Path<String>) -> Answer<StatusCode> {
    worker.set_target(&name, TargetState::Paused).await?;
    Ok(StatusCode::ACCEPTED)
}

pub(super) async fn resume(State(worker): Shared, Path(name): Path<String>) -> Answer<StatusCode> {
    worker.set_target(&name, TargetState::Started).await?;
    Ok(StatusCode::ACCEPTED)
}

pub(super) async fn stop(State(worker): Shared, Path(name): Path<String>) -> Answer<StatusCode> {
    worker.set_target(&name, TargetState::Stopped).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A task's settings are its connector's, with its own stream alone.
fn task_settings(entry: &ConnectorEntry, task: &TaskInfo) -> Settings {
    let mut settings = shown(entry);
    settings.retain(|key, _| !key.starts_with("kvs.streams"));
    settings.insert("kvs.streams".to_owned(), task.stream.clone());
    settings.insert("task.class".to_owned(), "com.github.kvsconnect.KinesisVideoSourceTask".to_owned());
    settings
}

pub(super) async fn tasks(State(worker): Shared, Path(name): Path<String>) -> Answer<Json<Value>> {
    let entry = worker.connector(&name)?;
    let tasks = Worker::tasks_of(&entry)
        .into_iter()
        .map(|task| json!({ "id": { "connector": name, "task": task.id }, "config": task_settings(&entry, &task) }));
    Ok(Json(tasks.collect()))
}

pub(super) async fn tasks_config(State(worker): Shared, Path(name): Path<String>) -> Answer<Json<Value>> {
    let entry = worker.connector(&name)?;
    let tasks = Worker::tasks_of(&entry)
        .into_iter()
        .map(|task| (format!("{name}-{}", task.id), json!(task_settings(&entry, &task))));
    Ok(Json(Value::Object(tasks.collect())))
}

pub(super) async fn task_status(State(worker): Shared, Path((name, task)): Path<(String, u32)>) -> Answer<Json<Value>> {
    worker.connector(&name)?;
    let status = worker.task_status(&name, task);
    let status = status.map_err(|_| ApiError::not_found(format!("No status found for task {name}-{task}")))?;
    Ok(Json(task_json(&worker, task, &status)))
}

pub(super) async fn restart_task(State(worker): Shared, Path((name, task)): Path<(String, u32)>) -> Answer<StatusCode> {
    let request = RestartRequest { connector: name, include_tasks: false, only_failed: false, task: Some(task) };
    worker.restart(request).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn topics(State(worker): Shared, Path(name): Path<String>) -> Answer<Json<Value>> {
    worker.connector(&name)?;
    let topics = worker.topics(&name);
    Ok(Json(json!({ name: { "topics": topics } })))
}

pub(super) async fn reset_topics(State(worker): Shared, Path(name): Path<String>) -> Answer<StatusCode> {
    worker.reset_topics(&name).await?;
    Ok(StatusCode::ACCEPTED)
}
