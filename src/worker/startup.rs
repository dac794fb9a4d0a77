//! Checks before the group is joined: Kafka can be reached, the storage topics are right, and the offsets topic is this
//! group's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::error::WorkerError;
use crate::cluster::status::Reporter;
use crate::cluster::{ConfigLog, StatusLog};
use crate::config::WorkerConfig;
use crate::kafka::reader::ShardReader;
use crate::kafka::storage_topics::{LOSES_CONFIGS, LOSES_OFFSETS, LOSES_STATUSES, StorageTopic, StorageTopicError};
use crate::kafka::{KafkaLog, TopicError, Topics};
use crate::model::contract::ContractError;
use crate::model::{Contract, ShardCount, ShardId, ShardLog};
use crate::shard::beginning::{AgreedError, agreed_count, beginning, patiently};
use crate::supervision::{Part, blocking};

/// The setting for the number of shards.
const PARTITIONS_SETTING: &str = "offset.storage.partitions";
/// How long Kafka may take to respond before that is logged.
const REACH_TIMEOUT: Duration = Duration::from_secs(3);

/// Waits until Kafka responds, and logs that it waits, and reports it to `waits`; `false`: shut down meanwhile.
pub(super) async fn wait_for_kafka(
    topics: &Topics,
    bootstrap_servers: &str,
    waits: &(impl Fn(String) + Sync),
    shutdown: &CancellationToken,
) -> bool {
    let began = Instant::now();
    loop {
        let reached = tokio::select! {
            () = shutdown.cancelled() => return false,
            reached = topics.reach(REACH_TIMEOUT) => reached,
        };
        let Err(error) = reached else { return true };
        tracing::warn!(bootstrap_servers, %error, waited_s = began.elapsed().as_secs(),
            "Kafka cannot be reached; waiting for it");
        waits(format!("Kafka at {bootstrap_servers} cannot be reached: {error}."));
        tokio::select! {
            () = shutdown.cancelled() => return false,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

pub(super) fn refused_settings(error: rdkafka::error::KafkaError) -> WorkerError {
    WorkerError::Config(format!("Kafka's client rejects the settings: {error}"))
}

pub(super) fn topic_error(error: TopicError) -> WorkerError {
    match error {
        TopicError::Kafka { .. } => WorkerError::Unavailable(error.to_string()),
        TopicError::NotAuthorized { .. } | TopicError::Refused { .. } | TopicError::Create { .. } => {
            WorkerError::Config(error.to_string())
        }
    }
}

/// A log's topic that has more than the one partition that is used.
pub(super) struct Widened {
    topic: String,
    setting: &'static str,
    found: i32,
}

/// Creates or checks the topics for offsets, configurations and statuses. Returns those of the logs that have more than
/// one partition: whether partitions were added to a log that the group has begun is known once it has been read.
pub(super) async fn storage_topics(
    topics: &Topics,
    config: &WorkerConfig,
    log: &Arc<KafkaLog>,
    contract: &Contract,
) -> Result<Vec<Widened>, WorkerError> {
    let offsets = StorageTopic {
        name: &config.offsets_topic,
        setting: "offset.storage.topic",
        partitions: config.shards.get(),
        partitions_setting: Some(PARTITIONS_SETTING),
        replication_factor: config.offsets_replication_factor,
        replication_factor_setting: "offset.storage.replication.factor",
        loses: LOSES_OFFSETS,
    };
    let configs = StorageTopic {
        name: &config.config_topic,
        setting: "config.storage.topic",
        partitions: 1,
        partitions_setting: None,
        replication_factor: config.config_replication_factor,
        replication_factor_setting: "config.storage.replication.factor",
        loses: LOSES_CONFIGS,
    };
    let statuses = StorageTopic {
        name: &config.status_topic,
        setting: "status.storage.topic",
        partitions: 1,
        partitions_setting: None,
        replication_factor: config.status_replication_factor,
        replication_factor_setting: "status.storage.replication.factor",
        loses: LOSES_STATUSES,
    };
    let found = storage_topic(topics, &offsets).await?;
    if found != offsets.partitions {
        expect_shards(&offsets, found, Arc::clone(log), contract.clone()).await?;
    }
    let mut widened = Vec::new();
    for topic in [configs, statuses] {
        let found = storage_topic(topics, &topic).await?;
        if found > 1 {
            widened.push(Widened { topic: topic.name.to_owned(), setting: topic.setting, found });
        }
    }
    Ok(widened)
}

async fn storage_topic(topics: &Topics, topic: &StorageTopic<'_>) -> Result<i32, WorkerError> {
    topic.ensure(topics).await.map_err(|error| match error {
        StorageTopicError::Topic(error) => topic_error(error),
        error @ StorageTopicError::NotCompacted { .. } => WorkerError::Config(error.to_string()),
    })
}

/// Refuses an offsets topic with another number of partitions than this worker has shards, unless partitions were added
/// to a topic that has this many shards.
async fn expect_shards(
    topic: &StorageTopic<'_>,
    found: i32,
    log: Arc<KafkaLog>,
    contract: Contract,
) -> Result<(), WorkerError> {
    let StorageTopic { name, partitions, .. } = *topic;
    let refused = |reason: String| WorkerError::Config(format!("topic {name}: {reason}"));
    // A topic has at least one partition.
    let Some(count) = ShardCount::new(found) else { return Err(refused("it has no partitions".to_owned())) };
    let read = move || log.with_reader(|reader| agreed_count(reader, count, &contract));
    match blocking(Part::Worker, read).await {
        Ok(Some(agreed)) if agreed.get() == partitions => Ok(()),
        Ok(Some(agreed)) => {
            Err(refused(ContractError::Partitions { theirs: agreed.get(), ours: partitions }.to_string()))
        }
        Ok(None) => Err(refused(format!(
            "it has {found} partitions and {PARTITIONS_SETTING} is {partitions}; streams would move to other shards and lose \
             their positions: set {PARTITIONS_SETTING}={found}"
        ))),
        Err(error @ AgreedError::Fewer { .. }) => {
            Err(refused(format!("{error}; restore it (from a backup or another cluster)")))
        }
        Err(AgreedError::Contract(error)) => Err(refused(error.to_string())),
        Err(AgreedError::Log(error)) => Err(error.into()),
    }
}

/// Refuses a log with several partitions, unless the group has begun it: its records need an order.
pub(super) fn expect_begun(widened: &[Widened], configs: &ConfigLog, statuses: &StatusLog) -> Result<(), WorkerError> {
    for Widened { topic, setting, found } in widened {
        let is_begun = match configs.topic() == topic {
            true => !configs.view().contracts().is_empty(),
            false => statuses.is_claimed(),
        };
        if !is_begun {
            return Err(WorkerError::Config(format!(
                "topic {topic}: it has {found} partitions and must have one, because its records need an order; use another \
                 {setting}"
            )));
        }
    }
    Ok(())
}

/// Waits until the session of an earlier worker with this `group.instance.id` is over, and refuses to join beside one
/// that is alive, because the two would fence each other out of the group. `false`: shut down meanwhile.
pub(super) async fn refuse_namesake(
    statuses: &StatusLog,
    config: &WorkerConfig,
    own: &Reporter,
    shutdown: &CancellationToken,
) -> Result<bool, WorkerError> {
    let Some(instance_id) = &config.group_instance_id else { return Ok(true) };
    let mut known: Option<Instant> = None;
    loop {
        let namesake = statuses.look(|view| {
            view.namesake(instance_id, own, Instant::now()).map(|(worker_id, until)| (worker_id.to_owned(), until))
        });
        let Some((worker_id, until)) = namesake else { return Ok(true) };
        match known {
            None => tracing::warn!(
                worker_id,
                group_instance_id = instance_id,
                left_ms = until.saturating_duration_since(Instant::now()).as_millis() as u64,
                "a worker with this group.instance.id was alive a moment ago; waiting until its session is over"
            ),
            Some(known) if until > known => {
                return Err(WorkerError::Config(format!(
                    "worker {worker_id} is running with this worker's group.instance.id {instance_id:?}, and the two would \
                     fence each other out of the group: give every worker its own id, or stop the other one"
                )));
            }
            Some(_) => {}
        }
        known.get_or_insert(until);
        tokio::select! {
            () = shutdown.cancelled() => return Ok(false),
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
    }
}

/// How much of an offsets topic has been written to by the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begun {
    /// Whether anything was ever written to any shard.
    pub(super) any: bool,
    /// Whether every shard has the contract, or had one before its first records were deleted.
    pub(super) all: bool,
}

/// Refuses a topic that has a different contract (rule 9). Each acquisition of a shard checks again, after init.
pub(super) async fn check_contract(
    log: Arc<KafkaLog>,
    contract: Contract,
    shards: ShardCount,
) -> Result<Begun, WorkerError> {
    let topic = log.offsets_topic().to_owned();
    let check = move |reader: &mut ShardReader| -> Result<Begun, WorkerError> {
        let nothing = Begun { any: false, all: true };
        (0..shards.get()).map(ShardId).try_fold(nothing, |begun, shard| {
            let found = patiently(|| beginning(reader, shard))?;
            if let Some(found) = &found.contract {
                let checked = contract.check(found);
                checked.map_err(|error| WorkerError::Config(format!("topic {topic}: {error}")))?;
            }
            Ok(Begun { any: begun.any || found.bounds.end > 0, all: begun.all && found.is_begun() })
        })
    };
    blocking(Part::Worker, move || log.with_reader(check)).await
}
