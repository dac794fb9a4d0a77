//! Connectors and their tasks.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cluster::{ConnectorEntry, ReportedState, Status};
use crate::config::secrets;
use crate::herder::{self, Herder, tasks_of};

/// A connector's settings, a flat map of strings; docs/CONFIGURATION.md lists all of them.
#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
pub(in crate::rest) struct Settings(pub(in crate::rest) BTreeMap<String, String>);

impl Settings {
    /// Returns a connector's settings as they may be shown; none if they cannot be read.
    pub(in crate::rest) fn of(entry: &ConnectorEntry) -> Self {
        Self(entry.settings.as_ref().map(secrets::masked).unwrap_or_default())
    }
}

/// Settings as given by the client; numbers and flags are converted to text.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("additionalProperties" = { "type": ["string", "number", "boolean"] }))]
pub(in crate::rest) struct SettingsGiven(pub(in crate::rest) Map<String, Value>);

/// Settings to change; null removes a setting.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("additionalProperties" = { "type": ["string", "number", "boolean", "null"] }))]
pub(in crate::rest) struct SettingsPatch(pub(in crate::rest) Map<String, Value>);

/// A connector to create.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::rest) struct Creation {
    /// Its name, if it is not among the settings.
    #[schemars(length(min = 1, max = 256))]
    pub(in crate::rest) name: Option<String>,
    /// Its settings.
    #[schemars(required, with = "SettingsGiven")]
    pub(in crate::rest) config: Option<Map<String, Value>>,
    /// The connector's initial state; RUNNING by default.
    #[schemars(extend("enum" = ["RUNNING", "PAUSED", "STOPPED", null]))]
    pub(in crate::rest) initial_state: Option<String>,
}

/// The kind of connector, as Kafka Connect distinguishes sources and sinks; this is a source.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::rest) enum ConnectorType {
    /// Records come from it.
    Source,
}

/// Identifies a task.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct TaskId {
    /// The name of its connector.
    pub(in crate::rest) connector: String,
    /// Its number, which it keeps as long as its stream belongs to the connector.
    pub(in crate::rest) task: u32,
}

/// A connector.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct ConnectorInfo {
    /// Its name.
    pub(in crate::rest) name: String,
    /// Its settings; secrets given in plain text are masked.
    pub(in crate::rest) config: Settings,
    /// Its tasks; none while it is STOPPED.
    pub(in crate::rest) tasks: Vec<TaskId>,
    /// The kind of connector.
    pub(in crate::rest) r#type: ConnectorType,
}

impl ConnectorInfo {
    pub(in crate::rest) fn of(name: &str, entry: &ConnectorEntry) -> Self {
        let tasks = tasks_of(entry).into_iter().map(|task| TaskId { connector: name.to_owned(), task: task.id });
        Self {
            name: name.to_owned(),
            config: Settings::of(entry),
            tasks: tasks.collect(),
            r#type: ConnectorType::Source,
        }
    }
}

/// A task with its settings: those of its connector, restricted to its own stream.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct TaskInfo {
    /// Identifies the task.
    pub(in crate::rest) id: TaskId,
    /// Its settings.
    pub(in crate::rest) config: Settings,
}

/// The state of a connector or a task.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
pub(in crate::rest) enum StateName {
    Running,
    Paused,
    Stopped,
    Failed,
    Restarting,
    Unassigned,
}

impl From<ReportedState> for StateName {
    fn from(state: ReportedState) -> Self {
        match state {
            ReportedState::Running => Self::Running,
            ReportedState::Paused => Self::Paused,
            ReportedState::Stopped => Self::Stopped,
            ReportedState::Failed => Self::Failed,
            ReportedState::Restarting => Self::Restarting,
            ReportedState::Unassigned => Self::Unassigned,
        }
    }
}

/// The status of a connector or a task.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct State {
    /// Its state.
    pub(in crate::rest) state: StateName,
    /// The host:port of the worker that has it, or had it last.
    pub(in crate::rest) worker_id: String,
    /// The version of the program on this worker.
    pub(in crate::rest) version: String,
    /// Why it has failed, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(in crate::rest) trace: Option<String>,
}

impl State {
    pub(in crate::rest) fn of(herder: &Herder, status: &Status) -> Self {
        Self {
            state: status.state.into(),
            worker_id: status.reporter.worker_id.clone(),
            version: herder.version_of(&status.reporter.worker_id),
            trace: status.trace.clone(),
        }
    }
}

/// The status of a task.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct TaskStatus {
    /// Its number.
    pub(in crate::rest) id: u32,
    /// Its status.
    #[serde(flatten)]
    pub(in crate::rest) status: State,
}

/// The statuses of a connector and its tasks.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct ConnectorStatus {
    /// Its name.
    pub(in crate::rest) name: String,
    /// The connector's status.
    pub(in crate::rest) connector: State,
    /// The statuses of its tasks.
    pub(in crate::rest) tasks: Vec<TaskStatus>,
    /// The kind of connector.
    pub(in crate::rest) r#type: ConnectorType,
}

impl ConnectorStatus {
    pub(in crate::rest) fn of(herder: &Herder, name: &str, status: &herder::ConnectorStatus) -> Self {
        let task = |(&id, task): (&u32, &Status)| TaskStatus { id, status: State::of(herder, task) };
        Self {
            name: name.to_owned(),
            connector: State::of(herder, &status.connector),
            tasks: status.tasks.iter().map(task).collect(),
            r#type: ConnectorType::Source,
        }
    }
}

/// The requested details of a connector.
#[derive(Default, Serialize, JsonSchema)]
pub(in crate::rest) struct Expanded {
    /// With `expand=status`: its status and its tasks' statuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ConnectorStatus")]
    pub(in crate::rest) status: Option<ConnectorStatus>,
    /// With `expand=info`: the connector.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ConnectorInfo")]
    pub(in crate::rest) info: Option<ConnectorInfo>,
}

/// The names of all connectors; with `expand` an object by name.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(in crate::rest) enum Listed {
    /// Without `expand`.
    Names(Vec<String>),
    /// With `expand`.
    Expanded(BTreeMap<String, Expanded>),
}

/// The topics of a connector.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct Topics {
    /// The topics written to since the connector was created, or since they were reset.
    pub(in crate::rest) topics: BTreeSet<String>,
}
