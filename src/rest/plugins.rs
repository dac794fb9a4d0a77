//! `/connector-plugins`: the one connector there is, its settings, and trying settings out.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::{ApiError, JsonBody, Path, Query, flag};
use crate::config::connector::{CLASS, CLASS_PATH, is_class, setting_text};
use crate::config::keys::{self, CONNECTOR, Key};
use crate::config::secrets;
use crate::worker::Worker;

/// A label is as wide as this says; Connect's user interfaces ask for it.
const WIDTH: &str = "MEDIUM";

fn plugin() -> Value {
    json!({ "class": CLASS_PATH, "type": "source", "version": env!("CARGO_PKG_VERSION") })
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

pub(super) async fn list() -> Json<Value> {
    Json(json!([plugin()]))
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

fn definition(key: &Key, order: usize) -> Value {
    let required = key.default == "required";
    let kind = kind(key.name, key.default);
    // What is no value but a sentence about where the value comes from is none.
    let is_value = !required && !key.default.is_empty() && !key.default.contains(' ') && !key.default.contains(',');
    let default = Some(key.default).filter(|default| is_value && (kind != "LONG" || default.parse::<i64>().is_ok()));
    let importance = if required || key.name == "kvs.streams" { "HIGH" } else { "MEDIUM" };
    json!({
        "name": key.name,
        "type": kind,
        "required": required,
        "default_value": default,
        "importance": importance,
        "documentation": key.doc,
        "group": group(key.name),
        "width": WIDTH,
        "display_name": key.name,
        "dependents": [],
        "order": order,
    })
}

pub(super) async fn config(Path(plugin): Path<String>) -> Result<Json<Value>, ApiError> {
    known(&plugin)?;
    Ok(Json(CONNECTOR.iter().enumerate().map(|(index, key)| definition(key, index + 1)).collect()))
}

#[derive(Deserialize)]
pub(super) struct Flags {
    /// Whether the service and Kafka are asked, too.
    #[serde(default, deserialize_with = "flag")]
    connect: bool,
}

/// Every setting with its value and what is wrong with it.
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
    let shown = secrets::masked(&settings);
    let errors_of = |name: &str| -> Vec<&String> {
        wrong.iter().filter(|(key, _)| key == name).map(|(_, reason)| reason).collect()
    };
    let mut configs: Vec<Value> = CONNECTOR
        .iter()
        .enumerate()
        .map(|(index, key)| {
            let definition = definition(key, index + 1);
            let value =
                shown.get(key.name).map_or_else(|| definition["default_value"].clone(), |text| text.as_str().into());
            json!({
                "definition": definition,
                "value": {
                    "name": key.name,
                    "value": value,
                    "recommended_values": recommended(key.name),
                    "errors": errors_of(key.name),
                    "visible": true,
                },
            })
        })
        .collect();
    // What is not defined is told of all the same.
    let defined = |name: &str| CONNECTOR.iter().any(|key| key.name == name);
    let others =
        shown.iter().filter(|(name, _)| !defined(name)).map(|(name, value)| (name.clone(), Some(value.clone())));
    let unnamed = wrong.iter().map(|(name, _)| name).filter(|name| !defined(name) && !shown.contains_key(*name));
    let unnamed: std::collections::BTreeSet<&String> = unnamed.collect();
    for (name, value) in others.chain(unnamed.into_iter().map(|name| (name.clone(), None))).collect::<Vec<_>>() {
        let errors = errors_of(&name);
        let definition = if keys::is_connector_key(&name) {
            definition(
                &Key { name: keys::TOPIC_CREATION_PREFIX, default: "", doc: "Configuration of the data topic." },
                0,
            )
        } else {
            Value::Null
        };
        configs.push(json!({
            "definition": definition,
            "value": { "name": name, "value": value, "recommended_values": [], "errors": errors, "visible": true },
        }));
    }
    let mut groups: Vec<&str> = Vec::new();
    for key in CONNECTOR {
        if !groups.contains(&group(key.name)) {
            groups.push(group(key.name));
        }
    }
    let class = given["connector.class"].clone();
    Ok(Json(json!({ "name": class, "error_count": wrong.len(), "groups": groups, "configs": configs })))
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
