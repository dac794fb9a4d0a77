//! The connector plugin, its settings, and their validation. Types are named as Kafka Connect names them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A connector class that there is.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct PluginInfo {
    /// Its class.
    pub(in crate::rest) class: &'static str,
    /// What kind of connector it is.
    pub(in crate::rest) r#type: &'static str,
    /// Its version.
    pub(in crate::rest) version: &'static str,
}

/// A setting of a connector.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct ConfigKeyInfo {
    /// Its name.
    pub(in crate::rest) name: &'static str,
    /// What its values are, as Kafka's ConfigDef has it.
    pub(in crate::rest) r#type: &'static str,
    /// Whether it has to be given.
    pub(in crate::rest) required: bool,
    /// Its value where it is not given; null: it has none.
    pub(in crate::rest) default_value: Option<String>,
    /// HIGH, MEDIUM or LOW.
    pub(in crate::rest) importance: &'static str,
    /// What it is for.
    pub(in crate::rest) documentation: String,
    /// The group in which it is shown.
    pub(in crate::rest) group: &'static str,
    /// The width of its field: SHORT, MEDIUM or LONG.
    pub(in crate::rest) width: &'static str,
    /// Its name for people.
    pub(in crate::rest) display_name: &'static str,
    /// Settings that depend on it.
    pub(in crate::rest) dependents: &'static [&'static str],
    /// Its place among the others.
    pub(in crate::rest) order: usize,
}

/// Settings to be looked at, whatever they are: what is wrong is in the answer.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend(
    "required" = ["connector.class"],
    "properties" = { "connector.class": { "type": "string" } },
))]
pub(in crate::rest) struct SettingsTried(pub(in crate::rest) Map<String, Value>);

/// A setting's value, with what is wrong with it.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct ConfigValueInfo {
    /// Name of the setting.
    pub(in crate::rest) name: String,
    /// Its value; secrets given in the clear are masked.
    pub(in crate::rest) value: Option<String>,
    /// Values to choose from; none: there are too many to list.
    pub(in crate::rest) recommended_values: Vec<&'static str>,
    /// What is wrong with it.
    pub(in crate::rest) errors: Vec<String>,
    /// Whether it is to be shown.
    pub(in crate::rest) visible: bool,
}

/// A setting and its value.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct ConfigInfo {
    /// What the setting is; null: there is none of this name.
    pub(in crate::rest) definition: Option<ConfigKeyInfo>,
    /// What it is here.
    pub(in crate::rest) value: ConfigValueInfo,
}

/// What comes of trying settings out.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct ConfigInfos {
    /// The connector's class.
    pub(in crate::rest) name: String,
    /// How many errors there are.
    pub(in crate::rest) error_count: usize,
    /// The groups in which settings are shown.
    pub(in crate::rest) groups: Vec<&'static str>,
    /// Every setting.
    pub(in crate::rest) configs: Vec<ConfigInfo>,
}
