//! The outputs of one stream, with which its task turns fragments into publications.

use std::any::Any;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use kvs_client::{Fragment, FragmentNumber, PulledFragment};
use kvs_mkv::Continuity;

use super::framing::EncodeError;
use super::kind::{Origin, Output, Outputs};
use super::notification::Notification;
use crate::kafka::TopicUnusable;
use crate::model::{
    DataPartition, FrameProgress, OffsetKey, OutputId, Publication, Record, StoredOffset, partition_for,
};

/// The content type that GetMedia sends if it does not name one.
const DEFAULT_CONTENT_TYPE: &str = "video/x-matroska";

/// A fragment with what is known of it.
pub(super) struct Arrived {
    pub(super) fragment: Fragment,
    /// The response's content type.
    pub(super) content_type: Option<String>,
    /// Whether it does not continue the fragment before it.
    pub(super) discontinuity: bool,
    /// What the next one is compared with.
    pub(super) continuity: Continuity,
    /// Its memory.
    pub(super) permit: Box<dyn Any + Send>,
}

/// The outputs of one stream, each with the partition of its topic for the stream's records.
pub struct StreamOutputs {
    outputs: Vec<(Arc<dyn Output>, i32)>,
    key: Arc<OffsetKey>,
    stream_name: String,
    /// What the frames output has to remember after the last fragment.
    frames: Option<FrameProgress>,
    /// The highest number so far: what the service repeats below it changes nothing.
    last_number: Option<FragmentNumber>,
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
        let outputs: Vec<(Arc<dyn Output>, i32)> = outputs.iter().map(with_partition).collect::<Result<_, _>>()?;
        let frames = frames_of(&outputs, position);
        Ok(Self {
            outputs,
            key,
            stream_name: stream_name.to_owned(),
            frames,
            last_number: position.map(|position| position.fragment_number.clone()),
        })
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
        &mut self,
        pulled: PulledFragment,
        stream_arn: Option<&str>,
        ingest_time: bool,
    ) -> Result<Publication, EncodeError> {
        let PulledFragment { fragment, permit, content_type, discontinuity, continuity, .. } = pulled;
        let arrived = Arrived { fragment, content_type, discontinuity, continuity, permit: Box::new(permit) };
        self.project(arrived, stream_arn, ingest_time)
    }

    /// Returns the publication of a fragment, whatever it came from.
    pub(super) fn project(
        &mut self,
        arrived: Arrived,
        stream_arn: Option<&str>,
        ingest_time: bool,
    ) -> Result<Publication, EncodeError> {
        let Arrived { mut fragment, content_type, discontinuity, continuity, permit } = arrived;
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
                frames: self.frames.clone(),
            }),
            records: Vec::new(),
            notifications: Vec::new(),
            size_bytes: fragment.payload.len(),
            received: Instant::now(),
            permit,
        };
        let content_type = content_type.as_deref().unwrap_or(DEFAULT_CONTENT_TYPE);
        let (key, stream_name, now_ms) = (&self.key, self.stream_name.as_str(), now_ms());
        let origin = Origin { key, stream_name, stream_arn, now_ms, ingest_time, discontinuity };
        for (output, partition) in &self.outputs {
            output.project(&origin, *partition, &mut fragment, content_type, &mut publication)?;
        }
        let is_repeated = self.last_number.as_ref().is_some_and(|last| fragment.number <= *last);
        if !is_repeated {
            self.frames = publication.offset.as_ref().and_then(|offset| offset.frames.clone());
            self.last_number = Some(fragment.number);
        }
        Ok(publication)
    }

    /// Returns what the frames output has to remember after the last fragment.
    pub(crate) fn frames(&self) -> Option<FrameProgress> {
        self.frames.clone()
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

/// Returns what the frames output has to remember. Without such an output it forgets: fragments are published without frames.
fn frames_of(outputs: &[(Arc<dyn Output>, i32)], position: Option<&StoredOffset>) -> Option<FrameProgress> {
    let has_frames = outputs.iter().any(|(output, _)| output.of_record().id == OutputId::FRAMES);
    position.and_then(|position| position.frames.clone()).filter(|_| has_frames)
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}
