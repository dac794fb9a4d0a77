//! `/connectors`: creating, changing, pausing and restarting connectors, and their statuses.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::api::connectors::{
    ConnectorInfo, ConnectorStatus, Creation, Expanded, Listed, Settings as ShownSettings, SettingsGiven,
    SettingsPatch, Topics,
};
use super::error::{ApiError, JsonBody, Path, Query, flag};
use super::parameter::Parameter;
use super::routes::{Herder, Routes, operation};
use crate::cluster::{RestartRequest, Settings, TargetState};
use crate::config::connector::setting_text;

type Shared = State<Herder>;
type Answer<T> = Result<T, ApiError>;

/// Valid settings, for examples.
const EXAMPLE: &str = r#"{ "connector.class": "KinesisVideoSourceConnector", "kvs.region": "eu-central-1",
    "kvs.streams": "front-door,parking", "topic": "kvs.fragments" }"#;
const CREATION_EXAMPLE: &str = r#"{ "name": "cameras", "config": { "connector.class": "KinesisVideoSourceConnector",
    "kvs.region": "eu-central-1", "kvs.streams": "front-door,parking", "topic": "kvs.fragments" } }"#;
const PATCH_EXAMPLE: &str = r#"{ "record.timestamp": "server", "kvs.gap.check": null }"#;

/// Describes the path parameter that names a connector.
pub(super) fn name_parameter() -> Parameter {
    Parameter::text("name", "Name of the connector.", Some(256), "cameras")
}

pub(super) fn routes() -> Routes {
    Routes::new("connectors")
        .parameter(name_parameter())
        .get(
            "/connectors",
            list,
            operation("listConnectors", "List the names of all connectors, or details of each")
                .parameter(Parameter::list("expand", "status, info, or both if given twice.", &["status", "info"]))
                .returns::<Listed>(200, "Names; with expand an object by name."),
        )
        .post(
            "/connectors",
            create,
            operation("createConnector", "Create a connector")
                .takes::<Creation>(CREATION_EXAMPLE)
                .returns::<ConnectorInfo>(201, "The connector was created.")
                .fails(409, "The connector already exists."),
        )
        .get(
            "/connectors/{name}",
            get,
            operation("getConnector", "Get a connector").returns::<ConnectorInfo>(200, "The connector."),
        )
        .delete(
            "/connectors/{name}",
            delete,
            operation("deleteConnector", "Delete a connector")
                .describe("Its streams' positions are kept.")
                .done(204, "The connector was deleted."),
        )
        .get(
            "/connectors/{name}/config",
            config,
            operation("getConnectorConfig", "Get a connector's settings")
                .returns::<ShownSettings>(200, "The settings; secrets given in plain text are masked."),
        )
        .put(
            "/connectors/{name}/config",
            put_config,
            operation("putConnectorConfig", "Set all of a connector's settings, or create it if it does not exist")
                .takes::<SettingsGiven>(EXAMPLE)
                .returns::<ConnectorInfo>(200, "The settings were updated.")
                .returns::<ConnectorInfo>(201, "The connector was created."),
        )
        .patch(
            "/connectors/{name}/config",
            patch_config,
            operation("patchConnectorConfig", "Change some of a connector's settings; null removes a setting")
                .takes::<SettingsPatch>(PATCH_EXAMPLE)
                .returns::<ConnectorInfo>(200, "The settings were updated."),
        )
        .get(
            "/connectors/{name}/status",
            status,
            operation("getConnectorStatus", "Get the status of a connector and its tasks")
                .returns::<ConnectorStatus>(200, "The status."),
        )
        .post(
            "/connectors/{name}/restart",
            restart,
            operation("restartConnector", "Restart a connector")
                .parameter(Parameter::flag("includeTasks", "Restart its tasks, too; secrets are then read again."))
                .parameter(Parameter::flag("onlyFailed", "Restart only what has failed."))
                .returns::<ConnectorStatus>(202, "What is being restarted.")
                .done(204, "Only the connector itself is being restarted.")
                .may_be_wrong(),
        )
        .put(
            "/connectors/{name}/pause",
            pause,
            operation("pauseConnector", "Close a connector's sessions; its tasks stay on their workers")
                .done(202, "The request was accepted."),
        )
        .put(
            "/connectors/{name}/resume",
            resume,
            operation("resumeConnector", "Resume pulling").done(202, "The request was accepted."),
        )
        .put(
            "/connectors/{name}/stop",
            stop,
            operation("stopConnector", "Remove a connector's tasks; only then can its offsets be altered")
                .done(204, "The request was accepted."),
        )
        .get(
            "/connectors/{name}/topics",
            topics,
            operation("getTopics", "Get the topics that a connector has written to")
                .returns::<BTreeMap<String, Topics>>(200, "Topics by connector."),
        )
        .put(
            "/connectors/{name}/topics/reset",
            reset_topics,
            operation("resetTopics", "Forget the topics that a connector has written to")
                .done(202, "The request was accepted."),
        )
}

/// Lists connector names, or more about each with `expand`.
async fn list(State(herder): Shared, uri: Uri) -> Answer<Json<Listed>> {
    let query = uri.query().unwrap_or_default();
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let expand: Vec<&str> = pairs.iter().filter(|(key, _)| key == "expand").map(|(_, value)| value.as_str()).collect();
    let view = herder.view()?;
    if expand.is_empty() {
        return Ok(Json(Listed::Names(view.names().cloned().collect())));
    }
    let mut all = BTreeMap::new();
    for name in view.names() {
        // A connector deleted meanwhile is left out; unknown values of `expand` are ignored, as in Connect.
        let Some(entry) = view.get(name) else { continue };
        let mut one = Expanded::default();
        if expand.contains(&"status")
            && let Ok(status) = herder.status(name)
        {
            one.status = Some(ConnectorStatus::of(&herder, name, &status));
        }
        if expand.contains(&"info") {
            one.info = Some(ConnectorInfo::of(name, &entry));
        }
        all.insert(name.clone(), one);
    }
    Ok(Json(Listed::Expanded(all)))
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

/// Checks that the name beside the settings, the one within them and the one in the path are the same.
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

fn made(name: &str, code: StatusCode, body: ConnectorInfo) -> Response {
    let path: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    let location = format!("/connectors/{}", path.replace('+', "%20"));
    (code, [(header::LOCATION, location)], Json(body)).into_response()
}

/// Creates a connector.
async fn create(State(herder): Shared, JsonBody(creation): JsonBody<Creation>) -> Answer<Response> {
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
    let body = ConnectorInfo::of(&name, &herder.create(&name, settings, initial).await?);
    Ok(made(&name, StatusCode::CREATED, body))
}

async fn get(State(herder): Shared, Path(name): Path<String>) -> Answer<Json<ConnectorInfo>> {
    Ok(Json(ConnectorInfo::of(&name, &herder.connector(&name)?)))
}

async fn delete(State(herder): Shared, Path(name): Path<String>) -> Answer<StatusCode> {
    herder.delete(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn config(State(herder): Shared, Path(name): Path<String>) -> Answer<Json<ShownSettings>> {
    Ok(Json(ShownSettings::of(&herder.connector(&name)?)))
}

/// Creates a connector or sets all of its settings.
async fn put_config(
    State(herder): Shared,
    Path(name): Path<String>,
    JsonBody(SettingsGiven(config)): JsonBody<SettingsGiven>,
) -> Answer<Response> {
    herder.view()?;
    let mut settings = settings_of(config)?;
    one_name(&mut settings, &name)?;
    let (is_new, entry) = herder.put_config(&name, settings).await?;
    let body = ConnectorInfo::of(&name, &entry);
    Ok(if is_new { made(&name, StatusCode::CREATED, body) } else { Json(body).into_response() })
}

/// Sets some of a connector's settings; null removes a setting.
async fn patch_config(
    State(herder): Shared,
    Path(name): Path<String>,
    JsonBody(SettingsPatch(patch)): JsonBody<SettingsPatch>,
) -> Answer<Json<ConnectorInfo>> {
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
    Ok(Json(ConnectorInfo::of(&name, &herder.patch_config(&name, changes).await?)))
}

async fn status(State(herder): Shared, Path(name): Path<String>) -> Answer<Json<ConnectorStatus>> {
    if herder.view()?.get(&name).is_none() {
        return Err(ApiError::not_found(format!("No status found for connector {name}")));
    }
    Ok(Json(ConnectorStatus::of(&herder, &name, &herder.status(&name)?)))
}

/// The query of a restart.
#[derive(Deserialize)]
struct RestartQuery {
    #[serde(default, rename = "includeTasks", deserialize_with = "flag")]
    include_tasks: bool,
    #[serde(default, rename = "onlyFailed", deserialize_with = "flag")]
    only_failed: bool,
}

/// Restarts a connector. Returns 204 for the connector alone, otherwise 202 with what is being restarted.
async fn restart(
    State(herder): Shared,
    Path(name): Path<String>,
    Query(query): Query<RestartQuery>,
) -> Answer<Response> {
    let RestartQuery { include_tasks, only_failed } = query;
    let request = RestartRequest { connector: name.clone(), include_tasks, only_failed, task: None };
    let before = herder.status(&name)?;
    herder.restart(request.clone()).await?;
    if !include_tasks && !only_failed {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let status = ConnectorStatus::of(&herder, &name, &before.restarting(&request));
    Ok((StatusCode::ACCEPTED, Json(status)).into_response())
}

async fn pause(State(herder): Shared, Path(name): Path<String>) -> Answer<StatusCode> {
    herder.set_target(&name, TargetState::Paused).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn resume(State(herder): Shared, Path(name): Path<String>) -> Answer<StatusCode> {
    herder.set_target(&name, TargetState::Started).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn stop(State(herder): Shared, Path(name): Path<String>) -> Answer<StatusCode> {
    herder.set_target(&name, TargetState::Stopped).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn topics(State(herder): Shared, Path(name): Path<String>) -> Answer<Json<BTreeMap<String, Topics>>> {
    herder.connector(&name)?;
    let topics = herder.topics(&name);
    Ok(Json(BTreeMap::from([(name, Topics { topics })])))
}

async fn reset_topics(State(herder): Shared, Path(name): Path<String>) -> Answer<StatusCode> {
    herder.reset_topics(&name).await?;
    Ok(StatusCode::ACCEPTED)
}
