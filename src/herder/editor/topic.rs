//! The connectors' own offsets topics.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::shards::EditedShards;
use crate::config::WorkerConfig;
use crate::herder::error::OffsetsTopicError;
use crate::kafka::storage_topics::{LOSES_OFFSETS, MissingOffsetsTopic, StorageTopic};
use crate::kafka::{KafkaLog, Topics};
use crate::model::{Contract, ShardCount, ShardLog};
use crate::shard::beginning::agreed_count;
use crate::supervision::{Part, blocking};

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
    /// When the topic does not exist, or cannot be looked up, or is not this group's.
    pub(in crate::herder) async fn open(&self, topic: &str) -> Result<EditedShards, OffsetsTopicError> {
        let found = self.topics().await?.partitions(topic).await?.and_then(ShardCount::new);
        let partitions = found.ok_or_else(|| MissingOffsetsTopic { topic: topic.to_owned() })?;
        self.shards(topic, partitions).await
    }

    /// Returns the shards of a topic, which is created if it does not exist.
    ///
    /// # Errors
    /// When the topic cannot be looked up or created, is not compacted, or is not this group's.
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
        let partitions = ShardCount::new(plan.ensure(self.topics().await?).await?).unwrap_or(self.config.shards);
        self.shards(topic, partitions).await
    }

    /// Returns the shards of a topic with this many partitions, some of which may have been added since it was begun.
    async fn shards(&self, topic: &str, partitions: ShardCount) -> Result<EditedShards, OffsetsTopicError> {
        let log = Arc::new(KafkaLog::new(self.workers.settings().on_topic(topic)));
        let (reads, ours) = (Arc::clone(&log), self.contract.clone());
        let read = move || reads.with_reader(|reader| agreed_count(reader, partitions, &ours));
        let agreed = blocking(Part::Request, read).await;
        let agreed = agreed
            .map_err(|source| OffsetsTopicError::NotAgreed { topic: topic.to_owned(), source: Box::new(source) })?;
        let count = agreed.unwrap_or(partitions);
        Ok(EditedShards { topic: Some(topic.to_owned()), log, contract: self.contract.with_partitions(count), count })
    }
}
