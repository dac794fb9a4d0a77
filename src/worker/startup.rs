//! Before the group is joined: Kafka answers, and the offsets topic is ours and as it has to be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::error::WorkerError;
use crate::cluster::StatusLog;
use crate::cluster::status::Reporter;
use crate::config::WorkerConfig;
use crate::kafka::reader::ShardReader;
use crate::kafka::topics::TopicPlan;
use crate::kafka::{KafkaLog, PlanSettings, TopicError, Topics};
use crate::model::contract::CONTRACT_KEY;
use crate::model::{Contract, LogError, LogErrorKind, OffsetReader, ShardCount, ShardId, ShardLog};
use crate::supervision::{Part, blocking};

/// How long Kafka may take to answer before it is said that it does not.
const REACH_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a topic that was made just now may have no leaders.
const NEW_TOPIC_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the first record of a shard is looked for.
const FIRST_RECORD_TIMEOUT: Duration = Duration::from_secs(5);

/// Waits until Kafka answers, saying so; `false`: shut down meanwhile.
pub(super) async fn wait_for_kafka(topics: &Topics, bootstrap_servers: &str, shutdown: &CancellationToken) -> bool {
    let began = Instant::now();
    loop {
        let reached = tokio::select! {
            () = shutdown.cancelled() => return false,
            reached = topics.reach(REACH_TIMEOUT) => reached,
        };
        let Err(error) = reached else { return true };
        tracing::warn!(bootstrap_servers, %error, waited_s = began.elapsed().as_secs(),
            "Kafka cannot be reached; waiting for it");
        tokio::select! {
            () = shutdown.cancelled() => return false,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

pub(super) fn refused_settings(error: rdkafka::error::KafkaError) -> WorkerError {
    WorkerError::Config(format!("Kafka's client does not take the settings: {error}"))
}

pub(super) fn topic_error(error: TopicError) -> WorkerError {
    match error {
        TopicError::Kafka { .. } => WorkerError::Unavailable(error.to_string()),
        TopicError::NotAuthorized { .. } | TopicError::Refused { .. } | TopicError::Create { .. } => {
            WorkerError::Config(error.to_string())
        }
    }
}

/// The one cleanup.policy that a storage topic may have.
pub(super) const COMPACTED: &str = "compact";
/// What would become of each storage topic were it not compacted.
pub(super) const LOSES_OFFSETS: &str = "the streams' positions would be deleted and the streams published again";
pub(super) const LOSES_CONFIGS: &str = "the connectors would be deleted";
pub(super) const LOSES_STATUSES: &str = "the connectors' statuses would be deleted";

/// A topic that the worker keeps something in.
pub(super) struct StorageTopic<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// The setting that names it.
    pub(super) setting: &'static str,
    /// Partitions.
    pub(super) partitions: i32,
    /// The setting with them; `None`: nobody sets them.
    pub(super) partitions_setting: Option<&'static str>,
    /// Replication factor, when it is made.
    pub(super) replication_factor: i32,
    /// The setting with it.
    pub(super) replication_factor_setting: &'static str,
    /// What would become of it were it not compacted.
    pub(super) loses: &'static str,
}

/// Makes the topics of offsets, configurations and statuses, or checks them.
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

/// Words that a storage topic is not compacted.
pub(super) fn not_compacted(name: &str, policy: &str, loses: &str) -> String {
    format!("topic {name}: its cleanup.policy is {policy:?} and has to be {COMPACTED:?}, or {loses}")
}

async fn storage_topic(topics: &Topics, topic: &StorageTopic<'_>) -> Result<(), WorkerError> {
    let StorageTopic { name, setting, partitions, replication_factor, loses, .. } = *topic;
    let settings = [
        ("cleanup.policy", COMPACTED),
        // What is not compacted yet is read at each take: small segments are compacted soon.
        ("segment.bytes", "16777216"),
        ("min.cleanable.dirty.ratio", "0.1"),
        ("max.compaction.lag.ms", "600000"),
    ];
    let config = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let settings = PlanSettings {
        name: setting,
        partitions: topic.partitions_setting,
        replication_factor: topic.replication_factor_setting,
        config_prefix: None,
    };
    let plan = TopicPlan { name: name.to_owned(), partitions, replication_factor, config, settings };
    let facts = topics.ensure(&plan).await.map_err(topic_error)?;
    let policy = facts.config.get("cleanup.policy").map_or("", String::as_str);
    if policy != COMPACTED {
        let refused = not_compacted(name, policy, loses);
        return Err(WorkerError::Config(format!("{refused}; alter it, or use another {setting}")));
    }
    if facts.partitions != partitions && setting == "offset.storage.topic" {
        return Err(WorkerError::Config(format!(
            "topic {name}: it has {} partitions and offset.storage.partitions is {partitions}: streams would change their \
             shards and lose their positions; set offset.storage.partitions={0}",
            facts.partitions
        )));
    }
    if facts.partitions != partitions {
        return Err(WorkerError::Config(format!(
            "topic {name}: it has {} partitions and has to have one, for what is in it has an order; use another {setting}",
            facts.partitions
        )));
    }
    Ok(())
}

/// Waits for an earlier worker of this one's `group.instance.id` to be over, and refuses to join beside one that is alive:
/// the two would throw each other out of the group. `false`: shut down meanwhile.
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
                "a worker of this group.instance.id was alive a moment ago: waiting until its session is over"
            ),
            Some(known) if until > known => {
                return Err(WorkerError::Config(format!(
                    "worker {worker_id} is running with the group.instance.id {instance_id:?} of this one, and the two would \
                     throw each other out of the group: give every worker a name of its own, or stop the other one"
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

/// Refuses a topic that is bound to something else (rule 9). Each acquisition of a shard checks again, after init. Returns whether
/// anything was ever written to it.
pub(super) async fn check_contract(
    log: Arc<KafkaLog>,
    contract: Contract,
    shards: ShardCount,
) -> Result<bool, WorkerError> {
    let topic = log.offsets_topic().to_owned();
    let check = move |reader: &mut ShardReader| -> Result<bool, WorkerError> {
        (0..shards.get()).map(ShardId).try_fold(false, |begun, shard| {
            let (end, found) = patiently(|| first_contract(reader, shard))?;
            if let Some(found) = found {
                let checked = contract.check(&found);
                checked.map_err(|error| WorkerError::Config(format!("topic {topic}: {error}")))?;
            }
            Ok(begun || end > 0)
        })
    };
    blocking(Part::Worker, move || log.with_reader(check)).await
}

/// Tries again for a while: a topic that was made just now has no leaders yet.
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

pub(super) fn unavailable(error: LogError) -> WorkerError {
    error.into()
}

/// The end of a shard, and the first contract in it: its first transaction left one, and one that said less was written
/// again later.
fn first_contract(reader: &mut impl OffsetReader, shard: ShardId) -> Result<(i64, Option<Vec<u8>>), LogError> {
    let bounds = reader.bounds(shard)?;
    if bounds.start >= bounds.end {
        return Ok((bounds.end, None));
    }
    reader.seek(shard, bounds.start)?;
    let began = Instant::now();
    // A transaction may be open on the shard: then its acquisition checks.
    while reader.position()? < bounds.end && began.elapsed() < FIRST_RECORD_TIMEOUT {
        if let Some(record) = reader.poll()?
            && record.key == CONTRACT_KEY
        {
            return Ok((bounds.end, record.value));
        }
    }
    Ok((bounds.end, None))
}
