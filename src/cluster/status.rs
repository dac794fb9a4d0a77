//! How connectors and tasks are, as the status topic says it.
//!
//! Keys and values are Kafka Connect's: `status-connector-NAME`, `status-task-NAME-ID`, `status-topic-TOPIC:connector-NAME`;
//! ours besides is `kvs-connect-worker-ID`, by which a worker says again and again that it lives. What a dead worker
//! has said of itself counts no more: its tasks are UNASSIGNED until another one has them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::records::{KeyValue, VERSION};

const CONNECTOR: &str = "status-connector-";
const TASK: &str = "status-task-";
const TOPIC: &str = "status-topic-";
const OF_CONNECTOR: &str = ":connector-";
const WORKER: &str = "kvs-connect-worker-";

/// A state, as Connect names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It works.
    Running,
    /// Its sessions are closed.
    Paused,
    /// It has no tasks.
    Stopped,
    /// It cannot go on.
    Failed,
    /// It is about to be started again.
    Restarting,
    /// No worker has it.
    Unassigned,
}

impl RunState {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
            Self::Failed => "FAILED",
            Self::Restarting => "RESTARTING",
            Self::Unassigned => "UNASSIGNED",
        }
    }

    fn from_name(text: &str) -> Option<Self> {
        let all = [Self::Running, Self::Paused, Self::Stopped, Self::Failed, Self::Restarting, Self::Unassigned];
        all.into_iter().find(|state| state.name() == text)
    }
}

/// How a connector or a task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its state.
    pub state: RunState,
    /// Why it has failed.
    pub trace: Option<String>,
    /// Who says so.
    pub worker_id: String,
    /// Which taking of the shard it is of; a later one counts more.
    pub generation: i64,
}

/// Whether a record's key is that of a worker's sign of life.
pub(super) fn is_sign(key: &[u8]) -> bool {
    key.starts_with(WORKER.as_bytes())
}

/// Whose status it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StatusKey {
    /// A connector's.
    Connector(String),
    /// A task's.
    Task(String, u32),
}

impl StatusKey {
    /// The connector it is about.
    pub fn connector(&self) -> &str {
        match self {
            Self::Connector(name) | Self::Task(name, _) => name,
        }
    }

    /// A record of it; `None` takes it away.
    pub fn record(&self, status: Option<&Status>) -> KeyValue {
        let key = match self {
            Self::Connector(name) => format!("{CONNECTOR}{name}"),
            Self::Task(name, id) => format!("{TASK}{name}-{id}"),
        };
        let value = status.map(|status| {
            json!({
                "state": status.state.name(),
                "trace": status.trace,
                "worker_id": status.worker_id,
                "generation": status.generation,
            })
        });
        (key.into_bytes(), value.map(|value| value.to_string().into_bytes()))
    }
}

/// A record that says that a connector has written to a topic; or, taken away, that it is not known to.
pub fn topic_record(connector: &str, topic: &str, used: bool) -> KeyValue {
    let key = format!("{TOPIC}{topic}{OF_CONNECTOR}{connector}");
    let value = json!({ "topic": { "name": topic, "connector": connector, "discoverTimestamp": now_ms() } });
    (key.into_bytes(), used.then(|| value.to_string().into_bytes()))
}

/// A record that says that a worker lives, for so long; `None`: it leaves.
pub fn worker_record(worker_id: &str, lives_for: Option<Duration>) -> KeyValue {
    let value = lives_for.map(|duration| {
        json!({ "time_ms": now_ms(), "lives_for_ms": duration.as_millis() as u64, "release": env!("CARGO_PKG_VERSION") })
    });
    (format!("{WORKER}{worker_id}").into_bytes(), value.map(|value| value.to_string().into_bytes()))
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64)
}

/// What is known of a worker.
#[derive(Debug, Clone)]
struct Sign {
    dead_from: Instant,
    release: String,
}

/// What the status topic says.
#[derive(Debug, Clone, Default)]
pub struct StatusView {
    statuses: BTreeMap<StatusKey, Status>,
    topics: BTreeMap<String, BTreeSet<String>>,
    workers: HashMap<String, Sign>,
}

impl StatusView {
    /// Takes a record in. `live`: it has just been written; else its own time says how old it is.
    pub fn apply(&mut self, key: &[u8], value: Option<&[u8]>, live: bool) {
        let Ok(key) = std::str::from_utf8(key) else { return };
        let value = match value.map(serde_json::from_slice::<Value>) {
            None => None,
            Some(Ok(value)) if value.get("version").and_then(Value::as_u64).unwrap_or(1) <= VERSION => Some(value),
            _ => {
                tracing::warn!(key, "a record of the status topic is of a later version, or no JSON, and passed over");
                return;
            }
        };
        if let Some(worker_id) = key.strip_prefix(WORKER) {
            match value {
                Some(value) => self.sign(worker_id, &value, live),
                None => _ = self.workers.remove(worker_id),
            }
        } else if let Some((topic, connector)) = key.strip_prefix(TOPIC).and_then(|rest| rest.split_once(OF_CONNECTOR))
        {
            let topics = self.topics.entry(connector.to_owned()).or_default();
            match value {
                Some(_) => _ = topics.insert(topic.to_owned()),
                None => _ = topics.remove(topic),
            }
        } else if let Some(status_key) = status_key(key) {
            match value.as_ref().map(read) {
                None => _ = self.statuses.remove(&status_key),
                Some(Some(status)) => self.put(status_key, status),
                Some(None) => tracing::warn!(key, "a status is not known to this worker and passed over"),
            }
        }
    }

    fn sign(&mut self, worker_id: &str, value: &Value, live: bool) {
        let lives_for = Duration::from_millis(value["lives_for_ms"].as_u64().unwrap_or_default().min(3_600_000));
        let age_ms = if live { 0 } else { (now_ms() - value["time_ms"].as_i64().unwrap_or_default()).max(0) };
        let left = lives_for.saturating_sub(Duration::from_millis(age_ms.unsigned_abs()));
        let release = value["release"].as_str().unwrap_or_default().to_owned();
        self.workers.insert(worker_id.to_owned(), Sign { dead_from: Instant::now() + left, release });
    }

    /// Of two workers that say something of one task, the one that has taken its shard later is heard, and if they
    /// have no order, the one that spoke last.
    fn put(&mut self, key: StatusKey, status: Status) {
        let stale = self.statuses.get(&key).is_some_and(|known| {
            known.worker_id != status.worker_id && known.generation > status.generation && self.lives(&known.worker_id)
        });
        if !stale {
            self.statuses.insert(key, status);
        }
    }

    /// Whether a worker has been heard of within its time.
    pub fn lives(&self, worker_id: &str) -> bool {
        self.workers.get(worker_id).is_some_and(|sign| Instant::now() < sign.dead_from)
    }

    /// The release that a worker runs.
    pub fn release(&self, worker_id: &str) -> Option<&str> {
        self.workers.get(worker_id).map(|sign| sign.release.as_str()).filter(|release| !release.is_empty())
    }

    /// Workers that live.
    pub fn workers(&self) -> impl Iterator<Item = &String> {
        self.workers.keys().filter(|worker_id| self.lives(worker_id))
    }

    /// What was last said, whoever said it.
    pub fn said(&self, key: &StatusKey) -> Option<&Status> {
        self.statuses.get(key)
    }

    /// All that was last said.
    pub fn all(&self) -> impl Iterator<Item = (&StatusKey, &Status)> {
        self.statuses.iter()
    }

    /// How something is: UNASSIGNED when nobody who lives says anything.
    pub fn get(&self, key: &StatusKey) -> Status {
        match self.statuses.get(key) {
            Some(status) if status.state == RunState::Unassigned || self.lives(&status.worker_id) => status.clone(),
            known => Status {
                state: RunState::Unassigned,
                trace: None,
                worker_id: known.map_or_else(String::new, |status| status.worker_id.clone()),
                generation: known.map_or(0, |status| status.generation),
            },
        }
    }

    /// Topics that a connector has written to.
    pub fn topics(&self, connector: &str) -> BTreeSet<String> {
        self.topics.get(connector).cloned().unwrap_or_default()
    }
}

fn status_key(key: &str) -> Option<StatusKey> {
    if let Some(name) = key.strip_prefix(CONNECTOR) {
        return Some(StatusKey::Connector(name.to_owned()));
    }
    let (name, id) = key.strip_prefix(TASK)?.rsplit_once('-')?;
    Some(StatusKey::Task(name.to_owned(), id.parse().ok()?))
}

fn read(value: &Value) -> Option<Status> {
    Some(Status {
        state: RunState::from_name(value["state"].as_str()?)?,
        trace: value["trace"].as_str().map(str::to_owned),
        worker_id: value["worker_id"].as_str()?.to_owned(),
        generation: value["generation"].as_i64().unwrap_or_default(),
    })
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
