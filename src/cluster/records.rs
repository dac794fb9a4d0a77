//! Keys and values of the config log, as Kafka Connect writes them.
//!
//! Connect's own: `connector-NAME`, `target-state-NAME`, `task-NAME-ID`, `restart-connector-NAME`,
//! `logger-cluster-NAME`. Ours besides: `kvs-connect-change`, by which a worker whose commit had no clear answer learns
//! whether it was done; `kvs-connect-altered`, which tells the owners of shards that their offsets were altered;
//! `kvs-connect-offsets-topic-NAME`, the offsets topic that a connector's offsets are in where that is not the worker's; and
//! `kvs-connect-contract-ID`, what the group has agreed on (`super::contracts`), and `kvs-connect-group`, the group alone, for
//! versions that know only that. A value may say its `version`; without one it is of the first.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::contracts;
pub use super::key_value::KeyValue;
use crate::model::contract::ContractError;
use crate::model::{Contract, ShardId, TopicShard};

/// A connector's settings, as given by the user.
pub type Settings = BTreeMap<String, String>;

/// The newest version of the values that this program understands.
pub const VERSION: u64 = 1;

const CONNECTOR: &str = "connector-";
const TARGET_STATE: &str = "target-state-";
const TASK: &str = "task-";
const RESTART: &str = "restart-connector-";
const LOGGER: &str = "logger-cluster-";
const CHANGE: &str = "kvs-connect-change";
const ALTERED: &str = "kvs-connect-altered";
const GROUP: &str = "kvs-connect-group";
const OFFSETS_TOPIC: &str = "kvs-connect-offsets-topic-";
/// The longest key that one of our records has: a name of 256 characters, and what stands around it.
const KEY_MAX_BYTES: usize = 2_048;

/// The member of a task's properties that names its stream.
const STREAM: &str = "kvs.stream";

/// The target state of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TargetState {
    /// Streams are pulled.
    #[default]
    Started,
    /// Sessions are closed; tasks are kept.
    Paused,
    /// There are no tasks; only then may offsets be altered.
    Stopped,
}

impl TargetState {
    /// Returns the state's name in records: `STARTED`, `PAUSED`, `STOPPED`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
        }
    }

    /// Parses a state as in POST's `initial_state`: `RUNNING`, `PAUSED`, `STOPPED`, in upper or lower case.
    pub fn from_initial(text: &str) -> Option<Self> {
        match text.to_ascii_uppercase().as_str() {
            "RUNNING" => Some(Self::Started),
            "PAUSED" => Some(Self::Paused),
            "STOPPED" => Some(Self::Stopped),
            _ => None,
        }
    }

    fn from_name(text: &str) -> Option<Self> {
        [Self::Started, Self::Paused, Self::Stopped].into_iter().find(|state| state.name() == text)
    }
}

/// A request to restart a connector or a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartRequest {
    /// The connector.
    pub connector: String,
    /// Whether its tasks are restarted, too.
    pub include_tasks: bool,
    /// Whether only what has failed is restarted.
    pub only_failed: bool,
    /// The only task to restart, if any.
    pub task: Option<u32>,
}

/// The offsets topic that a connector's offsets are in.
///
/// It stays when the connector is deleted, as its offsets do: who makes a connector of that name again knows where it was.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OffsetsHome {
    /// The topic; `None`: the worker's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The move to another topic that has begun. Whatever is done with the connector meanwhile takes this away, and the move
    /// is not completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving: Option<String>,
    /// Whether the offsets were lost with the topic, which has been begun again for another connector since: a stream without
    /// an offset there may have had one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lost: bool,
}

// Serde passes a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Shards of one offsets topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlteredShards {
    /// The topic; `None`: the worker's.
    pub topic: Option<String>,
    /// Its shards.
    pub shards: Vec<ShardId>,
}

impl AlteredShards {
    /// Returns the shards as those of a group whose workers have this offsets topic.
    pub fn in_group(&self, workers_topic: &Arc<str>) -> Vec<TopicShard> {
        let topic = self.topic.as_deref().map_or_else(|| Arc::clone(workers_topic), Arc::from);
        self.shards.iter().map(|&shard| TopicShard { topic: Arc::clone(&topic), shard }).collect()
    }
}

/// Why a record of the config log cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The value is not JSON.
    #[error("its record is not JSON: {0}")]
    NoJson(#[source] JsonError),
    /// A later version of the program has written the record.
    #[error(
        "its record is of version {found} and this worker knows up to {known}: it was written by a newer worker; run that \
         version here too, or write the configuration again"
    )]
    LaterVersion {
        /// The record's version.
        found: u64,
        /// The newest version that this worker reads.
        known: u64,
    },
    /// The target state is unknown.
    #[error("its target state {state:?} is not known to this worker")]
    UnknownState {
        /// The state in the record.
        state: String,
    },
    /// The record of a connector has no settings.
    #[error("its record has no properties")]
    NoProperties,
}

/// The error of a record's JSON.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct JsonError(Arc<serde_json::Error>);

impl PartialEq for JsonError {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for JsonError {}

/// A parsed record of the config log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigRecord {
    /// `connector-NAME`. `Err` if it cannot be read.
    Connector(String, Option<Result<Settings, RecordError>>),
    /// `target-state-NAME`.
    Target(String, Option<Result<TargetState, RecordError>>),
    /// `task-NAME-ID`: the task's stream.
    Task(String, u32, Option<String>),
    /// `restart-connector-NAME`.
    Restart(RestartRequest),
    /// `logger-cluster-NAME`: its level.
    Logger(String, String),
    /// `kvs-connect-change`: the id of the change that was made.
    Change(String),
    /// `kvs-connect-group`: the group that owns the log.
    Group(String),
    /// `kvs-connect-contract-ID`: what the group has agreed on.
    Contract(String, Option<Result<Contract, ContractError>>),
    /// `kvs-connect-altered`: shards whose offsets were altered.
    Altered(AlteredShards),
    /// `kvs-connect-offsets-topic-NAME`. `Err`: it cannot be read, with the reason.
    OffsetsHome(String, Option<Result<OffsetsHome, RecordError>>),
    /// Somebody else's, or a later version's.
    Unknown,
}

fn record(key: String, value: Option<Value>) -> KeyValue {
    (key.into_bytes(), value.map(|value| value.to_string().into_bytes()))
}

/// Returns the record of a connector's settings; `None` deletes them.
pub fn connector(name: &str, settings: Option<&Settings>) -> KeyValue {
    record(format!("{CONNECTOR}{name}"), settings.map(|settings| json!({ "properties": settings })))
}

/// Returns the record of a connector's target state; `None` deletes it.
pub fn target_state(name: &str, state: Option<TargetState>) -> KeyValue {
    let value = state.map(|state| {
        // As in Connect since 3.5: a version that does not know STOPPED reads PAUSED.
        let first = if state == TargetState::Stopped { TargetState::Paused } else { state };
        json!({ "state": first.name(), "state.v2": state.name() })
    });
    record(format!("{TARGET_STATE}{name}"), value)
}

/// Returns the record of a task's stream; `None` deletes the task.
pub fn task(name: &str, id: u32, stream: Option<&str>) -> KeyValue {
    record(format!("{TASK}{name}-{id}"), stream.map(|stream| json!({ "properties": { STREAM: stream } })))
}

/// Returns the record that requests a restart.
pub fn restart(request: &RestartRequest) -> KeyValue {
    let mut value = json!({ "include-tasks": request.include_tasks, "only-failed": request.only_failed });
    if let Some(task) = request.task {
        value["task"] = task.into();
    }
    record(format!("{RESTART}{}", request.connector), Some(value))
}

/// Returns the record that sets a logger's level on all workers.
pub fn logger(name: &str, level: &str) -> KeyValue {
    record(format!("{LOGGER}{name}"), Some(json!({ "level": level })))
}

/// Returns the record that says that offsets of these shards were altered.
pub fn altered(altered: &AlteredShards) -> KeyValue {
    let shards: Vec<i32> = altered.shards.iter().map(|shard| shard.0).collect();
    let value = match &altered.topic {
        None => json!({ "shards": shards }),
        // Earlier versions know the worker's alone, and take `shards` for that topic's.
        Some(topic) => json!({ "topic": topic, "topicShards": shards }),
    };
    record(ALTERED.to_owned(), Some(value))
}

/// Returns the record of the topic that a connector's offsets are in; what has nothing to say deletes it.
pub fn offsets_home(name: &str, home: &OffsetsHome) -> KeyValue {
    let is_default = *home == OffsetsHome::default();
    record(format!("{OFFSETS_TOPIC}{name}"), if is_default { None } else { serde_json::to_value(home).ok() })
}

/// Returns the record that names the group that owns the log.
pub fn group(group_id: &str) -> KeyValue {
    record(GROUP.to_owned(), Some(json!({ "groupId": group_id })))
}

/// Returns the record that identifies the change made by a transaction.
pub fn change(id: &str) -> KeyValue {
    record(CHANGE.to_owned(), Some(json!({ "change": id })))
}

/// Parses a record's key and value.
pub fn read(key: &[u8], value: Option<&[u8]>) -> ConfigRecord {
    if let Some(id) = contracts::id_of(key) {
        return ConfigRecord::Contract(id.to_owned(), value.map(Contract::read));
    }
    // No connector's name is that long: the key was not written by this program.
    let Some(key) = std::str::from_utf8(key).ok().filter(|key| key.len() <= KEY_MAX_BYTES) else {
        return ConfigRecord::Unknown;
    };
    let value = value.map(parse);
    if let Some(name) = key.strip_prefix(OFFSETS_TOPIC) {
        let read =
            |value| serde_json::from_value(value).map_err(|error| RecordError::NoJson(JsonError(Arc::new(error))));
        return ConfigRecord::OffsetsHome(name.to_owned(), value.map(|value| value.and_then(read)));
    }
    if let Some(name) = key.strip_prefix(TARGET_STATE) {
        return ConfigRecord::Target(name.to_owned(), value.map(|value| value.and_then(|value| read_state(&value))));
    }
    if let Some(name) = key.strip_prefix(RESTART) {
        let Some(Ok(value)) = value else { return ConfigRecord::Unknown };
        let flag = |name: &str| value.get(name).and_then(Value::as_bool).unwrap_or(false);
        let task = value.get("task").and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
        let (include_tasks, only_failed) = (flag("include-tasks"), flag("only-failed"));
        return ConfigRecord::Restart(RestartRequest { connector: name.to_owned(), include_tasks, only_failed, task });
    }
    if let Some(name) = key.strip_prefix(CONNECTOR) {
        let settings = value.map(|value| value.and_then(|value| read_properties(&value)));
        return ConfigRecord::Connector(name.to_owned(), settings);
    }
    if let Some((name, id)) = key.strip_prefix(TASK).and_then(|rest| rest.rsplit_once('-')) {
        let Ok(id) = id.parse() else { return ConfigRecord::Unknown };
        return match value {
            None => ConfigRecord::Task(name.to_owned(), id, None),
            Some(Ok(value)) => match value["properties"][STREAM].as_str() {
                Some(stream) => ConfigRecord::Task(name.to_owned(), id, Some(stream.to_owned())),
                None => ConfigRecord::Unknown,
            },
            Some(Err(_)) => ConfigRecord::Unknown,
        };
    }
    match (key.strip_prefix(LOGGER), value) {
        (Some(name), Some(Ok(value))) => match value["level"].as_str() {
            Some(level) => ConfigRecord::Logger(name.to_owned(), level.to_owned()),
            None => ConfigRecord::Unknown,
        },
        (None, Some(Ok(value))) if key == CHANGE => {
            value["change"].as_str().map_or(ConfigRecord::Unknown, |id| ConfigRecord::Change(id.to_owned()))
        }
        (None, Some(Ok(value))) if key == GROUP => {
            value["groupId"].as_str().map_or(ConfigRecord::Unknown, |id| ConfigRecord::Group(id.to_owned()))
        }
        (None, Some(Ok(value))) if key == ALTERED => {
            let topic = value["topic"].as_str().map(str::to_owned);
            let shards = &value[if topic.is_some() { "topicShards" } else { "shards" }];
            let shards = shards.as_array().into_iter().flatten();
            let shards = shards.filter_map(Value::as_i64).filter_map(|shard| i32::try_from(shard).ok());
            ConfigRecord::Altered(AlteredShards { topic, shards: shards.map(ShardId).collect() })
        }
        _ => ConfigRecord::Unknown,
    }
}

/// Parses JSON of a known version.
fn parse(value: &[u8]) -> Result<Value, RecordError> {
    let value: Value =
        serde_json::from_slice(value).map_err(|error| RecordError::NoJson(JsonError(Arc::new(error))))?;
    match value.get("version").and_then(Value::as_u64) {
        Some(found) if found > VERSION => Err(RecordError::LaterVersion { found, known: VERSION }),
        _ => Ok(value),
    }
}

fn read_state(value: &Value) -> Result<TargetState, RecordError> {
    let state = value.get("state.v2").or_else(|| value.get("state")).and_then(Value::as_str).unwrap_or_default();
    TargetState::from_name(state).ok_or_else(|| RecordError::UnknownState { state: state.to_owned() })
}

fn read_properties(value: &Value) -> Result<Settings, RecordError> {
    let properties = value.get("properties").and_then(Value::as_object).ok_or(RecordError::NoProperties)?;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Ok(properties.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.clone(), text(value))).collect())
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
