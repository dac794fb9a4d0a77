//! The outputs of one stream, with which its task turns fragments into publications.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use kvs_client::PulledFragment;

use super::framing::EncodeError;
use super::kind::{Origin, Output, Outputs};
use super::notification::Notification;
use crate::kafka::TopicUnusable;
use crate::model::{DataPartition, OffsetKey, Publication, Record, StoredOffset, partition_for};

/// The content type that GetMedia sends if it does not name one.
const DEFAULT_CONTENT_TYPE: &str = "video/x-matroska";

/// The outputs of one stream, each with the partition of its topic for the stream's records.
pub struct StreamOutputs {
    outputs: Vec<(Arc<dyn Output>, i32)>,
    key: Arc<OffsetKey>,
    stream_name: String,
}

impl StreamOutputs {
    /// Creates the outputs of a stream. Its partition in a topic is the one stored with its offset, or else one by the
    /// current number of partitions: a stream keeps its order when partitions are added.
    ///
    /// # Errors
    /// When a partition accepts no records at the moment.
    pub fn new(
        outputs: &Outputs,
        key: Arc<OffsetKey>,
        stream_name: &str,
        position: Option<&StoredOffset>,
    ) -> Result<Self, TopicUnusable> {
        let with_partition = |output: &Arc<dyn Output>| {
            if output.of_record().may_be_dropped() {
                return Ok((Arc::clone(output), 0));
            }
            let topic = output.topic();
            let partition = match position.and_then(|position| position.partition_in(&topic.name)) {
                Some(kept) => kept,
                None => partition_for(stream_name.as_bytes(), topic.partitions.count()?),
            };
            topic.partitions.available(partition)?;
            Ok((Arc::clone(output), partition))
        };
        let outputs = outputs.iter().map(with_partition).collect::<Result<_, _>>()?;
        Ok(Self { outputs, key, stream_name: stream_name.to_owned() })
    }

    /// Returns the partitions of the stream's records, one per topic.
    pub fn data_partitions(&self) -> Vec<DataPartition> {
        let needed = self.outputs.iter().filter(|(output, _)| !output.of_record().may_be_dropped());
        let entry = |topic: &str, partition: i32| DataPartition { topic: topic.to_owned(), partition };
        needed.map(|(output, partition)| entry(&output.topic().name, *partition)).collect()
    }

    /// Returns the publication of a fragment: its records for every output, and the offset that is committed with them.
    /// With `ingest_time`, records get their ingest time whatever is configured.
    ///
    /// # Errors
    /// When the fragment cannot be encoded.
    pub fn publication(
        &self,
        pulled: PulledFragment,
        stream_arn: Option<&str>,
        ingest_time: bool,
    ) -> Result<Publication, EncodeError> {
        let PulledFragment { mut fragment, permit, content_type, discontinuity, continuity, .. } = pulled;
        let mut publication = Publication {
            key: Arc::clone(&self.key),
            offset: Some(StoredOffset {
                continuation_token: fragment.continuation_token.as_deref().map(str::to_owned),
                fragment_number: fragment.number.clone(),
                server_timestamp: fragment.server_timestamp,
                producer_timestamp: fragment.producer_timestamp,
                sequence: None,
                data_partitions: self.data_partitions(),
                continuity,
            }),
            records: Vec::new(),
            notifications: Vec::new(),
            size_bytes: fragment.payload.len(),
            received: Instant::now(),
            permit: Box::new(permit),
        };
        let content_type = content_type.as_deref().unwrap_or(DEFAULT_CONTENT_TYPE);
        let (key, stream_name, now_ms) = (&self.key, self.stream_name.as_str(), now_ms());
        let origin = Origin { key, stream_name, stream_arn, now_ms, ingest_time, discontinuity };
        for (output, partition) in &self.outputs {
            output.project(&origin, *partition, &mut fragment, content_type, &mut publication)?;
        }
        Ok(publication)
    }
}

impl Outputs {
    /// Returns the records of a notification about the stream.
    ///
    /// # Errors
    /// When the notification cannot be encoded.
    pub fn notify(
        &self,
        key: &Arc<OffsetKey>,
        stream_name: &str,
        stream_arn: Option<&str>,
        notification: &Notification<'_>,
    ) -> Result<Vec<Record>, EncodeError> {
        let origin =
            Origin { key, stream_name, stream_arn, now_ms: now_ms(), ingest_time: false, discontinuity: false };
        let records = self.iter().map(|output| output.notify(&origin, notification));
        records.filter_map(Result::transpose).collect()
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}
