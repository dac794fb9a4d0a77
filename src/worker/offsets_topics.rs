//! The connectors' own offsets topics, on this worker.
//!
//! **Contract.** The topics that the config log names are opened here: each is looked up and checked against what the
//! group has agreed on, and its shards are shared among the workers like those of the worker's topic. None is created
//! here (the herder creates one when a connector's offsets are moved to it, and writes to all of its shards): a topic
//! that is missing, or has a shard that was never begun, has lost offsets. A topic that cannot be used fails only the
//! connectors that have their offsets in it, and is tried again with a back-off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::shard_topics::TopicOwners;
use super::shards::{Shards, TopicRefusal};
use super::startup;
use super::unusable_topic::UnusableTopic;
use crate::cluster::ConfigLog;
use crate::config::RestartPolicy;
use crate::kafka::storage_topics::{COMPACTED, MissingOffsetsTopic};
use crate::kafka::{DataTopics, KafkaLog, KafkaSettings, Subscription, Topics};
use crate::model::{Contract, ShardCount, ShardLog};
use crate::shard::beginning::agreed_count;
use crate::shard::{OwnerContext, OwnerSettings};
use crate::supervision::{Part, blocking, catch_blocking, fault_point};

/// The back-off for a topic that cannot be opened.
const RETRY: RestartPolicy =
    RestartPolicy { timeout: None, base: Duration::from_secs(1), cap: Duration::from_secs(60) };
/// A connector waits this long for its topic to be opened before it says so.
const OPENING_TIMEOUT: Duration = Duration::from_secs(20);

/// Listens for changes of the topics.
pub(super) trait TopicListener: Send + Sync {
    /// Called when a topic has been looked up, so that connectors waiting for it may try again.
    fn looked(&self);

    /// A topic that was open is closed. Its connectors have to begin again, and wait for it to be opened.
    fn lost(&self, topic: &str);
}

/// Opens and closes the topics.
pub(super) struct OffsetsTopics {
    parts: TopicParts,
    shards: Arc<Shards>,
    states: Mutex<BTreeMap<String, State>>,
    /// Counts changes of states.
    changes: watch::Sender<u64>,
    /// Wakes whoever opens topics.
    due: Notify,
}

/// What topics are opened with.
pub(super) struct TopicParts {
    /// The settings of clients on the worker's topic.
    pub(super) kafka: KafkaSettings,
    /// What the group has agreed on, for the worker's topic.
    pub(super) contract: Contract,
    pub(super) settings: OwnerSettings,
    pub(super) topics: Arc<Topics>,
    pub(super) data_topics: Arc<DataTopics>,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) subscription: Subscription,
}

/// The state of a topic on this worker.
#[derive(Debug, Clone)]
enum State {
    /// Its shards are shared among the workers.
    Open,
    /// It cannot be used, for `reason`, and is tried again at `next`.
    Refused { reason: Arc<UnusableTopic>, failures: u32, next: Instant },
}

impl OffsetsTopics {
    pub(super) fn new(parts: TopicParts, shards: Arc<Shards>) -> Self {
        Self { parts, shards, states: Mutex::default(), changes: watch::Sender::default(), due: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, State>> {
        // Nothing panics while the lock is held, and states are replaced as a whole.
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the topics that are open.
    pub(super) fn open(&self) -> Vec<String> {
        let states = self.lock();
        states.iter().filter(|(_, state)| matches!(state, State::Open)).map(|(topic, _)| topic.clone()).collect()
    }

    /// Makes a topic that could not be opened be tried again now.
    pub(super) fn look_again(&self, topic: &str) {
        if let Some(State::Refused { next, .. }) = self.lock().get_mut(topic) {
            *next = Instant::now();
            self.due.notify_one();
        }
    }

    /// Waits until a topic is open.
    ///
    /// # Errors
    /// When it cannot be opened, or is not open in time.
    pub(super) async fn opened(&self, topic: &str) -> Result<(), Arc<UnusableTopic>> {
        let mut changes = self.changes.subscribe();
        let wait = async {
            loop {
                match self.lock().get(topic) {
                    Some(State::Open) => return Ok(()),
                    Some(State::Refused { reason, .. }) => return Err(Arc::clone(reason)),
                    None => {}
                }
                // The sender lives as long as `self`.
                let _ = changes.changed().await;
            }
        };
        let waited = tokio::time::timeout(OPENING_TIMEOUT, wait).await;
        waited.unwrap_or_else(|_| Err(Arc::new(UnusableTopic::Opening { topic: topic.to_owned() })))
    }

    /// Opens topics that the config log names and closes those it no longer names, until stopped.
    pub(super) async fn follow(
        self: Arc<Self>,
        configs: Arc<ConfigLog>,
        listener: Arc<dyn TopicListener>,
        mut refusals: mpsc::Receiver<TopicRefusal>,
        stop: CancellationToken,
    ) {
        let mut moved = configs.watch();
        loop {
            fault_point(Part::OffsetsTopics);
            let wanted = configs.view().own_offsets_topics();
            for topic in self.known().into_iter().filter(|topic| !wanted.contains(topic)) {
                // First, so that no connector that is created meanwhile takes the topic for open; those that have are restarted
                // afterwards.
                self.lock().remove(&topic);
                self.close(&topic).await;
                listener.lost(&topic);
                tracing::info!(topic, "no connector has its offsets in this topic any more: its shards are released");
            }
            for topic in &wanted {
                if self.is_due(topic) {
                    self.try_open(topic).await;
                    listener.looked();
                }
            }
            let next = self.next_try(&wanted);
            tokio::select! {
                () = stop.cancelled() => return,
                changed = moved.changed() => if changed.is_err() { return },
                Some(refusal) = refusals.recv() => {
                    self.refuse(&refusal.topic, refusal.reason).await;
                    listener.lost(&refusal.topic);
                }
                () = self.due.notified() => {}
                () = tokio::time::sleep_until(next.into()) => {}
            }
        }
    }

    fn known(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    fn is_due(&self, topic: &str) -> bool {
        match self.lock().get(topic) {
            None => true,
            Some(State::Open) => false,
            Some(State::Refused { next, .. }) => *next <= Instant::now(),
        }
    }

    /// Returns when the next of these topics is due, or else when to look again in any case.
    fn next_try(&self, wanted: &BTreeSet<String>) -> Instant {
        let states = self.lock();
        let times = wanted.iter().filter_map(|topic| match states.get(topic) {
            None | Some(State::Open) => None,
            Some(State::Refused { next, .. }) => Some(*next),
        });
        times.min().unwrap_or_else(|| Instant::now() + RETRY.cap)
    }

    async fn try_open(&self, topic: &str) {
        match self.look(topic).await {
            Ok(owners) => {
                self.shards.open(Arc::from(topic), owners);
                self.lock().insert(topic.to_owned(), State::Open);
                self.parts.subscription.add(Arc::from(topic));
                tracing::info!(
                    topic,
                    "connectors have their offsets in this topic; its shards are shared among the workers"
                );
            }
            Err(reason) => self.note_refusal(topic, reason),
        }
        self.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
    }

    fn note_refusal(&self, topic: &str, reason: UnusableTopic) {
        let mut states = self.lock();
        let failures = match states.get(topic) {
            Some(State::Refused { failures, .. }) => failures + 1,
            _ => 1,
        };
        let delay = RETRY.delay(failures);
        tracing::error!(
            topic,
            %reason,
            delay_ms = delay.as_millis() as u64,
            "connectors have their offsets in this topic, and it cannot be used; trying again"
        );
        states.insert(
            topic.to_owned(),
            State::Refused { reason: Arc::new(reason), failures, next: Instant::now() + delay },
        );
    }

    /// Closes a topic that has turned out to be a different one. Its connectors fail.
    async fn refuse(&self, topic: &str, reason: UnusableTopic) {
        if !matches!(self.lock().get(topic), Some(State::Open)) {
            return;
        }
        self.note_refusal(topic, reason);
        self.close(topic).await;
        self.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
    }

    /// Releases the shards of a topic, which nobody acquires then.
    async fn close(&self, topic: &str) {
        self.parts.subscription.remove(topic);
        let (shards, topic) = (Arc::clone(&self.shards), topic.to_owned());
        // Blocks until the shards are released.
        if let Err(panicked) = catch_blocking(Part::OffsetsTopics, move || shards.close(&topic)).await {
            panicked.go_on();
        }
    }

    /// Looks a topic up, and returns what the owners of its shards need.
    ///
    /// # Errors
    /// When it cannot be used; the text says what to do.
    async fn look(&self, topic: &str) -> Result<TopicOwners, UnusableTopic> {
        let named = || topic.to_owned();
        let partitions = self.parts.topics.partitions(topic).await;
        let partitions = partitions.map_err(|source| UnusableTopic::NotKnown { topic: named(), source })?;
        let found = partitions.and_then(ShardCount::new).ok_or_else(|| MissingOffsetsTopic { topic: named() })?;
        // Without the permission to ask, the check is skipped.
        if let Ok(Some(policy)) = self.parts.topics.cleanup_policy(topic).await
            && policy != COMPACTED
        {
            return Err(UnusableTopic::NotCompacted { topic: named(), policy });
        }
        let log = KafkaLog::new(self.parts.kafka.on_topic(topic)).with_data_topics(Arc::clone(&self.parts.data_topics));
        let log = Arc::new(log);
        let agreed = {
            let (log, contract) = (Arc::clone(&log), self.parts.contract.clone());
            blocking(Part::OffsetsTopics, move || log.with_reader(|reader| agreed_count(reader, found, &contract)))
                .await
        };
        let agreed = agreed.map_err(|source| UnusableTopic::NotAgreed { topic: named(), source })?;
        // Without any contract the check below refuses the topic, or the owners of its shards do.
        let count = agreed.unwrap_or(found);
        let contract = self.parts.contract.with_partitions(count);
        if !startup::check_contract(Arc::clone(&log), contract.clone(), count).await?.all {
            return Err(UnusableTopic::MadeAnew { topic: named() });
        }
        let settings = OwnerSettings { begun: true, ..self.parts.settings.clone() };
        let owners = OwnerContext { log, contract, settings, runtime: self.parts.runtime.clone() };
        Ok(TopicOwners { count, owners })
    }
}
