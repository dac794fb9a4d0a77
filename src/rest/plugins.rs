//! `/connector-plugins`: the one connector there is, its settings, and trying settings out.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::api::plugins::{ConfigInfo, ConfigInfos, ConfigKeyInfo, ConfigValueInfo, PluginInfo, SettingsTried};
use super::error::{ApiError, JsonBody, Path, Query, flag};
use super::openapi::Parameter;
use super::routes::{Herder, Routes, operation};
use crate::config::connector::{CLASS, CLASS_PATH, is_class, setting_text};
use crate::config::keys::{self, CONNECTOR, Key};
use crate::config::secrets;

/// A label is as wide as this says; Connect's user interfaces ask for it.
const WIDTH: &str = "MEDIUM";

const EXAMPLE: &str = r#"{ "connector.class": "KinesisVideoSourceConnector", "kvs.region": "eu-central-1",
    "kvs.streams": "front-door,parking", "topic": "kvs.fragments" }"#;

pub(super) fn routes() -> Routes {
    let plugin = Parameter::text("plugin", "The connector's class.", None, "KinesisVideoSourceConnector");
    Routes::new("plugins")
        .parameter(plugin)
        .get(
            "/connector-plugins",
            list,
            operation("listPlugins", "Connectors there are").returns::<[PluginInfo; 1]>(200, "Plugins."),
        )
        .get(
            "/connector-plugins/{plugin}/config",
            config,
            operation("getPluginConfig", "All settings of a connector")
                .returns::<Vec<ConfigKeyInfo>>(200, "Definitions.")
                .may_be_wrong(),
        )
        .put(
            "/connector-plugins/{plugin}/config/validate",
            validate,
            operation("validateConfig", "What is wrong with settings, field by field; nothing is made")
                .parameter(Parameter::flag("connect", "Ask the service and Kafka, too."))
                .takes::<SettingsTried>(EXAMPLE)
                .returns::<ConfigInfos>(200, "Every setting with its errors.")
                .fails(
                    403,
                    "With `connect=true`: this user may look and not change. A page of another origin has sent it, or the \
                     worker is not known by the host that was asked for.",
                ),
        )
}

fn known(plugin: &str) -> Result<(), ApiError> {
    if is_class(plugin) { Ok(()) } else { Err(no_such_class(plugin)) }
}

/// As Connect says it.
fn no_such_class(name: &str) -> ApiError {
    let name: String = name.chars().take(200).collect();
    let version = env!("CARGO_PKG_VERSION");
    ApiError::bad_request(format!(
        "Failed to find any class that implements Connector and which name matches {name}, available connectors are: \
         PluginDesc{{klass=class {CLASS_PATH}, name='{CLASS_PATH}', version='{version}', type=source, typeName='source'}}"
    ))
}

async fn list() -> Json<[PluginInfo; 1]> {
    Json([PluginInfo { class: CLASS_PATH, r#type: "source", version: env!("CARGO_PKG_VERSION") }])
}

/// The group a setting stands in, by its name.
fn group(name: &str) -> &'static str {
    const GROUPS: [(&str, &str); 12] = [
        ("kvs.streams", "Streams"),
        ("kvs.discovery", "Streams"),
        ("kvs.start", "Position"),
        ("kvs.position", "Position"),
        ("kvs.gap", "Position"),
        ("kvs.backfill", "Backfill"),
        ("kvs.credentials", "Credentials"),
        ("kvs.role", "Credentials"),
        ("kvs.", "Service"),
        ("errors.", "Error Handling"),
        ("topic.creation.", "Topic Creation"),
        ("topic", "Records"),
    ];
    let found = GROUPS.iter().find(|(prefix, _)| name.starts_with(prefix));
    match name {
        "name" | "connector.class" | "tasks.max" => "Common",
        _ => found.map_or("Records", |(_, group)| group),
    }
}

fn kind(name: &str, default: &str) -> &'static str {
    let number = default.parse::<i64>().is_ok();
    if secrets::is_secret(name) {
        "PASSWORD"
    } else if matches!(default, "true" | "false") || matches!(name, "kvs.endpoint.fips" | "kvs.endpoint.dual.stack") {
        "BOOLEAN"
    } else if matches!(name, "kvs.streams" | "kvs.streams.tags" | "kvs.proxy.exceptions") {
        "LIST"
    } else if number || name.ends_with(".ms") || name.ends_with(".bytes") {
        "LONG"
    } else {
        "STRING"
    }
}

fn definition(key: &Key, order: usize) -> ConfigKeyInfo {
    let required = key.default == "required";
    let kind = kind(key.name, key.default);
    // What is no value but a sentence about where the value comes from is none.
    let is_value = !required && !key.default.is_empty() && !key.default.contains(' ') && !key.default.contains(',');
    let default = Some(key.default).filter(|default| is_value && (kind != "LONG" || default.parse::<i64>().is_ok()));
    let importance = if required || key.name == "kvs.streams" { "HIGH" } else { "MEDIUM" };
    ConfigKeyInfo {
        name: key.name,
        r#type: kind,
        required,
        default_value: default.map(str::to_owned),
        importance,
        documentation: key.doc.to_owned(),
        group: group(key.name),
        width: WIDTH,
        display_name: key.name,
        dependents: &[],
        order,
    }
}

async fn config(Path(plugin): Path<String>) -> Result<Json<Vec<ConfigKeyInfo>>, ApiError> {
    known(&plugin)?;
    Ok(Json(CONNECTOR.iter().enumerate().map(|(index, key)| definition(key, index + 1)).collect()))
}

#[derive(Deserialize)]
struct Flags {
    /// Whether the service and Kafka are asked, too.
    #[serde(default, deserialize_with = "flag")]
    connect: bool,
}

/// Every setting with its value and what is wrong with it.
async fn validate(
    State(herder): State<Herder>,
    Path(plugin): Path<String>,
    Query(Flags { connect }): Query<Flags>,
    JsonBody(SettingsTried(given)): JsonBody<SettingsTried>,
) -> Result<Json<ConfigInfos>, ApiError> {
    known(&plugin)?;
    let class = given.get("connector.class").map(|class| class.as_str().unwrap_or_default());
    let class = match class {
        None => {
            return Err(ApiError::bad_request(format!(
                "connector.class: is required; {CLASS} was asked for in the path"
            )));
        }
        Some(class) if !is_class(class) => return Err(no_such_class(class)),
        Some(class) => class.to_owned(),
    };
    let mut wrong: Vec<(String, String)> = Vec::new();
    let mut settings = crate::cluster::Settings::new();
    for (key, value) in &given {
        match setting_text(value) {
            Some(text) => _ = settings.insert(key.clone(), text),
            None if value.is_null() => {}
            None => wrong.push((key.clone(), "text was expected as its value".to_owned())),
        }
    }
    let found = herder.problems(&settings, connect).await?;
    wrong.extend(found.into_iter().map(|problem| (problem.key, problem.reason)));
    let shown = secrets::masked(&settings);
    let value_of = |name: &str, value: Option<String>, recommended: &[&'static str]| ConfigValueInfo {
        name: name.to_owned(),
        value,
        recommended_values: recommended.to_vec(),
        errors: wrong.iter().filter(|(key, _)| key == name).map(|(_, reason)| reason.clone()).collect(),
        visible: true,
    };
    let known = CONNECTOR.iter().enumerate().map(|(index, key)| {
        let definition = definition(key, index + 1);
        let value = shown.get(key.name).cloned().or_else(|| definition.default_value.clone());
        ConfigInfo { value: value_of(key.name, value, recommended(key.name)), definition: Some(definition) }
    });
    let mut configs: Vec<ConfigInfo> = known.collect();
    // What is not defined is told of all the same.
    let defined = |name: &str| CONNECTOR.iter().any(|key| key.name == name);
    let others =
        shown.iter().filter(|(name, _)| !defined(name)).map(|(name, value)| (name.clone(), Some(value.clone())));
    let unnamed = wrong.iter().map(|(name, _)| name).filter(|name| !defined(name) && !shown.contains_key(*name));
    let unnamed: BTreeSet<&String> = unnamed.collect();
    for (name, value) in others.chain(unnamed.into_iter().map(|name| (name.clone(), None))).collect::<Vec<_>>() {
        let of_topic = Key { name: keys::TOPIC_CREATION_PREFIX, default: "", doc: "Configuration of the data topic." };
        let definition = keys::is_connector_key(&name).then(|| definition(&of_topic, 0));
        configs.push(ConfigInfo { definition, value: value_of(&name, value, &[]) });
    }
    let mut groups: Vec<&'static str> = Vec::new();
    for key in CONNECTOR {
        if !groups.contains(&group(key.name)) {
            groups.push(group(key.name));
        }
    }
    Ok(Json(ConfigInfos { name: class, error_count: wrong.len(), groups, configs }))
}

fn recommended(name: &str) -> &'static [&'static str] {
    match name {
        "kvs.start.position" => {
            &["EARLIEST", "NOW", "FRAGMENT_NUMBER", "PRODUCER_TIMESTAMP", "SERVER_TIMESTAMP", "CONTINUATION_TOKEN"]
        }
        "kvs.position.lost" => &["earliest", "now", "fail"],
        "errors.tolerance" => &["none", "all"],
        "key.converter" => &["string", "avro"],
        "record.timestamp" => &["ingest", "producer", "server"],
        _ => &[],
    }
}
