//! Checks before the group is joined: Kafka can be reached, the storage topics are right, and the offsets topic is this
//! group's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::error::WorkerError;
use crate::cluster::StatusLog;
use crate::cluster::status::Reporter;
use crate::config::WorkerConfig;
use crate::kafka::reader::ShardReader;
use crate::kafka::storage_topics::{LOSES_CONFIGS, LOSES_OFFSETS, LOSES_STATUSES, StorageTopic, StorageTopicError};
use crate::kafka::{KafkaLog, TopicError, Topics};
use crate::model::contract::CONTRACT_KEY;
use crate::model::{Contract, LogError, LogErrorKind, OffsetReader, ShardCount, ShardId, ShardLog};
use crate::supervision::{Part, blocking};

/// How long Kafka may take to respond before that is logged.
const REACH_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a topic that was just created may have no leaders.
const NEW_TOPIC_TIMEOUT: Duration = Duration::from_secs(15);
/// How long to look for the contract in a shard.
const FIRST_RECORD_TIMEOUT: Duration = Duration::from_secs(5);

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

/// Creates or checks the topics for offsets, configurations and statuses.
pub(super) async fn storage_topics(topics: &Topics, config: &WorkerConfig) -> Result<(), WorkerError> {
    let offsets = StorageTopic {
        name: &config.offsets_topic,
        setting: "offset.storage.topic",
        partitions: config.shards.get(),
        partitions_setting: Some("offset.storage.partitions"),
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
    for topic in [offsets, configs, statuses] {
        storage_topic(topics, &topic).await?;
    }
    Ok(())
}

async fn storage_topic(topics: &Topics, topic: &StorageTopic<'_>) -> Result<(), WorkerError> {
    let StorageTopic { name, setting, partitions, .. } = *topic;
    let found = topic.ensure(topics).await.map_err(|error| match error {
        StorageTopicError::Topic(error) => topic_error(error),
        error @ StorageTopicError::NotCompacted { .. } => WorkerError::Config(error.to_string()),
    })?;
    if found == partitions {
        return Ok(());
    }
    Err(WorkerError::Config(match topic.partitions_setting {
        Some(partitions_setting) => format!(
            "topic {name}: it has {found} partitions and {partitions_setting} is {partitions}; streams would move to other \
             shards and lose their positions: set {partitions_setting}={found}"
        ),
        None => format!(
            "topic {name}: it has {found} partitions and must have one, because its records need an order; use another \
            {setting}"
        ),
    }))
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
    /// Whether every shard has the contract.
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
            let (end, found) = patiently(|| first_contract(reader, shard))?;
            if let Some(found) = &found {
                let checked = contract.check(found);
                checked.map_err(|error| WorkerError::Config(format!("topic {topic}: {error}")))?;
            }
            Ok(Begun { any: begun.any || end > 0, all: begun.all && found.is_some() })
        })
    };
    blocking(Part::Worker, move || log.with_reader(check)).await
}

/// Calls `ask` until it succeeds, for a while, because a topic that was just created has no leaders yet.
pub(super) fn patiently<T>(mut ask: impl FnMut() -> Result<T, LogError>) -> Result<T, LogError> {
    let began = Instant::now();
    loop {
        match ask() {
            Err(error) if error.kind != LogErrorKind::NotAuthorized && began.elapsed() < NEW_TOPIC_TIMEOUT => {
                std::thread::sleep(Duration::from_millis(50));
            }
            answer => return answer,
        }
    }
}

/// Returns the end of a shard, and the first contract in it. The first transaction wrote one; a contract with fewer
/// fields was completed later.
fn first_contract(reader: &mut impl OffsetReader, shard: ShardId) -> Result<(i64, Option<Vec<u8>>), LogError> {
    let bounds = reader.bounds(shard)?;
    if bounds.start >= bounds.end {
        return Ok((bounds.end, None));
    }
    reader.seek(shard, bounds.start)?;
    let began = Instant::now();
    // A transaction may be open on the shard; then the acquisition checks.
    while reader.position()? < bounds.end && began.elapsed() < FIRST_RECORD_TIMEOUT {
        if let Some(record) = reader.poll()?
            && record.key == CONTRACT_KEY
        {
            return Ok((bounds.end, record.value));
        }
    }
    Ok((bounds.end, None))
}
