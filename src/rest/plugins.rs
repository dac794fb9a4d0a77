//! `/connector-plugins`: the only connector, its settings, and their validation.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::api::plugins::{ConfigInfo, ConfigInfos, ConfigKeyInfo, ConfigValueInfo, PluginInfo, SettingsTried};
use super::error::{ApiError, JsonBody, Path, Query, flag};
use super::parameter::Parameter;
use super::routes::{Herder, Routes, operation};
use crate::config::connector::{CLASS, CLASS_PATH, is_class, setting_text};
use crate::config::secrets;
use crate::config::table::{self, Default, Definition, Importance, Kind};

const EXAMPLE: &str = r#"{ "connector.class": "KinesisVideoSourceConnector", "kvs.region": "eu-central-1",
    "kvs.streams": "front-door,parking", "topic": "kvs.fragments" }"#;

pub(super) fn routes() -> Routes {
    let plugin = Parameter::text("plugin", "The connector's class.", None, "KinesisVideoSourceConnector");
    Routes::new("plugins")
        .parameter(plugin)
        .get(
            "/connector-plugins",
            list,
            operation("listPlugins", "List the available connectors").returns::<[PluginInfo; 1]>(200, "Plugins."),
        )
        .get(
            "/connector-plugins/{plugin}/config",
            config,
            operation("getPluginConfig", "Get all settings of a connector class")
                .returns::<Vec<ConfigKeyInfo>>(200, "Definitions.")
                .may_be_wrong(),
        )
        .put(
            "/connector-plugins/{plugin}/config/validate",
            validate,
            operation("validateConfig", "Validate settings, field by field; creates nothing")
                .parameter(Parameter::flag("connect", "Contact the service and Kafka, too."))
                .takes::<SettingsTried>(EXAMPLE)
                .returns::<ConfigInfos>(200, "Every setting with its errors.")
                .fails(
                    403,
                    "With `connect=true`: this user may read but not change, a page of another origin sent the request, or the \
                     worker is not known by the requested host.",
                ),
        )
}

fn known(plugin: &str) -> Result<(), ApiError> {
    if is_class(plugin) { Ok(()) } else { Err(no_such_class(plugin)) }
}

/// Returns the error for an unknown class, in Connect's words.
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

impl ConfigKeyInfo {
    /// Describes a setting; `order` is its position within its group, from 1.
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
                Kind::Text | Kind::Topic | Kind::TopicTemplate | Kind::Password => "MEDIUM",
                Kind::List | Kind::Regex | Kind::File => "LONG",
            },
            display_name: definition.display_name,
            dependents: definition.dependents,
            order,
        }
    }
}

/// Returns the type of Kafka's `ConfigDef` for such values.
fn connect_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Password => "PASSWORD",
        Kind::Flag => "BOOLEAN",
        Kind::List => "LIST",
        Kind::Int { least, most, .. } => {
            let fits = i32::try_from(least).is_ok() && i32::try_from(most).is_ok();
            if fits { "INT" } else { "LONG" }
        }
        Kind::Text | Kind::Choice(_) | Kind::Topic | Kind::TopicTemplate | Kind::Regex | Kind::Time | Kind::File => {
            "STRING"
        }
    }
}

/// Returns all settings of a connector, each with its position within its group, as Kafka's `ConfigDef` counts.
fn definitions() -> impl Iterator<Item = (&'static Definition, ConfigKeyInfo)> {
    let mut orders: BTreeMap<&str, usize> = BTreeMap::new();
    table::connector().map(move |definition| {
        let order = orders.entry(definition.group.title()).or_default();
        *order += 1;
        (definition, ConfigKeyInfo::new(definition, *order))
    })
}

/// Describes every setting.
async fn config(Path(plugin): Path<String>) -> Result<Json<Vec<ConfigKeyInfo>>, ApiError> {
    known(&plugin)?;
    Ok(Json(definitions().map(|(_, info)| info).collect()))
}

#[derive(Deserialize)]
struct Flags {
    /// Whether the service and Kafka are contacted, too.
    #[serde(default, deserialize_with = "flag")]
    connect: bool,
}

/// Returns every setting's value and errors.
async fn validate(
    State(herder): State<Herder>,
    Path(plugin): Path<String>,
    Query(Flags { connect }): Query<Flags>,
    JsonBody(SettingsTried(given)): JsonBody<SettingsTried>,
) -> Result<Json<ConfigInfos>, ApiError> {
    known(&plugin)?;
    let class = match given.get("connector.class").map(|class| class.as_str().unwrap_or_default()) {
        None => {
            return Err(ApiError::bad_request(format!("connector.class: is required; the path names {CLASS}")));
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
    Ok(Json(infos(class, &secrets::masked(&settings), &wrong)))
}

/// Combines each setting's definition, its value as it may be shown, and its errors.
fn infos(class: String, shown: &BTreeMap<String, String>, wrong: &[(String, String)]) -> ConfigInfos {
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
    // Settings without a definition are reported as well.
    let is_defined = |name: &str| table::connector().any(|definition| definition.name == name);
    let others = shown.keys().chain(wrong.iter().map(|(name, _)| name)).filter(|name| !is_defined(name));
    for name in others.collect::<BTreeSet<_>>() {
        let definition = table::of_connector(name).map(|definition| ConfigKeyInfo::new(definition, 0));
        configs.push(ConfigInfo { definition, value: value_of(name, shown.get(name).cloned(), Vec::new()) });
    }
    ConfigInfos { name: class, error_count: wrong.len(), groups, configs }
}

#[cfg(test)]
#[path = "plugins_tests.rs"]
mod tests;
