//! The connector plugin, its settings, and their validation. Types are named as Kafka Connect names them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An available connector class.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct PluginInfo {
    /// Its class.
    pub(in crate::rest) class: &'static str,
    /// The kind of connector.
    pub(in crate::rest) r#type: &'static str,
    /// Its version.
    pub(in crate::rest) version: &'static str,
}

/// A setting of a connector.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct ConfigKeyInfo {
    /// Its name.
    pub(in crate::rest) name: &'static str,
    /// The type of its values, as in Kafka's ConfigDef.
    pub(in crate::rest) r#type: &'static str,
    /// Whether it is required.
    pub(in crate::rest) required: bool,
    /// Its default value; null if it has none.
    pub(in crate::rest) default_value: Option<String>,
    /// HIGH, MEDIUM or LOW.
    pub(in crate::rest) importance: &'static str,
    /// What it does.
    pub(in crate::rest) documentation: String,
    /// The group under which it is shown.
    pub(in crate::rest) group: &'static str,
    /// The width of its field: SHORT, MEDIUM or LONG.
    pub(in crate::rest) width: &'static str,
    /// Its display name.
    pub(in crate::rest) display_name: &'static str,
    /// Settings that depend on it.
    pub(in crate::rest) dependents: &'static [&'static str],
    /// Its position within its group.
    pub(in crate::rest) order: usize,
}

/// Settings to validate; all problems are in the response.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend(
    "required" = ["connector.class"],
    "properties" = { "connector.class": { "type": "string" } },
))]
pub(in crate::rest) struct SettingsTried(pub(in crate::rest) Map<String, Value>);

/// A setting's value and its errors.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct ConfigValueInfo {
    /// The name of the setting.
    pub(in crate::rest) name: String,
    /// Its value; secrets given in plain text are masked.
    pub(in crate::rest) value: Option<String>,
    /// Values to choose from; empty if they cannot be listed.
    pub(in crate::rest) recommended_values: Vec<&'static str>,
    /// The errors.
    pub(in crate::rest) errors: Vec<String>,
    /// Whether to show it.
    pub(in crate::rest) visible: bool,
}

/// A setting and its value.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct ConfigInfo {
    /// The setting's definition; null if there is no setting with this name.
    pub(in crate::rest) definition: Option<ConfigKeyInfo>,
    /// The setting's value.
    pub(in crate::rest) value: ConfigValueInfo,
}

/// The result of a validation.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct ConfigInfos {
    /// The connector's class.
    pub(in crate::rest) name: String,
    /// The number of errors.
    pub(in crate::rest) error_count: usize,
    /// The groups under which settings are shown.
    pub(in crate::rest) groups: Vec<&'static str>,
    /// Every setting.
    pub(in crate::rest) configs: Vec<ConfigInfo>,
}
