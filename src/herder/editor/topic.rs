//! The connectors' own offsets topics.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::shards::EditedShards;
use crate::config::WorkerConfig;
use crate::herder::error::OffsetsTopicError;
use crate::kafka::storage_topics::{LOSES_OFFSETS, MissingOffsetsTopic, StorageTopic};
use crate::kafka::{KafkaLog, Topics};
use crate::model::{Contract, ShardCount};

/// Opens and creates connectors' own offsets topics.
pub(in crate::herder) struct OwnTopics {
    /// The worker's log, whose client settings apply to all topics.
    workers: Arc<KafkaLog>,
    config: Arc<WorkerConfig>,
    contract: Contract,
    /// Created when it is first needed.
    topics: OnceCell<Topics>,
}

impl OwnTopics {
    pub(super) fn new(workers: Arc<KafkaLog>, config: Arc<WorkerConfig>, contract: Contract) -> Self {
        Self { workers, config, contract, topics: OnceCell::new() }
    }

    async fn topics(&self) -> Result<&Topics, OffsetsTopicError> {
        Ok(self.topics.get_or_try_init(async || Topics::new(self.workers.settings())).await?)
    }

    /// Returns the shards of a topic that exists.
    ///
    /// # Errors
    /// When the topic does not exist, or cannot be looked up.
    pub(in crate::herder) async fn open(&self, topic: &str) -> Result<EditedShards, OffsetsTopicError> {
        let found = self.topics().await?.partitions(topic).await?.and_then(ShardCount::new);
        let count = found.ok_or_else(|| MissingOffsetsTopic { topic: topic.to_owned() })?;
        Ok(self.shards(topic, count))
    }

    /// Returns the shards of a topic, which is created if it does not exist.
    ///
    /// # Errors
    /// When the topic cannot be looked up or created, or is not compacted.
    pub(in crate::herder) async fn ensure(&self, topic: &str) -> Result<EditedShards, OffsetsTopicError> {
        let plan = StorageTopic {
            name: topic,
            setting: "offsets.storage.topic",
            partitions: self.config.shards.get(),
            partitions_setting: Some("offset.storage.partitions"),
            replication_factor: self.config.offsets_replication_factor,
            replication_factor_setting: "offset.storage.replication.factor",
            loses: LOSES_OFFSETS,
        };
        // A topic always has at least one partition.
        let count = ShardCount::new(plan.ensure(self.topics().await?).await?).unwrap_or(self.config.shards);
        Ok(self.shards(topic, count))
    }

    fn shards(&self, topic: &str, count: ShardCount) -> EditedShards {
        EditedShards {
            topic: Some(topic.to_owned()),
            log: Arc::new(KafkaLog::new(self.workers.settings().on_topic(topic))),
            contract: self.contract.with_partitions(count),
            count,
        }
    }
}
