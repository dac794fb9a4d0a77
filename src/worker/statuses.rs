//! What a worker says of itself in the status topic, and the tasks it has found.
//!
//! **Contract.** What the topic says of this worker's tasks is made to be what they are: written when it differs, and
//! written again when it got lost. A worker reports only of shards it holds. Its heartbeat is as frequent as its session
//! allows to miss three times.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::connectors::Connectors;
use super::plan::Dependencies;
use super::shards::{ShardListener, Shards};
use super::turns::{self, Turns};
use super::unassigned::Unassigned;
use crate::cluster::change;
use crate::cluster::records::KeyValue;
use crate::cluster::status::{Reporter, StatusKey, StatusView, topic_record, worker_record};
use crate::cluster::{ConfigLog, ConfigView, RunState, Status, StatusLog, TargetState};
use crate::connector::{Reported, StreamStates};
use crate::model::{OffsetKey, ShardId};
use crate::supervision::{Part, catch_async, catch_blocking, fault_point};

/// How often it is looked whether something is to be said.
const TICK: Duration = Duration::from_millis(100);
/// Without any change it is looked so often, for what got lost.
const LOOK_ANYWAY: Duration = Duration::from_secs(3);
/// What was written is not written again before.
const AGAIN: Duration = Duration::from_secs(3);
/// So many are written at once: a heartbeat is not to wait behind more.
const WRITTEN_MAX: usize = 5_000;
/// The heartbeat of a worker that has been dead for this long is taken away: those of workers that never come back would
/// be kept by everybody for ever.
const FORGET_AFTER: Duration = Duration::from_secs(600);
/// Another worker under the same address is complained of again after this long.
const COMPLAIN_AGAIN: Duration = Duration::from_secs(60);
/// A look that panics this often in a row ends the worker.
const PANICS_MAX: u32 = 5;
/// How long last words may take.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The shard that a connector's own status belongs to is that of a stream of this name.
const HOME: &str = "";

/// Speaks for a worker.
pub(super) struct Statuses {
    pub(super) reporter: Reporter,
    pub(super) group_instance_id: Option<String>,
    pub(super) session_timeout: Duration,
    pub(super) configs: Arc<ConfigLog>,
    pub(super) log: Arc<StatusLog>,
    pub(super) shards: Arc<Shards>,
    pub(super) connectors: Arc<Connectors>,
    pub(super) states: Arc<StreamStates>,
    pub(super) written: Mutex<Written>,
    pub(super) unassigned: Mutex<Unassigned>,
    pub(super) finding: Arc<tokio::sync::Semaphore>,
    pub(super) changes: Arc<Turns>,
    pub(super) dependencies: Arc<Dependencies>,
}

/// Keys and values that were written, and when.
pub(super) type Written = HashMap<Vec<u8>, (Option<Vec<u8>>, Instant)>;

/// What the last look was about.
#[derive(PartialEq, Eq, Clone, Copy)]
struct Versions {
    states: u64,
    statuses: u64,
    configs: i64,
    shards: u64,
    connectors: u64,
}

impl Statuses {
    /// Speaks until it is cancelled.
    pub(super) async fn run(self: Arc<Self>, cancel: CancellationToken) {
        let alive_for = alive_for(self.session_timeout);
        let heartbeat_every = (self.session_timeout / 3).max(Duration::from_millis(300));
        let mut pause = TICK;
        let (mut beaten, mut looked, mut last): (Option<Instant>, Option<Instant>, _) = (None, None, None);
        let (mut complained, mut panics) = (None, 0);
        loop {
            fault_point(Part::Statuses);
            if beaten.is_none_or(|beaten| beaten.elapsed() >= heartbeat_every) {
                self.log.write(self.heartbeat(Some(alive_for)));
                beaten = Some(Instant::now());
            }
            self.dependencies.share_calls(self.log.look(|view| view.workers(Instant::now()).count()));
            self.complain_of_a_namesake(&mut complained);
            let now = self.versions();
            if last != Some(now) || looked.is_none_or(|looked| looked.elapsed() >= LOOK_ANYWAY) {
                let began = Instant::now();
                let speaker = Arc::clone(&self);
                // Of many tasks it takes a while: others are not to wait for it.
                match catch_blocking(Part::Statuses, move || speaker.look()).await {
                    Ok(()) => panics = 0,
                    // Heartbeats go on meanwhile; what always panics ends the worker by way of this task's own end.
                    Err(panicked) if panics >= PANICS_MAX => panicked.go_on(),
                    Err(panicked) => {
                        panics += 1;
                        tracing::error!(%panicked, "looking at what is to be reported panicked; it is done again");
                    }
                }
                (last, looked) = (Some(now), Some(Instant::now()));
                // Where there is much to look at it is looked at less often.
                pause = TICK.max(5 * began.elapsed());
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn heartbeat(&self, alive_for: Option<Duration>) -> KeyValue {
        worker_record(&self.reporter, self.group_instance_id.as_deref(), alive_for)
    }

    fn versions(&self) -> Versions {
        Versions {
            states: self.states.version(),
            statuses: self.log.version(),
            configs: self.configs.view().position,
            shards: self.shards.held_version(),
            connectors: self.connectors.version(),
        }
    }

    /// Two workers of one address would take each other's reports for those of an earlier run of their own.
    fn complain_of_a_namesake(&self, complained: &mut Option<Instant>) {
        let worker_id = &self.reporter.worker_id;
        let Some(started_ms) = self.log.look(|view| view.started_ms(worker_id)) else { return };
        if started_ms > self.reporter.started_ms && complained.is_none_or(|when| when.elapsed() >= COMPLAIN_AGAIN) {
            tracing::error!(
                worker_id,
                "another worker of the group, started later, has this worker's address, and their statuses are mixed up: \
                 set rest.advertised.host.name or rest.advertised.port on one of them"
            );
            *complained = Some(Instant::now());
        }
    }

    fn look(&self) {
        self.states.settle();
        let view = self.configs.view();
        let held = self.shards.held();
        let now = Instant::now();
        {
            let mut unassigned = self.unassigned.lock().unwrap_or_else(PoisonError::into_inner);
            self.log.look(|statuses| unassigned.look(&view, statuses, now));
        }
        let wanted = self.log.look(|statuses| self.wanted(&view, &held, statuses));
        let (mut records, mut topics) = (Vec::new(), Vec::new());
        self.log.look(|statuses| {
            for (key, status) in &wanted {
                // Whoever reports of a later lease has taken the shard over, which this worker is about to hear.
                let is_stale = statuses.counting(key, now).is_some_and(|counting| {
                    counting.reporter != self.reporter && counting.lease_epoch > status.lease_epoch
                });
                if statuses.last_reported(key) != Some(status) && !is_stale {
                    records.push(key.record(Some(status)));
                }
            }
            for key in statuses.keys().filter(|key| !wanted.contains_key(key)) {
                let own = statuses.reported_by(key, &self.reporter.worker_id);
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
                    && own.state != RunState::Unassigned
                {
                    // It would count again when its successor dies.
                    records.push(key.record(Some(&self.status(RunState::Unassigned, None, own.lease_epoch))));
                }
            }
            for name in self.states.published() {
                let known = statuses.topics(&name);
                let written = self.connectors.run_of(&name).map(|run| run.topics).unwrap_or_default();
                for topic in written.iter().filter(|topic| !known.contains(&***topic)) {
                    topics.push(topic_record(&name, topic, true));
                }
            }
            if self.is_home(HOME, &held) {
                let dead = statuses.long_dead(now, FORGET_AFTER);
                records.extend(dead.map(|worker_id| worker_record(&Reporter::unknown(worker_id), None, None)));
            }
        });
        self.write(records);
        for (key, value) in topics {
            // Its time is not to make it another one.
            let known = (key, None);
            if self.is_due(&known) {
                self.log.write((known.0, value));
            }
        }
        self.find_tasks(&view);
    }

    fn write(&self, records: Vec<KeyValue>) {
        let lock = || self.written.lock().unwrap_or_else(PoisonError::into_inner);
        lock().retain(|_, (_, when)| when.elapsed() < AGAIN);
        let due = records.into_iter().filter(|record| self.is_due(record));
        due.take(WRITTEN_MAX).for_each(|record| self.log.write(record));
    }

    /// Whether a record is not on its way already.
    fn is_due(&self, (key, value): &KeyValue) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let due = written.get(key).is_none_or(|(before, when)| before != value || when.elapsed() >= AGAIN);
        if due {
            written.insert(key.clone(), (value.clone(), Instant::now()));
        }
        due
    }

    fn status(&self, state: RunState, trace: Option<String>, lease_epoch: i64) -> Status {
        Status { state, trace, reporter: self.reporter.clone(), lease_epoch }
    }

    fn is_home(&self, connector: &str, held: &BTreeSet<ShardId>) -> bool {
        let key = OffsetKey { connector: connector.to_owned(), stream: HOME.to_owned() };
        held.contains(&self.shards.shard_of(&key))
    }

    /// What the topic is to say of what is here. What has no lease of its own, for nothing is pulled, is reported under the
    /// highest epoch that anybody has reported: of equal epochs the last report counts.
    fn wanted(
        &self,
        view: &ConfigView,
        held: &BTreeSet<ShardId>,
        statuses: &StatusView,
    ) -> BTreeMap<StatusKey, Status> {
        let mut wanted = BTreeMap::new();
        for name in view.names() {
            let target = view.target(name);
            let run = self.connectors.run_of(name);
            let (failed, trouble) = run.map_or((None, None), |run| (run.failed, run.trouble));
            let broken = view.refused(name).cloned().or(failed);
            if self.is_home(name, held) {
                let (state, trace) = match (target, &broken) {
                    (_, Some(reason)) => (RunState::Failed, Some(reason.clone())),
                    (TargetState::Started, None) => (RunState::Running, trouble),
                    (TargetState::Paused, None) => (RunState::Paused, None),
                    (TargetState::Stopped, None) => (RunState::Stopped, None),
                };
                let status_key = StatusKey::Connector(name.clone());
                let status = self.status(state, trace, statuses.highest_epoch(&status_key));
                wanted.insert(status_key, status);
            }
            if target == TargetState::Stopped {
                continue;
            }
            for (&id, stream) in view.tasks(name).into_iter().flatten() {
                let key = OffsetKey::of_stream(name, stream);
                if !held.contains(&self.shards.shard_of(&key)) {
                    continue;
                }
                let status_key = StatusKey::Task(name.clone(), id);
                let highest = statuses.highest_epoch(&status_key);
                let of_stream = |status: &crate::connector::state::StreamStatus| {
                    let (state, trace) = match status.reported() {
                        Reported::Failed(reason) => (RunState::Failed, Some(reason)),
                        Reported::Starting(reason) => (RunState::Unassigned, Some(reason)),
                        Reported::Running(trace) => (RunState::Running, trace),
                    };
                    // One that has failed by what its shard met has no lease of its own.
                    let lease_epoch = if status.lease_epoch > 0 { status.lease_epoch } else { highest };
                    self.status(state, trace, lease_epoch)
                };
                let unleased = |state, trace| self.status(state, trace, highest);
                let status = match (target, &broken) {
                    (TargetState::Paused, _) => unleased(RunState::Paused, None),
                    (_, Some(reason)) => unleased(RunState::Failed, Some(reason.clone())),
                    _ => self
                        .states
                        .look(&key, of_stream)
                        .unwrap_or_else(|| unleased(RunState::Unassigned, self.shards.trouble_of(&key))),
                };
                wanted.insert(status_key, status);
            }
        }
        wanted
    }

    /// Gives streams that were discovered here a task, and takes it from those that are no more.
    fn find_tasks(&self, view: &ConfigView) {
        for name in view.names() {
            let Some(looked) = self.connectors.run_of(name).and_then(|run| run.looked) else { continue };
            let known: BTreeSet<&String> = view.tasks(name).into_iter().flat_map(BTreeMap::values).collect();
            let here: BTreeSet<String> =
                self.connectors.streams(name).iter().map(|plan| plan.stream.as_str().to_owned()).collect();
            let come: BTreeSet<String> = here.iter().filter(|stream| !known.contains(stream)).cloned().collect();
            let held = self.shards.held();
            let is_held = |stream: &String| {
                let key = OffsetKey::of_stream(name, stream);
                held.contains(&self.shards.shard_of(&key))
            };
            // Only when all streams of the shards that are held now have been handed over.
            let gone: BTreeSet<String> = if looked == self.shards.held_version() {
                known.into_iter().filter(|stream| !here.contains(*stream) && is_held(stream)).cloned().collect()
            } else {
                BTreeSet::new()
            };
            if come.is_empty() && gone.is_empty() {
                continue;
            }
            // One change at a time; what it leaves is found at the next look.
            let Ok(turn) = Arc::clone(&self.finding).try_acquire_owned() else { return };
            let (configs, changes, name) = (Arc::clone(&self.configs), Arc::clone(&self.changes), name.clone());
            let change = async move {
                let _turn = turn;
                let Ok(place) = changes.own_turn().await else { return };
                let found = turns::within(place, move || {
                    if let Err(error) = configs.change(|view| change::found(view, &name, &come, &gone)) {
                        tracing::warn!(connector = name, %error, "streams that were found have no task yet");
                    }
                });
                // Only when the runtime ends is it not done.
                let _ = found.await;
            };
            // A panic is counted and logged, and the next look finds what this one has not done.
            tokio::spawn(catch_async(Part::Statuses, change));
            return;
        }
    }

    /// The worker ends.
    pub(super) fn leave(&self) {
        self.log.write(self.heartbeat(None));
        self.log.flush(LAST_WORDS);
    }
}

/// Returns for how long a heartbeat is good: a session, and half of one for it to be written and read.
pub(super) fn alive_for(session_timeout: Duration) -> Duration {
    session_timeout.saturating_add(session_timeout / 2)
}

/// Hears of the shards: for connectors that look for streams, and for last words.
pub(super) struct Speaker {
    pub(super) statuses: Arc<Statuses>,
    pub(super) started: Box<dyn Fn() + Send + Sync>,
}

impl ShardListener for Speaker {
    fn assigned(&self) {
        (self.started)();
        self.statuses.connectors.look_now();
    }

    fn released(&self, shards: &[ShardId]) {
        let statuses = &self.statuses;
        let view = statuses.configs.view();
        let of_shard = |name: &String, stream: &String| {
            let key = OffsetKey::of_stream(name, stream);
            shards.contains(&statuses.shards.shard_of(&key))
        };
        let mut keys = Vec::new();
        for name in view.names() {
            if of_shard(name, &HOME.to_owned()) {
                keys.push(StatusKey::Connector(name.clone()));
            }
            let tasks = view.tasks(name).into_iter().flatten();
            keys.extend(
                tasks.filter(|(_, stream)| of_shard(name, stream)).map(|(&id, _)| StatusKey::Task(name.clone(), id)),
            );
        }
        let mut records = Vec::new();
        statuses.log.look(|said| {
            for key in keys {
                if let Some(before) = said.reported_by(&key, &statuses.reporter.worker_id) {
                    records.push(key.record(Some(&statuses.status(RunState::Unassigned, None, before.lease_epoch))));
                }
            }
        });
        if !records.is_empty() {
            statuses.write(records);
            statuses.log.flush(LAST_WORDS);
        }
    }
}
