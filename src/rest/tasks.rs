//! `/connectors/{name}/tasks`: a connector's tasks, one for each of its streams.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::api::connectors::{Settings, State as StateShown, TaskId, TaskInfo as TaskShown, TaskStatus};
use super::connectors::name_parameter;
use super::error::{ApiError, Path};
use super::parameter::Parameter;
use super::routes::{Herder, Routes, operation};
use crate::cluster::{ConnectorEntry, RestartRequest};
use crate::herder::{TaskInfo, tasks_of};

type Shared = State<Herder>;
type Answer<T> = Result<T, ApiError>;

pub(super) fn routes() -> Routes {
    let task =
        Parameter::number("task", "Id of the task, which it keeps as long as its stream belongs to the connector.", 0);
    Routes::new("tasks")
        .parameter(name_parameter())
        .parameter(task)
        .get(
            "/connectors/{name}/tasks",
            tasks,
            operation("listTasks", "List a connector's tasks, one per stream").returns::<Vec<TaskShown>>(200, "Tasks."),
        )
        .get(
            "/connectors/{name}/tasks-config",
            tasks_config,
            operation("getTasksConfig", "Get the settings of a connector's tasks by name")
                .returns::<BTreeMap<String, Settings>>(200, "Settings by CONNECTOR-TASK."),
        )
        .get(
            "/connectors/{name}/tasks/{task}/status",
            task_status,
            operation("getTaskStatus", "Get a task's status").returns::<TaskStatus>(200, "The status."),
        )
        .post(
            "/connectors/{name}/tasks/{task}/restart",
            restart_task,
            operation("restartTask", "Restart a task").done(204, "The request was accepted."),
        )
}

/// Returns a task's settings: its connector's, restricted to its own stream.
fn task_settings(entry: &ConnectorEntry, task: TaskInfo) -> Settings {
    let Settings(mut settings) = Settings::of(entry);
    settings.retain(|key, _| !key.starts_with("kvs.streams"));
    settings.insert("kvs.streams".to_owned(), task.stream);
    settings.insert("task.class".to_owned(), "com.github.kvsconnect.KinesisVideoSourceTask".to_owned());
    Settings(settings)
}

async fn tasks(State(herder): Shared, Path(name): Path<String>) -> Answer<Json<Vec<TaskShown>>> {
    let entry = herder.connector(&name)?;
    let shown = |task: TaskInfo| TaskShown {
        id: TaskId { connector: name.clone(), task: task.id },
        config: task_settings(&entry, task),
    };
    Ok(Json(tasks_of(&entry).into_iter().map(shown).collect()))
}

async fn tasks_config(State(herder): Shared, Path(name): Path<String>) -> Answer<Json<BTreeMap<String, Settings>>> {
    let entry = herder.connector(&name)?;
    let shown = |task: TaskInfo| (format!("{name}-{}", task.id), task_settings(&entry, task));
    Ok(Json(tasks_of(&entry).into_iter().map(shown).collect()))
}

async fn task_status(State(herder): Shared, Path((name, id)): Path<(String, u32)>) -> Answer<Json<TaskStatus>> {
    herder.connector(&name)?;
    let status = herder.task_status(&name, id);
    let status = status.map_err(|_| ApiError::not_found(format!("No status found for task {name}-{id}")))?;
    Ok(Json(TaskStatus { id, status: StateShown::of(&herder, &status) }))
}

async fn restart_task(State(herder): Shared, Path((name, task)): Path<(String, u32)>) -> Answer<StatusCode> {
    let request = RestartRequest { connector: name, include_tasks: false, only_failed: false, task: Some(task) };
    herder.restart(request).await?;
    Ok(StatusCode::NO_CONTENT)
}
