//! The outputs of one stream, with which its task turns fragments into publications.

use std::any::Any;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use kvs_client::{Fragment, FragmentNumber, PulledFragment, StreamPosition};
use kvs_mkv::Continuity;

use super::dead_letter::DeadLetter;
use super::error::ProjectError;
use super::framing::EncodeError;
use super::kind::{Origin, Projected, RefusedSizes, SkippedFrames};
use super::notification::Notification;
use super::partitions::StreamPartitions;
use super::payloads::{Payloads, Placed};
use super::placement::Placement;
use super::route::{Outputs, Route};
use super::tracks::{Part, labels, parts_by_track, reduced};
use crate::kafka::TopicUnusable;
use crate::model::{DataPartition, FrameProgress, OffsetKey, OutputId, Publication, Record, StoredOffset};

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

impl From<PulledFragment> for Arrived {
    fn from(pulled: PulledFragment) -> Self {
        let PulledFragment { fragment, permit, content_type, discontinuity, continuity, .. } = pulled;
        Self { fragment, content_type, discontinuity, continuity, permit: Box::new(permit) }
    }
}

/// A fragment that is not published, with the reason.
pub struct Unpublished {
    /// The reason.
    pub error: ProjectError,
    arrived: Box<Arrived>,
}

impl Unpublished {
    /// Returns the fragment.
    pub fn fragment(&self) -> &Fragment {
        &self.arrived.fragment
    }

    /// Returns the fragment's memory, which is to be kept until what is known of the fragment has been committed.
    pub fn take_permit(&mut self) -> Box<dyn Any + Send> {
        std::mem::replace(&mut self.arrived.permit, Box::new(()))
    }

    /// Returns the media type of the fragment.
    pub fn content_type(&self) -> &str {
        self.arrived.content_type.as_deref().unwrap_or(DEFAULT_CONTENT_TYPE)
    }

    /// Returns what the stream's offset has of the fragment once it has been skipped.
    pub fn continuity(&self) -> Continuity {
        Continuity { interrupted: true, ..self.arrived.continuity }
    }
}

/// What fragments are published with, beside themselves.
#[derive(Debug, Clone, Copy, Default)]
pub struct PublishedWith<'a> {
    /// The stream's ARN, once it is known.
    pub stream_arn: Option<&'a str>,
    /// Whether records get their ingest time whatever is configured.
    pub ingest_time: bool,
    /// Record sizes that topics have refused lately.
    pub refused_sizes: Option<&'a RefusedSizes>,
}

/// The outputs of one stream, each with the partition of its topic for the stream's records.
pub struct StreamOutputs {
    outputs: Outputs,
    key: Arc<OffsetKey>,
    stream_name: String,
    partitions: StreamPartitions,
    /// What the frames output has to remember after the last fragment.
    frames: Option<FrameProgress>,
    /// The highest number so far: what the service repeats below it changes nothing.
    last_number: Option<FragmentNumber>,
    /// Whether the last fragment was skipped here, which the puller does not know.
    has_skipped: bool,
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
        let has_templates = outputs.routes().iter().any(|route| matches!(route, Route::Named(_)));
        let mut partitions = StreamPartitions::new(stream_name, position, has_templates);
        for output in outputs.fixed().filter(|output| !output.of_record().may_be_dropped()) {
            if output.keeps_partition(false) {
                partitions.fixed(output.topic())?;
            }
        }
        // Without such an output it forgets: fragments are published without frames.
        let frames = position.and_then(|position| position.frames.clone()).filter(|_| outputs.has(OutputId::FRAMES));
        Ok(Self {
            outputs: outputs.clone(),
            key,
            stream_name: stream_name.to_owned(),
            partitions,
            frames,
            last_number: position.map(|position| position.fragment_number.clone()),
            has_skipped: false,
        })
    }

    /// Returns the offset after a fragment with this position.
    pub fn offset_after(&self, position: StreamPosition) -> StoredOffset {
        self.offset(position, self.partitions.stored())
    }

    fn offset(&self, position: StreamPosition, data_partitions: Vec<DataPartition>) -> StoredOffset {
        StoredOffset {
            continuation_token: position.continuation_token,
            fragment_number: position.fragment_number,
            server_timestamp: position.server_timestamp,
            producer_timestamp: position.producer_timestamp,
            sequence: None,
            data_partitions,
            continuity: position.continuity,
            frames: self.frames.clone(),
        }
    }

    /// Returns the publication of a fragment: its records for every output, and the offset that is committed with them.
    ///
    /// # Errors
    /// The fragment, with the reason why it cannot be published.
    pub async fn publication(
        &mut self,
        pulled: PulledFragment,
        with: PublishedWith<'_>,
    ) -> Result<Publication, Unpublished> {
        self.project(pulled.into(), with).await
    }

    /// Returns the publication of a fragment, whatever it came from.
    pub(super) async fn project(
        &mut self,
        mut arrived: Arrived,
        with: PublishedWith<'_>,
    ) -> Result<Publication, Unpublished> {
        let mut publication = self.empty_publication(&arrived);
        if let Err(error) = self.add_records(&mut arrived, with, &mut publication).await {
            return Err(Unpublished { error, arrived: Box::new(arrived) });
        }
        publication.permit = arrived.permit;
        if let Some(offset) = &mut publication.offset {
            offset.data_partitions = self.partitions.stored();
        }
        if self.is_next(&arrived.fragment.number) {
            self.frames = publication.offset.as_ref().and_then(|offset| offset.frames.clone());
            self.last_number = Some(arrived.fragment.number);
            self.has_skipped = false;
        }
        Ok(publication)
    }

    fn is_next(&self, number: &FragmentNumber) -> bool {
        self.last_number.as_ref().is_none_or(|last| number > last)
    }

    fn empty_publication(&self, arrived: &Arrived) -> Publication {
        let fragment = &arrived.fragment;
        let position = StreamPosition { continuity: arrived.continuity, ..StreamPosition::after(fragment) };
        Publication {
            // The partitions are known when the records are.
            offset: Some(self.offset(position, Vec::new())),
            size_bytes: fragment.payload.len(),
            received: Instant::now(),
            ..Publication::of_notifications(Arc::clone(&self.key), Vec::new())
        }
    }

    async fn add_records(
        &mut self,
        arrived: &mut Arrived,
        with: PublishedWith<'_>,
        publication: &mut Publication,
    ) -> Result<(), ProjectError> {
        let (key, stream_name, outputs) = (Arc::clone(&self.key), self.stream_name.clone(), self.outputs.clone());
        let content_type = arrived.content_type.clone();
        let content_type = content_type.as_deref().unwrap_or(DEFAULT_CONTENT_TYPE);
        let mut origin = Origin::new(&key, &stream_name, now_ms());
        (origin.stream_arn, origin.ingest_time) = (with.stream_arn, with.ingest_time);
        origin.discontinuity = arrived.discontinuity || self.has_skipped;
        if let Some(refused_sizes) = with.refused_sizes {
            origin.refused_sizes = refused_sizes;
        }
        if let Some(routing) = outputs.chosen_tracks()
            && let Some(reduced) = reduced(&arrived.fragment, routing)?
        {
            arrived.fragment = reduced;
        }
        let routes = outputs.routes();
        if outputs.has(OutputId::FRAMES)
            && let Some(frames) = publication.offset.as_mut().and_then(|offset| offset.frames.as_mut())
        {
            frames.count_fragment();
        }
        let splits = routes.iter().any(|route| route.is_per_track() && route.id() != OutputId::FRAMES);
        let mut parts = if splits { parts_by_track(&arrived.fragment)? } else { Vec::new() };
        let mut placed = None;
        if let Some(payloads) = outputs.payloads() {
            for Part { label, fragment, placed } in &mut parts {
                let origin = Origin { track: Some(label), ..origin };
                *placed = Some(self.place(payloads, &origin, fragment).await?);
            }
            if !splits {
                placed = Some(self.place(payloads, &origin, &mut arrived.fragment).await?);
            }
        }
        let mut skipped = None;
        for route in routes {
            if !route.is_per_track() {
                let to = (route, content_type, &placed);
                let left_out = self.publish(to, &origin, &mut arrived.fragment, publication).await?;
                merge(&mut skipped, left_out);
            } else if route.id() == OutputId::FRAMES {
                // Frames are chosen by their track, in the whole fragment, whose index they refer to.
                for label in labels(&arrived.fragment) {
                    let (to, origin) = ((route, content_type, &placed), Origin { track: Some(&label), ..origin });
                    let left_out = self.publish(to, &origin, &mut arrived.fragment, publication).await?;
                    merge(&mut skipped, left_out);
                }
            } else if parts.is_empty() {
                // Says that there are no tracks.
                route.output(&origin, &arrived.fragment).await?;
            } else {
                for Part { label, fragment, placed } in &mut parts {
                    let (to, origin) = ((route, content_type, &*placed), Origin { track: Some(label), ..origin });
                    merge(&mut skipped, self.publish(to, &origin, fragment, publication).await?);
                }
            }
        }
        if let Some(skipped) = skipped {
            self.report_frames(&origin, arrived, &skipped, publication)?;
        }
        Ok(())
    }

    /// Puts the payload of a fragment, or of its part of one track, where it belongs.
    async fn place(
        &mut self,
        payloads: &Payloads,
        origin: &Origin<'_>,
        fragment: &mut Fragment,
    ) -> Result<Placed, ProjectError> {
        let outputs = self.outputs.clone();
        let mut chunks: Option<(Arc<str>, i32)> = None;
        for route in outputs.routes().iter().filter(|route| route.id() == OutputId::CHUNKS) {
            let output = route.output(origin, fragment).await?;
            chunks = Some((Arc::clone(&output.topic().name), self.partitions.in_topic(output.topic())?));
        }
        let chunks = chunks.as_ref().map(|(topic, partition)| (&**topic, *partition));
        payloads.place(fragment, origin.stream_name, origin.track, chunks).await
    }

    /// Adds the records of a fragment, or of its part of one track, for one topic of an output.
    async fn publish(
        &mut self,
        (route, content_type, placed): (&Route, &str, &Option<Placed>),
        origin: &Origin<'_>,
        fragment: &mut Fragment,
        publication: &mut Publication,
    ) -> Result<Projected, ProjectError> {
        let output = route.output(origin, fragment).await?;
        let is_needed = !output.of_record().may_be_dropped();
        let keeps = is_needed && output.keeps_partition(origin.track.is_some());
        let partition = if keeps { self.partitions.in_topic(output.topic())? } else { 0 };
        if let Route::Named(_) = route {
            self.outputs.note_written(&self.key, &output.topic().name);
        }
        let (origin, first) =
            (Origin { placement: placement(placed, route.id()), ..*origin }, publication.records.len());
        let projected = output.project(&origin, partition, fragment, content_type, publication)?;
        if let (OutputId::FRAGMENTS, Some(payloads), Some(placed)) = (route.id(), self.outputs.payloads(), placed)
            && let Some(record) = publication.records.get_mut(first)
        {
            payloads.back(placed, record).await?;
        }
        Ok(projected)
    }

    /// Adds the dead letter of frames that were left out.
    fn report_frames(
        &mut self,
        origin: &Origin<'_>,
        arrived: &Arrived,
        skipped: &SkippedFrames,
        publication: &mut Publication,
    ) -> Result<(), ProjectError> {
        let reason = match skipped.count {
            1 => skipped.reason.clone(),
            count => format!("{count} frames cannot be converted; the first: {}", skipped.reason),
        };
        let fragment = &arrived.fragment;
        let letter = DeadLetter {
            stage: "frames",
            reason: &reason,
            number: &fragment.number,
            server_timestamp: fragment.server_timestamp,
            producer_timestamp: fragment.producer_timestamp,
            bytes: &skipped.data,
            size_bytes: Some(skipped.data.len() as u64),
            content_type: "application/octet-stream",
        };
        publication.records.extend(self.dead_letters(origin, &letter)?);
        Ok(())
    }

    fn dead_letters(&mut self, origin: &Origin<'_>, letter: &DeadLetter<'_>) -> Result<Vec<Record>, ProjectError> {
        let mut records = Vec::new();
        for output in self.outputs.clone().fixed().filter(|output| output.of_record().id == OutputId::DEAD_LETTERS) {
            let partition = self.partitions.in_topic(output.topic())?;
            records.extend(output.dead_letter(origin, partition, letter));
        }
        Ok(records)
    }

    /// Returns the records that say that a fragment is skipped: none if there is no topic for dead letters.
    ///
    /// # Errors
    /// When the topic accepts no records at the moment.
    pub fn dead_letter(
        &mut self,
        letter: &DeadLetter<'_>,
        stream_arn: Option<&str>,
    ) -> Result<Vec<Record>, ProjectError> {
        let (key, stream_name) = (Arc::clone(&self.key), self.stream_name.clone());
        let origin = Origin { stream_arn, ..Origin::new(&key, &stream_name, now_ms()) };
        let records = self.dead_letters(&origin, letter)?;
        if self.is_next(letter.number) {
            self.last_number = Some(letter.number.clone());
            self.has_skipped = true;
        }
        Ok(records)
    }

    /// Returns the topic of dead letters, if there is one.
    pub fn dead_letter_topic(&self) -> Option<Arc<str>> {
        let mut fixed = self.outputs.fixed();
        let output = fixed.find(|output| output.of_record().id == OutputId::DEAD_LETTERS)?;
        Some(Arc::clone(&output.topic().name))
    }
}

/// Returns where an output's records say that the payload is.
fn placement(placed: &Option<Placed>, output: OutputId) -> &Placement {
    static INLINE: Placement = Placement::INLINE;
    match placed {
        None => &INLINE,
        Some(placed) if output == OutputId::FRAGMENTS => &placed.fragment,
        Some(placed) => &placed.metadata,
    }
}

fn merge(skipped: &mut Option<SkippedFrames>, projected: Projected) {
    match (&mut *skipped, projected.skipped_frames) {
        (Some(all), Some(more)) => all.count += more.count,
        (None, Some(first)) => *skipped = Some(first),
        (_, None) => {}
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
        let origin = Origin { stream_arn, ..Origin::new(key, stream_name, now_ms()) };
        let records = self.fixed().map(|output| output.notify(&origin, notification));
        records.filter_map(Result::transpose).collect()
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}
