//! Reports a worker's statuses in the status topic, and creates tasks for the streams it has found.
//!
//! **Contract.** The status topic is reconciled with the state of this worker's tasks: a status is written when it
//! differs, and written again when it got lost. A worker reports only shards that it holds. It sends three heartbeats
//! per session timeout.

mod assignments;
mod finding_panics;
mod found_tasks;
mod wanted;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::connectors::Connectors;
use super::plan::Dependencies;
use super::shards::Shards;
use super::unassigned::Unassigned;
use crate::cluster::records::KeyValue;
use crate::cluster::status::{Reporter, StatusKey, topic_record, worker_record};
use crate::cluster::{ConfigLog, ConfigView, ReportedState, Status, StatusLog, TargetState};
use crate::connector::StreamStates;
use crate::herder::Changes;
use crate::model::{OffsetKey, TopicShard};
use crate::supervision::{Part, catch_blocking, fault_point};

pub(super) use assignments::Assignments;
use finding_panics::FindingPanics;

/// The interval between two checks for something to report.
const TICK: Duration = Duration::from_millis(100);
/// The interval between two looks without any change, to find statuses that got lost.
const LOOK_ANYWAY: Duration = Duration::from_secs(3);
/// The time before the same record is written again.
const AGAIN: Duration = Duration::from_secs(3);
/// The maximum number of records written at once, so that a heartbeat does not wait behind more.
const WRITTEN_MAX: usize = 5_000;
/// The time after which a dead worker's heartbeat is deleted: those of workers that never come back would be kept by
/// everybody for ever.
const FORGET_AFTER: Duration = Duration::from_secs(600);
/// The interval at which another worker with the same address is logged again.
const COMPLAIN_AGAIN: Duration = Duration::from_secs(60);
/// The number of consecutive panics, of a look or of a change for found tasks, after which the worker exits.
const PANICS_MAX: u32 = 5;
/// How long flushing the last statuses may take.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The name of a stream whose shard, in the worker's topic, is the one that a connector's own status belongs to.
const HOME: &str = "";

/// Reports the statuses of a worker, its connectors and its tasks.
pub(super) struct StatusReporter {
    pub(super) parts: ReporterParts,
    written: Mutex<Written>,
    unassigned: Mutex<Unassigned>,
    /// Allows one change for found tasks at a time.
    finding: Arc<Semaphore>,
    finding_panics: Arc<FindingPanics>,
}

/// The dependencies of a status reporter.
pub(super) struct ReporterParts {
    pub(super) reporter: Reporter,
    pub(super) group_instance_id: Option<String>,
    pub(super) session_timeout: Duration,
    pub(super) configs: Arc<ConfigLog>,
    pub(super) log: Arc<StatusLog>,
    pub(super) shards: Arc<Shards>,
    pub(super) connectors: Arc<Connectors>,
    pub(super) states: Arc<StreamStates>,
    pub(super) changes: Changes,
    pub(super) dependencies: Arc<Dependencies>,
}

/// Keys and values that were written, and when.
type Written = HashMap<Vec<u8>, (Option<Vec<u8>>, Instant)>;

/// The versions of everything that a look depends on.
#[derive(PartialEq, Eq, Clone, Copy)]
struct Versions {
    states: u64,
    statuses: u64,
    configs: i64,
    shards: u64,
    connectors: u64,
}

impl StatusReporter {
    /// Creates the reporter of a worker that joins its group.
    pub(super) fn new(parts: ReporterParts) -> Self {
        Self {
            parts,
            written: Mutex::default(),
            unassigned: Mutex::default(),
            finding: Arc::new(Semaphore::new(1)),
            finding_panics: Arc::default(),
        }
    }

    /// Reports until it is cancelled.
    pub(super) async fn run(self: Arc<Self>, cancel: CancellationToken) {
        let alive_for = alive_for(self.parts.session_timeout);
        let heartbeat_every = (self.parts.session_timeout / 3).max(Duration::from_millis(300));
        let mut pause = TICK;
        let (mut beaten, mut looked, mut last): (Option<Instant>, Option<Instant>, _) = (None, None, None);
        let (mut complained, mut panics) = (None, 0);
        loop {
            fault_point(Part::Statuses);
            if beaten.is_none_or(|beaten| beaten.elapsed() >= heartbeat_every) {
                self.parts.log.write(self.heartbeat(Some(alive_for)));
                beaten = Some(Instant::now());
            }
            self.parts.dependencies.share_calls(self.parts.log.look(|view| view.workers(Instant::now()).count()));
            self.complain_of_namesake(&mut complained);
            let now = self.versions();
            if last != Some(now) || looked.is_none_or(|looked| looked.elapsed() >= LOOK_ANYWAY) {
                let began = Instant::now();
                let reporter = Arc::clone(&self);
                // With many tasks this takes a while, which must not hold up the runtime.
                match catch_blocking(Part::Statuses, move || reporter.look()).await {
                    Ok(()) => panics = 0,
                    // Heartbeats continue meanwhile. If every look panics, this task ends, and the worker with it.
                    Err(panicked) if panics >= PANICS_MAX => panicked.go_on(),
                    Err(panicked) => {
                        panics += 1;
                        tracing::error!(%panicked, "finding the statuses to report panicked; trying again");
                    }
                }
                if let Some(panicked) = self.finding_panics.in_a_row(PANICS_MAX) {
                    panicked.go_on();
                }
                (last, looked) = (Some(now), Some(Instant::now()));
                // The longer a look takes, the less often it is repeated.
                pause = TICK.max(5 * began.elapsed());
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn heartbeat(&self, alive_for: Option<Duration>) -> KeyValue {
        worker_record(&self.parts.reporter, self.parts.group_instance_id.as_deref(), alive_for)
    }

    fn versions(&self) -> Versions {
        Versions {
            states: self.parts.states.version(),
            statuses: self.parts.log.version(),
            configs: self.parts.configs.view().position,
            shards: self.parts.shards.held_version(),
            connectors: self.parts.connectors.version(),
        }
    }

    /// Logs another worker with this worker's address: each would take the other's reports for those of its own earlier
    /// run.
    fn complain_of_namesake(&self, complained: &mut Option<Instant>) {
        let worker_id = &self.parts.reporter.worker_id;
        let Some(started_ms) = self.parts.log.look(|view| view.started_ms(worker_id)) else { return };
        if started_ms > self.parts.reporter.started_ms && complained.is_none_or(|when| when.elapsed() >= COMPLAIN_AGAIN)
        {
            tracing::error!(
                worker_id,
                "another worker of the group, started later, has this worker's address, and their statuses are mixed up: \
                 set rest.advertised.host.name or rest.advertised.port on one of them"
            );
            *complained = Some(Instant::now());
        }
    }

    fn look(&self) {
        self.parts.states.settle();
        let view = self.parts.configs.view();
        let held = self.parts.shards.held();
        let now = Instant::now();
        {
            let mut unassigned = self.unassigned.lock().unwrap_or_else(PoisonError::into_inner);
            self.parts.log.look(|statuses| unassigned.look(&view, statuses, now));
        }
        let wanted = self.parts.log.look(|statuses| self.wanted(&view, &held, statuses));
        let mut records = Vec::new();
        self.parts.log.look(|statuses| {
            for (key, status) in &wanted {
                // A worker that reports a later lease has acquired the shard; this one is about to be told.
                let is_stale = statuses.counting(key, now).is_some_and(|counting| {
                    counting.reporter != self.parts.reporter && counting.lease_epoch > status.lease_epoch
                });
                if statuses.last_reported(key) != Some(status) && !is_stale {
                    records.push(key.record(Some(status)));
                }
            }
            for key in statuses.keys().filter(|key| !wanted.contains_key(key)) {
                let own = statuses.reported_by(key, &self.parts.reporter.worker_id);
                let tasks = view.tasks(key.connector());
                let exists = match key {
                    StatusKey::Connector(name) => view.contains(name),
                    StatusKey::Task(name, id) => {
                        view.target(name) != TargetState::Stopped && tasks.is_some_and(|tasks| tasks.contains_key(id))
                    }
                };
                if !exists && (own.is_some() || self.is_home(key.connector(), &held)) {
                    records.push(key.record(None));
                } else if let Some(own) = own
                    && exists
                    && own.state != ReportedState::Unassigned
                {
                    // Otherwise it would count again when its successor dies.
                    records.push(key.record(Some(&self.status(ReportedState::Unassigned, None, own.lease_epoch))));
                }
            }
            if self.is_home(HOME, &held) {
                let dead = statuses.long_dead(now, FORGET_AFTER);
                records.extend(dead.map(|worker_id| worker_record(&Reporter::unknown(worker_id), None, None)));
            }
        });
        self.write(records);
        self.write_topics(&view);
        self.find_tasks(&view);
    }

    /// Writes the topics that connectors have written to here, as far as they are not known yet.
    fn write_topics(&self, view: &ConfigView) {
        let unreported = self.parts.log.look(|statuses| {
            self.parts.states.written_topics().unreported(|name, topic| {
                !view.contains(name) || statuses.topics(name).is_some_and(|known| known.contains(topic))
            })
        });
        for (name, topic) in unreported {
            let (key, value) = topic_record(&name, &topic, true);
            // The record contains a time, which must not make it a different one.
            let known = (key, None);
            if self.is_due(&known) {
                self.parts.log.write((known.0, value));
            }
        }
    }

    fn write(&self, records: Vec<KeyValue>) {
        let lock = || self.written.lock().unwrap_or_else(PoisonError::into_inner);
        lock().retain(|_, (_, when)| when.elapsed() < AGAIN);
        let due = records.into_iter().filter(|record| self.is_due(record));
        due.take(WRITTEN_MAX).for_each(|record| self.parts.log.write(record));
    }

    /// Returns whether a record is to be written, because it is not already on its way.
    fn is_due(&self, (key, value): &KeyValue) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let due = written.get(key).is_none_or(|(before, when)| before != value || when.elapsed() >= AGAIN);
        if due {
            written.insert(key.clone(), (value.clone(), Instant::now()));
        }
        due
    }

    fn status(&self, state: ReportedState, trace: Option<String>, lease_epoch: i64) -> Status {
        Status { state, trace, reporter: self.parts.reporter.clone(), lease_epoch }
    }

    fn is_home(&self, connector: &str, held: &BTreeSet<TopicShard>) -> bool {
        let key = OffsetKey { connector: connector.to_owned(), stream: HOME.to_owned() };
        held.contains(&self.parts.shards.topics().workers_shard_of(&key))
    }

    /// Reports that the worker leaves. Blocks until that is written, for at most a second.
    pub(super) fn leave(&self) {
        self.write_topics(&self.parts.configs.view());
        self.parts.log.write(self.heartbeat(None));
        self.parts.log.flush(LAST_WORDS);
    }
}

/// Returns how long a heartbeat is valid: one session timeout, and half of one for it to be written and read.
pub(super) fn alive_for(session_timeout: Duration) -> Duration {
    session_timeout.saturating_add(session_timeout / 2)
}
