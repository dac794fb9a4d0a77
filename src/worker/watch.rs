//! Watches Kafka's topics while a worker runs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::offsets_topics::OffsetsTopics;
use super::plan::Dependencies;
use super::shards::{Shards, TopicRefusal};
use super::supervisor::Supervisor;
use super::unusable_topic::UnusableTopic;
use super::{Mode, Worker, WorkerError};
use crate::kafka::DataTopics;
use crate::kafka::storage_topics::{COMPACTED, LOSES_CONFIGS, LOSES_OFFSETS, LOSES_STATUSES, not_compacted};
use crate::kafka::watch::{Deleted, TopicTrouble, TopicWatch};
use crate::logging::repeated::Repeated;
use crate::model::{ShardId, TopicShard};
use crate::supervision::{Part, catch_blocking, fault_point};

/// The interval at which the data topics' partitions are requested.
const DATA_TOPICS_EVERY: Duration = Duration::from_secs(2);
/// The interval at which the storage topics are looked at.
const STORAGE_TOPICS_EVERY: Duration = Duration::from_secs(4);
/// The number of consecutive looks that must find that a topic has changed: a broker that has just started may return
/// anything.
const SEEN_MIN: u32 = 3;
/// How long reading a log may make no progress, although there is more of it, before that is logged.
const STUCK_AFTER: Duration = Duration::from_secs(30);
/// The number of looks per request for the cleanup.policy.
const POLICY_ROUNDS: u32 = 4;
/// What to do about a topic whose content is not the group's any more.
const RESTORE: &str = "stop all workers, restore the topic (from a backup or another cluster), and start them again; its \
                       present content is not what they have agreed on";

/// Requests the data topics' partitions at intervals, until stopped.
pub(super) async fn data_topics(topics: Arc<DataTopics>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(DATA_TOPICS_EVERY) => {}
        }
        let asked = Arc::clone(&topics);
        let refresh = move || {
            fault_point(Part::DataTopics);
            asked.refresh();
        };
        if let Err(panicked) = catch_blocking(Part::DataTopics, refresh).await {
            panicked.go_on();
        }
    }
}

impl Worker {
    /// Watches the topics in which this worker stores something.
    pub(super) fn watch_storage_topics(
        &self,
        shards: Arc<Shards>,
        dependencies: Arc<Dependencies>,
        (own_topics, refusals): (Arc<OffsetsTopics>, mpsc::Sender<TopicRefusal>),
        supervisor: &Supervisor,
    ) -> Result<impl Future<Output = ()> + Send + use<>, WorkerError> {
        let watch = TopicWatch::new(&self.kafka).map_err(WorkerError::from)?;
        let stored = |setting, topic: &str, loses| Stored { setting, topic: topic.to_owned(), loses };
        let statuses = Arc::clone(&self.statuses);
        let mut logs = vec![stored("status.storage.topic", &self.config.status_topic, LOSES_STATUSES)];
        let mut readings = vec![Reading::new(move || statuses.position())];
        if self.mode == Mode::Distributed {
            let configs = Arc::clone(&self.configs);
            logs.push(stored("config.storage.topic", &self.config.config_topic, LOSES_CONFIGS));
            readings.push(Reading::new(move || configs.view().position));
        }
        let offsets = stored("offset.storage.topic", &self.config.offsets_topic, LOSES_OFFSETS);
        let own = OwnTopicsWatch { topics: own_topics, refusals, seen: HashMap::new() };
        let widened = HashSet::new();
        let storage = StorageTopics { offsets, logs, readings, own, widened, shards, dependencies };
        Ok(storage.watch(watch, supervisor.endings.clone(), supervisor.stop.clone()))
    }
}

/// Returns what is wrong if the cleanup.policy of a topic has been altered, because retention would delete its records.
/// A policy that cannot be requested was already logged at startup.
async fn uncompacted<'a>(dependencies: &Dependencies, topics: impl Iterator<Item = &'a Stored>) -> Option<String> {
    for Stored { setting, topic, loses } in topics {
        let Ok(Some(policy)) = dependencies.topics.cleanup_policy(topic).await else { continue };
        if policy != COMPACTED {
            let refused = not_compacted(topic, &policy, loses);
            return Some(format!(
                "{refused}; it was altered while the worker ran ({setting}): change it back, and restart the workers"
            ));
        }
    }
    None
}

/// A topic in which the worker stores something, and the setting that names it.
struct Stored {
    setting: &'static str,
    topic: String,
    /// What would happen if the topic were not compacted.
    loses: &'static str,
}

/// How far a log has been read. An open transaction holds up everybody who reads committed records.
struct Reading {
    position: Box<dyn Fn() -> i64 + Send + Sync>,
    at: i64,
    since: Instant,
    said: Repeated,
}

impl Reading {
    fn new(position: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self { position: Box::new(position), at: -1, since: Instant::now(), said: Repeated::default() }
    }

    /// Logs when reading makes no progress, although there is more of the log.
    fn look(&mut self, stored: &Stored, end: Option<i64>, now: Instant) {
        let at = (self.position)();
        let Some(end) = end.filter(|&end| end > at) else {
            (self.at, self.since) = (at, now);
            if let Some(lasted) = self.said.over() {
                tracing::info!(
                    topic = stored.topic,
                    lasted_s = lasted.as_secs(),
                    "reading the topic makes progress again"
                );
            }
            return;
        };
        if at > self.at {
            (self.at, self.since) = (at, now);
        }
        if now.duration_since(self.since) >= STUCK_AFTER && self.said.again("").is_some() {
            tracing::warn!(
                topic = stored.topic,
                setting = stored.setting,
                at,
                end,
                "reading the topic makes no progress, and records written to it are not seen: a transaction may hang on it \
                 (find it with kafka-transactions.sh find-hanging, and abort it)"
            );
        }
    }
}

/// The connectors' own offsets topics. One that cannot be used stops its connectors, not the worker.
struct OwnTopicsWatch {
    topics: Arc<OffsetsTopics>,
    refusals: mpsc::Sender<TopicRefusal>,
    /// The number of consecutive looks that found trouble.
    seen: HashMap<String, u32>,
}

impl OwnTopicsWatch {
    /// Records what a look has found about the open topics. Returns those that are given up.
    async fn note(&mut self, open: &[String], mut found: HashMap<String, TopicTrouble>) -> Vec<String> {
        self.seen.retain(|topic, _| found.contains_key(topic));
        let mut given_up = Vec::new();
        for topic in open {
            let Some(trouble) = found.remove(topic) else { continue };
            let seen = self.seen.entry(topic.clone()).or_default();
            *seen += 1;
            tracing::warn!(topic, %trouble, seen = *seen, "an offsets topic seems to have been replaced");
            if *seen >= SEEN_MIN {
                self.seen.remove(topic);
                let reason = UnusableTopic::Changed { topic: topic.clone(), trouble };
                let _ = self.refusals.send(TopicRefusal { topic: topic.clone(), reason }).await;
                given_up.push(topic.clone());
            }
        }
        given_up
    }
}

/// The topics in which a worker stores something.
struct StorageTopics {
    offsets: Stored,
    logs: Vec<Stored>,
    /// How far each of the logs has been read.
    readings: Vec<Reading>,
    own: OwnTopicsWatch,
    /// The topics with more partitions than are used, of which that has been logged.
    widened: HashSet<String>,
    shards: Arc<Shards>,
    dependencies: Arc<Dependencies>,
}

impl StorageTopics {
    /// Looks at the topics until one has changed; then reports what happened to it, and the worker exits.
    async fn watch(mut self, mut watch: TopicWatch, ended: mpsc::Sender<WorkerError>, stop: CancellationToken) {
        let (mut seen, mut rounds) = (0, 0_u32);
        loop {
            rounds = rounds.wrapping_add(1);
            if rounds.is_multiple_of(POLICY_ROUNDS)
                && let Some(refused) = uncompacted(&self.dependencies, self.all()).await
            {
                let _ = ended.send(WorkerError::Config(refused)).await;
                return;
            }
            if rounds.is_multiple_of(POLICY_ROUNDS) {
                for topic in self.own.topics.open() {
                    if let Ok(Some(policy)) = self.dependencies.topics.cleanup_policy(&topic).await
                        && policy != COMPACTED
                    {
                        let reason = UnusableTopic::NotCompacted { topic: topic.clone(), policy };
                        let _ = self.own.refusals.send(TopicRefusal { topic, reason }).await;
                    }
                }
            }
            let topics = std::iter::once((self.offsets.topic.clone(), self.shards.held_of(&self.offsets.topic)));
            let topics: Vec<_> = topics.chain(self.logs.iter().map(|log| (log.topic.clone(), vec![0]))).collect();
            let own = self.own.topics.open();
            // All of their shards: nobody may hold any, and the topic be another one.
            let shards_of = |topic: &String| (0..self.shards.count_of(topic)).collect::<Vec<i32>>();
            let own_held: Vec<_> = own.iter().map(|topic| (topic.clone(), shards_of(topic))).collect();
            let looked = catch_blocking(Part::StorageTopics, move || {
                fault_point(Part::StorageTopics);
                let mut look = |(topic, partitions): &(String, Vec<i32>)| {
                    watch.look(topic, partitions).err().map(|trouble| (topic.clone(), trouble))
                };
                let found = topics.iter().find_map(&mut look);
                let own_found: HashMap<String, TopicTrouble> = own_held.iter().filter_map(look).collect();
                let deleted = topics.iter().chain(&own_held);
                let deleted = deleted.map(|(topic, _)| (topic.clone(), watch.deleted(topic)));
                let deleted: Vec<(String, Vec<Deleted>)> = deleted.filter(|(_, deleted)| !deleted.is_empty()).collect();
                (watch, found, own_found, deleted)
            });
            let (back, found, own_found, deleted) = looked.await.unwrap_or_else(|panicked| panicked.go_on());
            watch = back;
            tracing::debug!(rounds, "the storage topics have been looked at");
            if let Some(reason) = self.records_deleted(deleted) {
                let _ = ended.send(WorkerError::Config(reason)).await;
                return;
            }
            self.note_widened(&watch, &own);
            for topic in self.own.note(&own, own_found).await {
                // When it is opened again, it is not compared with what it was.
                watch.forget(&topic);
            }
            for (stored, reading) in self.logs.iter().zip(&mut self.readings) {
                reading.look(stored, watch.end(&stored.topic, 0), Instant::now());
            }
            seen = if found.is_some() { seen + 1 } else { 0 };
            if let Some((topic, trouble)) = found {
                tracing::warn!(topic, %trouble, seen, "a storage topic seems to have been replaced");
                if seen >= SEEN_MIN {
                    let setting = self.all().find(|stored| stored.topic == topic).map_or("", |stored| stored.setting);
                    let reason = format!("topic {topic} ({setting}): {trouble}; {RESTORE}");
                    let _ = ended.send(WorkerError::Config(reason)).await;
                    return;
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(STORAGE_TOPICS_EVERY) => {}
            }
        }
    }

    /// Has the shards acquired again whose records were deleted: their streams fail, because positions may be gone.
    /// Returns why the worker has to exit, if a log's records were deleted.
    fn records_deleted(&self, deleted: Vec<(String, Vec<Deleted>)>) -> Option<String> {
        for (topic, deleted) in deleted {
            if let Some(log) = self.logs.iter().find(|log| log.topic == topic) {
                let deleted = deleted.first()?;
                return Some(format!("topic {topic} ({}): {deleted}; {RESTORE}", log.setting));
            }
            let topic: Arc<str> = topic.into();
            for Deleted { partition, was, now } in deleted {
                tracing::error!(
                    topic = &*topic,
                    partition,
                    was,
                    now,
                    "records of an offsets topic were deleted: its partition begins later than it did; the shard is acquired \
                     again, and its streams fail until their offsets are set or reset"
                );
                self.shards.records_deleted(&TopicShard { topic: Arc::clone(&topic), shard: ShardId(partition) });
            }
        }
        None
    }

    /// Logs once for each topic that it has more partitions than are used.
    fn note_widened(&mut self, watch: &TopicWatch, own: &[String]) {
        let own = own.iter().map(|topic| ("offsets.storage.topic", topic.as_str(), self.shards.count_of(topic)));
        let offsets = (self.offsets.setting, self.offsets.topic.as_str(), self.shards.count_of(&self.offsets.topic));
        let logs = self.logs.iter().map(|log| (log.setting, log.topic.as_str(), 1));
        for (setting, topic, used) in own.chain([offsets]).chain(logs) {
            let Some(found) = watch.partitions(topic).filter(|&found| used > 0 && found > used) else { continue };
            if self.widened.insert(topic.to_owned()) {
                tracing::warn!(
                    topic,
                    setting,
                    partitions = found,
                    used,
                    "partitions were added to a topic in which the group stores something, and they are not used: what is stored \
                     stays in the partitions that the topic was begun with. Nothing has to be done; if more shards were wanted, \
                     let connectors move their offsets to a topic that is created with them (offsets.storage.topic)"
                );
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = &Stored> {
        std::iter::once(&self.offsets).chain(&self.logs)
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
