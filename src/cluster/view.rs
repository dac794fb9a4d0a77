//! The content of the config log, up to a config offset.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::contracts::{self, Contracts};
use super::records::{self, ConfigRecord, KeyValue, RecordError, RestartRequest, Settings, TargetState};
use crate::logging::shown;
use crate::model::{Contract, ShardId};

/// The maximum number of changes remembered: more than are in progress at once.
const CHANGES_MAX: usize = 256;

/// A connector in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorEntry {
    /// Its settings, as given by the user; `Err` if they or its target state cannot be read.
    pub settings: Result<Settings, RecordError>,
    /// Its target state.
    pub target: TargetState,
    /// The stream of each task.
    pub tasks: BTreeMap<u32, String>,
}

/// The connectors of a group.
#[derive(Debug, Clone, Default)]
pub struct ConfigView {
    /// The config offset up to which everything has been applied.
    pub position: i64,
    settings: BTreeMap<String, Result<Settings, RecordError>>,
    targets: BTreeMap<String, Result<TargetState, RecordError>>,
    tasks: BTreeMap<String, BTreeMap<u32, String>>,
    changes: VecDeque<String>,
    contracts: Contracts,
}

/// A request that is handled once, when it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A restart.
    Restart(RestartRequest),
    /// Shards must be acquired again because their offsets were altered.
    Altered(Vec<ShardId>),
    /// A logger's level must be set.
    Logger {
        /// The logger.
        name: String,
        /// Its level.
        level: String,
    },
}

impl ConfigView {
    /// Applies a record to the view, and returns the request that it contains, if any.
    pub fn apply(view: &mut Arc<Self>, key: &[u8], value: Option<&[u8]>) -> Option<Event> {
        let record = records::read(key, value);
        let view = Arc::make_mut(view);
        match record {
            ConfigRecord::Connector(name, settings) => _ = put(&mut view.settings, name, settings),
            ConfigRecord::Target(name, target) => _ = put(&mut view.targets, name, target),
            ConfigRecord::Task(name, id, stream) => {
                let tasks = view.tasks.entry(name).or_default();
                put(tasks, id, stream);
            }
            ConfigRecord::Restart(request) => return Some(Event::Restart(request)),
            ConfigRecord::Group(group) => {
                let contract = Contract { partitions: None, ..Contract::of_group(&group, 0) };
                view.contracts.apply(contracts::OF_GROUP, Some(Ok(contract)));
            }
            ConfigRecord::Contract(id, contract) => view.contracts.apply(&id, contract),
            ConfigRecord::Altered(shards) => return Some(Event::Altered(shards)),
            ConfigRecord::Logger(name, level) => return Some(Event::Logger { name, level }),
            ConfigRecord::Change(id) => {
                view.changes.push_back(id);
                if view.changes.len() > CHANGES_MAX {
                    view.changes.pop_front();
                }
            }
            ConfigRecord::Unknown => {
                tracing::warn!(key = shown(key), "ignoring an unknown record of the config topic");
            }
        }
        None
    }

    /// Returns the log's contracts.
    pub fn contracts(&self) -> &Contracts {
        &self.contracts
    }

    /// Returns whether this change has been made, as far as remembered.
    pub fn has_change(&self, id: &str) -> bool {
        self.changes.iter().any(|change| change == id)
    }

    /// Returns whether the connector exists.
    pub fn contains(&self, name: &str) -> bool {
        self.settings.contains_key(name)
    }

    /// Returns a connector, or `None` if it does not exist.
    pub fn get(&self, name: &str) -> Option<ConnectorEntry> {
        let settings = match (self.settings.get(name)?, self.refused(name)) {
            (_, Some(reason)) => Err(reason.clone()),
            (settings, None) => settings.clone(),
        };
        let tasks = self.tasks(name).cloned().unwrap_or_default();
        Some(ConnectorEntry { settings, target: self.target(name), tasks })
    }

    /// Returns a connector as it will be after these records. Other connectors are neither read nor copied.
    pub fn entry_after(&self, name: &str, records: &[KeyValue]) -> Option<ConnectorEntry> {
        fn one<V: Clone>(map: &BTreeMap<String, V>, name: &str) -> BTreeMap<String, V> {
            map.get_key_value(name).map(|(name, value)| (name.clone(), value.clone())).into_iter().collect()
        }
        let (settings, targets, tasks) = (one(&self.settings, name), one(&self.targets, name), one(&self.tasks, name));
        let mut after = Arc::new(Self { settings, targets, tasks, ..Self::default() });
        for (key, value) in records {
            Self::apply(&mut after, key, value.as_deref());
        }
        after.get(name)
    }

    /// Returns why a connector's settings or its target state cannot be read, if they cannot.
    pub fn refused(&self, name: &str) -> Option<&RecordError> {
        let settings = self.settings.get(name).and_then(|settings| settings.as_ref().err());
        settings.or_else(|| self.targets.get(name).and_then(|target| target.as_ref().err()))
    }

    /// Returns the target state of a connector.
    pub fn target(&self, name: &str) -> TargetState {
        match self.targets.get(name) {
            Some(Ok(target)) => *target,
            None => TargetState::Started,
            // A worker that does not know the target state must not start the connector.
            Some(Err(_)) => TargetState::Stopped,
        }
    }

    /// Returns the streams of a connector's tasks, by the tasks' ids.
    pub fn tasks(&self, name: &str) -> Option<&BTreeMap<u32, String>> {
        self.tasks.get(name)
    }

    /// Returns the settings of a connector.
    pub fn settings(&self, name: &str) -> Option<&Result<Settings, RecordError>> {
        self.settings.get(name)
    }

    /// Returns the connectors' names, in order.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.settings.keys()
    }
}

fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) -> Option<V> {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    }
}
