//! Looking at Kafka's topics while a worker runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::shards::Shards;
use super::{Mode, Worker, WorkerError};
use crate::kafka::DataTopics;
use crate::kafka::watch::TopicWatch;
use crate::supervision::{Part, catch_blocking, fault_point};

/// How often the data topics are asked for.
const DATA_TOPICS_EVERY: Duration = Duration::from_secs(2);
/// How often the storage topics are looked at.
const STORAGE_TOPICS_EVERY: Duration = Duration::from_secs(4);
/// So often running it is to be seen that a topic is not what it was: a broker that has just started may answer anything.
const SEEN_MIN: u32 = 3;

/// Asks for the data topics' partitions again and again.
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
    /// Watches the topics in which this worker keeps something.
    pub(super) fn watch_storage_topics(
        &self,
        shards: Arc<Shards>,
        ended: mpsc::Sender<WorkerError>,
        stop: CancellationToken,
    ) -> Result<impl Future<Output = ()> + Send + use<>, WorkerError> {
        let watch = TopicWatch::new(&self.kafka).map_err(super::startup::unavailable)?;
        let stored = |setting, topic: &str| Stored { setting, topic: topic.to_owned() };
        let mut logs = vec![stored("status.storage.topic", &self.config.status_topic)];
        if self.mode == Mode::Distributed {
            logs.push(stored("config.storage.topic", &self.config.config_topic));
        }
        let offsets = stored("offset.storage.topic", &self.config.offsets_topic);
        Ok(storage_topics(watch, offsets, logs, shards, ended, stop))
    }
}

/// A topic in which the worker keeps something, and the setting that names it.
struct Stored {
    setting: &'static str,
    topic: String,
}

/// Looks at the storage topics until one is not what it was; then says what became of it, which ends the worker.
async fn storage_topics(
    mut watch: TopicWatch,
    offsets: Stored,
    logs: Vec<Stored>,
    shards: Arc<Shards>,
    ended: mpsc::Sender<WorkerError>,
    stop: CancellationToken,
) {
    let mut seen = 0;
    loop {
        let held: Vec<i32> = shards.held().into_iter().map(|shard| shard.0).collect();
        let topics = std::iter::once((offsets.topic.clone(), held));
        let topics: Vec<_> = topics.chain(logs.iter().map(|stored| (stored.topic.clone(), vec![0]))).collect();
        let looked = catch_blocking(Part::StorageTopics, move || {
            fault_point(Part::StorageTopics);
            let found = topics.iter().find_map(|(topic, partitions)| {
                watch.look(topic, partitions).err().map(|trouble| (topic.clone(), trouble))
            });
            (watch, found)
        });
        let (back, found) = looked.await.unwrap_or_else(|panicked| panicked.go_on());
        watch = back;
        seen = if found.is_some() { seen + 1 } else { 0 };
        if let Some((topic, trouble)) = found {
            tracing::warn!(topic, %trouble, seen, "a storage topic does not look like the one that it was");
            if seen >= SEEN_MIN {
                let stored = std::iter::once(&offsets).chain(&logs).find(|stored| stored.topic == topic);
                let setting = stored.map_or("", |stored| stored.setting);
                let remedy = "stop all workers, bring the topic back as it was (from a backup or another cluster), and start \
                              them again; what is in it now is not what they have agreed on";
                let _ =
                    ended.send(WorkerError::Config(format!("topic {topic} ({setting}): {trouble}; {remedy}"))).await;
                return;
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(STORAGE_TOPICS_EVERY) => {}
        }
    }
}
