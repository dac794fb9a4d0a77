//! The statuses of connectors and tasks in the status topic.
//!
//! Keys and values are Kafka Connect's: `status-connector-NAME`, `status-task-NAME-ID`, `status-topic-TOPIC:connector-NAME`;
//! `kvs-connect-worker-ID`, a worker's heartbeat, is additional. Reports of a dead worker no longer count: its tasks
//! are UNASSIGNED until another worker has them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::records::{KeyValue, VERSION};
use crate::logging::shown;

const CONNECTOR: &str = "status-connector-";
const TASK: &str = "status-task-";
const TOPIC: &str = "status-topic-";
const OF_CONNECTOR: &str = ":connector-";
/// The trace of something that no worker reports.
const NOBODY_HAS_IT: &str = "no live worker reports it: its shard is being taken over, or is new; if this lasts, the worker that \
    has the shard does not reach Kafka (see its log, and GET /health), or the group has members that are not workers \
    (kafka-consumer-groups.sh --describe --members)";
const WORKER: &str = "kvs-connect-worker-";
/// The maximum number of reports kept per connector or task: those with the highest lease epochs.
const REPORTS_MAX: usize = 8;

/// The state of a connector or a task that a worker reports, as Connect names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportedState {
    /// It works.
    Running,
    /// Its sessions are closed.
    Paused,
    /// It has no tasks.
    Stopped,
    /// It cannot continue.
    Failed,
    /// It is about to be restarted.
    Restarting,
    /// No worker has it.
    Unassigned,
}

impl ReportedState {
    /// Returns the state's name in records and responses.
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

/// The status of a connector or a task, as one worker reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its state.
    pub state: ReportedState,
    /// Why it has failed, or why it makes no progress.
    pub trace: Option<String>,
    /// The worker that reports it.
    pub reporter: Reporter,
    /// The acquisition of the task's shard to which it belongs: grows from owner to owner.
    pub lease_epoch: i64,
}

/// One run of a worker: after a restart, a worker with the same address counts as a different one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reporter {
    /// The worker's `host:port`, as known to others.
    pub worker_id: String,
    /// When its process started, in milliseconds since 1970; 0 if the report is by an older version, which does not say.
    pub started_ms: i64,
}

impl Reporter {
    /// Returns a reporter for the worker with this address, started now.
    pub fn new(worker_id: &str) -> Self {
        Self { worker_id: worker_id.to_owned(), started_ms: now_ms() }
    }

    /// Returns a reporter of which only the address is known.
    pub fn unknown(worker_id: &str) -> Self {
        Self { worker_id: worker_id.to_owned(), started_ms: 0 }
    }
}

/// Returns whether a record's key is that of a worker's heartbeat.
pub(super) fn is_heartbeat(key: &[u8]) -> bool {
    key.starts_with(WORKER.as_bytes())
}

/// What a status is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StatusKey {
    /// A connector.
    Connector(String),
    /// A task of a connector.
    Task(String, u32),
}

impl StatusKey {
    /// Returns the name of the connector that the status is about.
    pub fn connector(&self) -> &str {
        match self {
            Self::Connector(name) | Self::Task(name, _) => name,
        }
    }

    /// Returns the record of a status; `None` removes the status.
    pub fn record(&self, status: Option<&Status>) -> KeyValue {
        let key = match self {
            Self::Connector(name) => format!("{CONNECTOR}{name}"),
            Self::Task(name, id) => format!("{TASK}{name}-{id}"),
        };
        let value = status.map(|status| {
            json!({
                "state": status.state.name(),
                "trace": status.trace,
                "worker_id": status.reporter.worker_id,
                "started_ms": status.reporter.started_ms,
                "generation": status.lease_epoch,
            })
        });
        (key.into_bytes(), value.map(|value| value.to_string().into_bytes()))
    }
}

/// Returns the record that a connector has written to a topic; `used` is false to remove it.
pub fn topic_record(connector: &str, topic: &str, used: bool) -> KeyValue {
    let key = format!("{TOPIC}{topic}{OF_CONNECTOR}{connector}");
    let value = json!({ "topic": { "name": topic, "connector": connector, "discoverTimestamp": now_ms() } });
    (key.into_bytes(), used.then(|| value.to_string().into_bytes()))
}

/// Returns the record of a worker's heartbeat, with the time for which it is valid; `None` if the worker is leaving.
pub fn worker_record(reporter: &Reporter, group_instance_id: Option<&str>, alive_for: Option<Duration>) -> KeyValue {
    let value = alive_for.map(|duration| {
        json!({
            "time_ms": now_ms(),
            "lives_for_ms": duration.as_millis() as u64,
            "release": env!("CARGO_PKG_VERSION"),
            "started_ms": reporter.started_ms,
            "group_instance_id": group_instance_id,
        })
    });
    (format!("{WORKER}{}", reporter.worker_id).into_bytes(), value.map(|value| value.to_string().into_bytes()))
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64)
}

/// A worker's last heartbeat.
#[derive(Debug, Clone)]
struct Heartbeat {
    alive_until: Instant,
    started_ms: i64,
    group_instance_id: Option<String>,
    version: String,
}

/// The workers' last reports of one connector or task, in log order; never empty.
#[derive(Debug, Clone, Default)]
struct Reports(Vec<Status>);

impl Reports {
    /// Adds a report, replacing the same worker's previous one.
    fn put(&mut self, status: Status) {
        self.0.retain(|known| known.reporter.worker_id != status.reporter.worker_id);
        self.0.push(status);
        if self.0.len() > REPORTS_MAX {
            // Drop the report of the oldest owner, but never the last one in the log, which is compared with what should be
            // there.
            let others = &self.0[..REPORTS_MAX];
            let oldest = others.iter().enumerate().min_by_key(|(_, report)| report.lease_epoch).map(|(index, _)| index);
            self.0.remove(oldest.unwrap_or_default());
        }
    }
}

/// The content of the status topic.
///
/// **Contract.** What is kept is a function of the records alone, in their order: two workers that have read the same
/// records keep the same content, whenever they read them. The clock is consulted only when a question is answered
/// ([`StatusView::get`]): of the reports of live workers the highest lease epoch counts, and among equal ones the
/// last in the log.
#[derive(Debug, Clone, Default)]
pub struct StatusView {
    reports: BTreeMap<StatusKey, Reports>,
    topics: BTreeMap<String, BTreeSet<String>>,
    workers: HashMap<String, Heartbeat>,
}

impl StatusView {
    /// Applies a record read at `now`. `live`: it has just been written; otherwise its own time determines its age.
    pub fn apply(&mut self, key: &[u8], value: Option<&[u8]>, live: bool, now: Instant) {
        let Ok(key) = std::str::from_utf8(key) else { return };
        let value = match value.map(serde_json::from_slice::<Value>) {
            None => None,
            Some(Ok(value)) if value.get("version").and_then(Value::as_u64).unwrap_or(1) <= VERSION => Some(value),
            _ => {
                tracing::warn!(
                    key = shown(key.as_bytes()),
                    "ignoring a record of the status topic that is of a later version, or not JSON"
                );
                return;
            }
        };
        if let Some(worker_id) = key.strip_prefix(WORKER) {
            match value {
                Some(value) => self.heartbeat(worker_id, &value, live, now),
                None => _ = self.workers.remove(worker_id),
            }
        } else if let Some((topic, connector)) = key.strip_prefix(TOPIC).and_then(|rest| rest.split_once(OF_CONNECTOR))
        {
            match (value, self.topics.get_mut(connector)) {
                (Some(_), _) => _ = self.topics.entry(connector.to_owned()).or_default().insert(topic.to_owned()),
                (None, Some(topics)) => {
                    topics.remove(topic);
                    // Nothing is kept for connectors that are gone.
                    if topics.is_empty() {
                        self.topics.remove(connector);
                    }
                }
                (None, None) => {}
            }
        } else if let Some(status_key) = status_key(key) {
            match value.as_ref().map(read) {
                None => _ = self.reports.remove(&status_key),
                Some(Some(status)) => self.reports.entry(status_key).or_default().put(status),
                Some(None) => {
                    tracing::warn!(
                        key = shown(key.as_bytes()),
                        "ignoring a status that this worker does not understand"
                    )
                }
            }
        }
    }

    fn heartbeat(&mut self, worker_id: &str, value: &Value, live: bool, now: Instant) {
        let alive_for = Duration::from_millis(value["lives_for_ms"].as_u64().unwrap_or_default().min(3_600_000));
        let written_ms = value["time_ms"].as_i64().unwrap_or_default();
        // The age is zero if the writer's clock is ahead of ours.
        let age_ms = if live { 0 } else { u64::try_from(now_ms().saturating_sub(written_ms)).unwrap_or_default() };
        let left = alive_for.saturating_sub(Duration::from_millis(age_ms));
        let version = value["release"].as_str().unwrap_or_default().to_owned();
        let started_ms = value["started_ms"].as_i64().unwrap_or_default();
        let group_instance_id = value["group_instance_id"].as_str().map(str::to_owned);
        let heartbeat = Heartbeat { alive_until: now + left, started_ms, group_instance_id, version };
        self.workers.insert(worker_id.to_owned(), heartbeat);
    }

    /// Returns whether a worker's heartbeat is still valid at `now`.
    pub fn is_alive(&self, worker_id: &str, now: Instant) -> bool {
        self.workers.get(worker_id).is_some_and(|heartbeat| now < heartbeat.alive_until)
    }

    /// Returns whether exactly this run of a worker is alive at `now`, rather than an earlier or later one under its address.
    pub fn is_reporting(&self, reporter: &Reporter, now: Instant) -> bool {
        self.workers.get(&reporter.worker_id).is_some_and(|heartbeat| {
            now < heartbeat.alive_until && (reporter.started_ms == 0 || reporter.started_ms == heartbeat.started_ms)
        })
    }

    /// Returns when the process that sent the last heartbeat under this address was started, if there was one.
    pub fn started_ms(&self, worker_id: &str) -> Option<i64> {
        self.workers.get(worker_id).map(|heartbeat| heartbeat.started_ms)
    }

    /// Returns another worker that is alive at `now` under this `group.instance.id`, and until when its heartbeat is valid.
    pub fn namesake(&self, group_instance_id: &str, own: &Reporter, now: Instant) -> Option<(&str, Instant)> {
        let is_namesake = |(worker_id, heartbeat): &(&String, &Heartbeat)| {
            **worker_id != own.worker_id
                && now < heartbeat.alive_until
                && heartbeat.group_instance_id.as_deref() == Some(group_instance_id)
        };
        let found = self.workers.iter().find(is_namesake);
        found.map(|(worker_id, heartbeat)| (worker_id.as_str(), heartbeat.alive_until))
    }

    /// Returns the version of the program that a worker runs, if it has reported it.
    pub fn version(&self, worker_id: &str) -> Option<&str> {
        self.workers.get(worker_id).map(|worker| worker.version.as_str()).filter(|version| !version.is_empty())
    }

    /// Returns the workers that are alive at `now`.
    pub fn workers(&self, now: Instant) -> impl Iterator<Item = &String> {
        self.workers.keys().filter(move |worker_id| self.is_alive(worker_id, now))
    }

    /// Returns the workers whose heartbeats expired this long before `now` and that did not announce that they were leaving.
    pub fn long_dead(&self, now: Instant, dead_for: Duration) -> impl Iterator<Item = &String> {
        let ended = move |heartbeat: &Heartbeat| now.saturating_duration_since(heartbeat.alive_until) >= dead_for;
        self.workers.iter().filter(move |(_, heartbeat)| ended(heartbeat)).map(|(worker_id, _)| worker_id)
    }

    /// Returns the last report in the log, by any worker.
    pub fn last_reported(&self, key: &StatusKey) -> Option<&Status> {
        self.reports.get(key).and_then(|reports| reports.0.last())
    }

    /// Returns a worker's last report.
    pub fn reported_by(&self, key: &StatusKey, worker_id: &str) -> Option<&Status> {
        self.reports.get(key)?.0.iter().find(|report| report.reporter.worker_id == worker_id)
    }

    /// Returns the highest lease epoch reported by any worker.
    pub fn highest_epoch(&self, key: &StatusKey) -> i64 {
        self.reports.get(key).and_then(|reports| reports.0.iter().map(|report| report.lease_epoch).max()).unwrap_or(0)
    }

    /// Returns everything for which there are reports.
    pub fn keys(&self) -> impl Iterator<Item = &StatusKey> {
        self.reports.keys()
    }

    /// Returns the report that counts at `now`: the one with the highest lease epoch by a live worker.
    pub fn counting(&self, key: &StatusKey, now: Instant) -> Option<&Status> {
        let reports = self.reports.get(key)?.0.iter();
        // Of equal epochs this returns the last one.
        reports.filter(|report| self.is_reporting(&report.reporter, now)).max_by_key(|report| report.lease_epoch)
    }

    /// Returns the status of a connector or task at `now`: UNASSIGNED when no live worker reports it.
    pub fn get(&self, key: &StatusKey, now: Instant) -> Status {
        let mut status = self.counting(key, now).cloned().unwrap_or_else(|| {
            let highest =
                self.reports.get(key).and_then(|known| known.0.iter().max_by_key(|report| report.lease_epoch));
            Status {
                state: ReportedState::Unassigned,
                trace: None,
                reporter: highest.map_or_else(|| Reporter::unknown(""), |report| report.reporter.clone()),
                lease_epoch: highest.map_or(0, |report| report.lease_epoch),
            }
        });
        if status.state == ReportedState::Unassigned {
            status.trace.get_or_insert_with(|| NOBODY_HAS_IT.to_owned());
        }
        status
    }

    /// Returns the topics that a connector has written to; `None`: it has written to none.
    pub fn topics(&self, connector: &str) -> Option<&BTreeSet<String>> {
        self.topics.get(connector)
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
        state: ReportedState::from_name(value["state"].as_str()?)?,
        trace: value["trace"].as_str().map(str::to_owned),
        reporter: Reporter {
            worker_id: value["worker_id"].as_str()?.to_owned(),
            started_ms: value["started_ms"].as_i64().unwrap_or_default(),
        },
        lease_epoch: value["generation"].as_i64().unwrap_or_default(),
    })
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
