//! The content of the config log, up to a config offset.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::contracts::{self, Contracts};
use super::records::{
    self, AlteredShards, ConfigRecord, KeyValue, OffsetsHome, RecordError, RestartRequest, Settings, TargetState,
};
use crate::logging::shown;
use crate::model::Contract;

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
    /// Where the offsets of connectors are, those that were deleted too, if not in the worker's topic.
    homes: BTreeMap<String, Result<OffsetsHome, RecordError>>,
    changes: VecDeque<String>,
    contracts: Contracts,
}

/// A request that is handled once, when it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A restart.
    Restart(RestartRequest),
    /// Shards are to be acquired again: their offsets were altered.
    Altered(AlteredShards),
    /// A logger's level.
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
            ConfigRecord::OffsetsHome(name, home) => _ = put(&mut view.homes, name, home),
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

    /// Returns where the offsets of a connector are, whether there is such a connector or not.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn offsets_home(&self, name: &str) -> Result<OffsetsHome, RecordError> {
        self.homes.get(name).cloned().unwrap_or_else(|| Ok(OffsetsHome::default()))
    }

    /// Returns where the offsets of connectors are, by the connectors' names, for those that the log has a record of.
    pub fn offsets_homes(&self) -> impl Iterator<Item = (&String, &Result<OffsetsHome, RecordError>)> {
        self.homes.iter()
    }

    /// Returns the offsets topics that connectors have of their own, or had before they were deleted, by the connectors' names.
    pub fn homes(&self) -> impl Iterator<Item = (&String, &String)> {
        self.homes.iter().filter_map(|(name, home)| Some((name, home.as_ref().ok()?.topic.as_ref()?)))
    }

    /// Returns the offsets topics of connectors' own that the connectors there are have their offsets in.
    pub fn own_offsets_topics(&self) -> BTreeSet<String> {
        self.homes().filter(|(name, _)| self.settings.contains_key(*name)).map(|(_, topic)| topic.clone()).collect()
    }

    /// Returns the connectors that have their offsets in a topic (`None`: the worker's). Of one of connectors' own, those that
    /// were deleted are among them.
    pub fn with_offsets_in(&self, topic: Option<&str>) -> BTreeSet<String> {
        let of_own = self.homes().filter(|(_, home)| Some(home.as_str()) == topic).map(|(name, _)| name);
        let of_workers =
            self.settings.keys().filter(|name| topic.is_none() && !self.homes().any(|(own, _)| own == *name));
        of_own.chain(of_workers).cloned().collect()
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
