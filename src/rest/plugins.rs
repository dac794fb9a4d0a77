//! `/connector-plugins`: the one connector there is, its settings, and trying settings out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::error::{ApiError, JsonBody, Path, Query, flag};
use crate::config::connector::{CLASS, CLASS_PATH, is_class, setting_text};
use crate::config::table::{self, Default, Definition, Importance, Kind};
use crate::config::{keys, secrets};
use crate::worker::Worker;

fn plugin() -> Value {
    json!({ "class": CLASS_PATH, "type": "source", "version": env!("CARGO_PKG_VERSION") })
}

fn known(plugin: &str) -> Result<(), ApiError> {
    if is_class(plugin) { Ok(()) } else { Err(no_such_class(plugin)) }
}

/// Returns the error for another class, as Connect words it.
fn no_such_class(name: &str) -> ApiError {
    let name: String = name.chars().take(200).collect();
    let version = env!("CARGO_PKG_VERSION");
    ApiError::bad_request(format!(
        "Failed to find any class that implements Connector and which name matches {name}, available connectors are: \
         PluginDesc{{klass=class {CLASS_PATH}, name='{CLASS_PATH}', version='{version}', type=source, typeName='source'}}"
    ))
}

/// Lists the one connector there is.
pub(super) async fn list() -> Json<Value> {
    Json(json!([plugin()]))
}

/// A setting as Kafka Connect describes it (`ConfigKeyInfo`).
#[derive(Debug, Serialize)]
struct ConfigKeyInfo {
    name: &'static str,
    r#type: &'static str,
    required: bool,
    default_value: Option<String>,
    importance: &'static str,
    documentation: String,
    group: &'static str,
    width: &'static str,
    display_name: &'static str,
    dependents: &'static [&'static str],
    order: usize,
}

impl ConfigKeyInfo {
    /// Describes a setting; `order` is its place within its group, from 1 on.
    fn new(definition: &Definition, order: usize) -> Self {
        Self {
            name: definition.name,
            r#type: connect_type(definition.kind),
            required: definition.default == Default::Required,
            default_value: definition.default_text(),
            importance: match definition.importance {
                Importance::High => "HIGH",
                Importance::Medium => "MEDIUM",
                Importance::Low => "LOW",
            },
            documentation: definition.documentation(),
            group: definition.group.title(),
            width: match definition.kind {
                Kind::Flag | Kind::Int { .. } | Kind::Choice(_) | Kind::Time => "SHORT",
                Kind::Text | Kind::Topic | Kind::Password => "MEDIUM",
                Kind::List | Kind::Regex | Kind::File => "LONG",
            },
            display_name: definition.display_name,
            dependents: definition.dependents,
            order,
        }
    }
}

/// Returns the type of Kafka's `ConfigDef` that holds such values.
fn connect_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Password => "PASSWORD",
        Kind::Flag => "BOOLEAN",
        Kind::List => "LIST",
        Kind::Int { least, most, .. } => {
            let fits = i32::try_from(least).is_ok() && i32::try_from(most).is_ok();
            if fits { "INT" } else { "LONG" }
        }
        Kind::Text | Kind::Choice(_) | Kind::Topic | Kind::Regex | Kind::Time | Kind::File => "STRING",
    }
}

/// Returns all settings of a connector, each with its place within its group, as Kafka's `ConfigDef` counts.
fn definitions() -> impl Iterator<Item = (&'static Definition, ConfigKeyInfo)> {
    let mut orders: BTreeMap<&str, usize> = BTreeMap::new();
    table::connector().map(move |definition| {
        let order = orders.entry(definition.group.title()).or_default();
        *order += 1;
        (definition, ConfigKeyInfo::new(definition, *order))
    })
}

/// Describes every setting.
pub(super) async fn config(Path(plugin): Path<String>) -> Result<Json<Value>, ApiError> {
    known(&plugin)?;
    Ok(Json(definitions().map(|(_, info)| json!(info)).collect()))
}

#[derive(Deserialize)]
pub(super) struct Flags {
    /// Whether the service and Kafka are asked, too.
    #[serde(default, deserialize_with = "flag")]
    connect: bool,
}

/// A setting's value, with what is wrong with it (`ConfigValueInfo`).
#[derive(Debug, Serialize)]
struct ConfigValueInfo {
    name: String,
    value: Option<String>,
    recommended_values: Vec<&'static str>,
    errors: Vec<String>,
    visible: bool,
}

/// A setting and its value; no definition for what is no setting (`ConfigInfo`).
#[derive(Debug, Serialize)]
struct ConfigInfo {
    definition: Option<ConfigKeyInfo>,
    value: ConfigValueInfo,
}

/// What comes of trying settings out (`ConfigInfos`).
#[derive(Debug, Serialize)]
struct ConfigInfos {
    name: Value,
    error_count: usize,
    groups: Vec<&'static str>,
    configs: Vec<ConfigInfo>,
}

/// Tells of every setting its value and what is wrong with it.
pub(super) async fn validate(
    State(worker): State<Arc<Worker>>,
    Path(plugin): Path<String>,
    Query(Flags { connect }): Query<Flags>,
    JsonBody(given): JsonBody<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    known(&plugin)?;
    match given.get("connector.class").map(|class| class.as_str().unwrap_or_default()) {
        None => {
            return Err(ApiError::bad_request(format!(
                "connector.class: is required; {CLASS} was asked for in the path"
            )));
        }
        Some(class) if !is_class(class) => return Err(no_such_class(class)),
        Some(_) => {}
    }
    let mut wrong: Vec<(String, String)> = Vec::new();
    let mut settings = crate::cluster::Settings::new();
    for (key, value) in &given {
        match setting_text(value) {
            Some(text) => _ = settings.insert(key.clone(), text),
            None if value.is_null() => {}
            None => wrong.push((key.clone(), "text was expected as its value".to_owned())),
        }
    }
    let found = worker.problems(&settings, connect).await?;
    wrong.extend(found.into_iter().map(|problem| (problem.key, problem.reason)));
    let class = given["connector.class"].clone();
    Ok(Json(json!(infos(class, &secrets::masked(&settings), &wrong))))
}

/// Puts together what is known of each setting, its value as it may be shown, and what is wrong with it.
fn infos(class: Value, shown: &BTreeMap<String, String>, wrong: &[(String, String)]) -> ConfigInfos {
    let value_of = |name: &str, value: Option<String>, recommended_values| ConfigValueInfo {
        name: name.to_owned(),
        value,
        recommended_values,
        errors: wrong.iter().filter(|(key, _)| key == name).map(|(_, reason)| reason.clone()).collect(),
        visible: true,
    };
    let mut groups: Vec<&str> = Vec::new();
    let mut configs: Vec<ConfigInfo> = Vec::new();
    for (definition, info) in definitions() {
        if !groups.contains(&info.group) {
            groups.push(info.group);
        }
        let value = shown.get(definition.name).cloned().or_else(|| info.default_value.clone());
        let recommended = definition.choices().iter().map(|choice| choice.name).collect();
        configs.push(ConfigInfo { value: value_of(definition.name, value, recommended), definition: Some(info) });
    }
    // What is not defined is told of all the same.
    let is_defined = |name: &str| table::connector().any(|definition| definition.name == name);
    let others = shown.keys().chain(wrong.iter().map(|(name, _)| name)).filter(|name| !is_defined(name));
    for name in others.collect::<BTreeSet<_>>() {
        let definition = keys::is_connector_key(name).then(|| ConfigKeyInfo::new(&table::TOPIC_CONFIG, 0));
        configs.push(ConfigInfo { definition, value: value_of(name, shown.get(name).cloned(), Vec::new()) });
    }
    ConfigInfos { name: class, error_count: wrong.len(), groups, configs }
}

#[cfg(test)]
#[path = "plugins_tests.rs"]
mod tests;
