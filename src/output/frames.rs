//! The frames output: one record for each frame of a fragment, as a decoder takes it.
//!
//! **Contract.** The key is the stream's name, the value `schemas/frame.avsc` with the data last; the records of a fragment are
//! in decode order, in the fragment's transaction. Which frames are chosen, and what their records say of the record before,
//! follows from the fragment and from what is stored with the stream's offset ([`FrameProgress`]), so that a crash changes
//! nothing. A frame that cannot be converted fails the stream by name, or is left out and counted with
//! `errors.tolerance=all`.

use std::fmt;
use std::sync::Arc;

use apache_avro::serde::bytes_opt;
use kvs_client::Fragment;
use kvs_frames::{Frame, FrameError, FrameOptions, FrameSample, Frames as FragmentFrames, SampleState};
use kvs_mkv::Payload;
use serde::Serialize;

use super::fields::{FrameClock, long};
use super::fragments::{Fragments, RECORD_OVERHEAD_BYTES};
use super::framing::{EncodeError, Framing, SchemaError, SchemaWriter};
use super::kind::{Origin, Output, OutputKind, OutputSchemas, OutputSettings, OutputTopic};
use super::schema::FRAME;
use super::sequenced::{Sequenced, write_long};
use super::timestamp::TimestampPolicy;
use crate::config::ConnectorConfig;
use crate::config::connector::ErrorsTolerance;
use crate::config::connector::frames::FramesConfig;
use crate::kafka::TopicFacts;
use crate::kafka::topics::TopicPlan;
use crate::model::{
    FrameProgress, OnRefused, OutputId, Publication, Record, RecordOutput, SequencePrefix, TrackProgress,
};
use crate::telemetry;

/// The room in front of a value for header and sequences.
const HEADROOM_BYTES: usize = 64;

/// The kind of outputs for frames.
pub(super) struct Frames;

impl OutputKind for Frames {
    fn id(&self) -> OutputId {
        OutputId::FRAMES
    }

    fn on_refused(&self) -> OnRefused {
        OnRefused::FailStream
    }

    fn topic_plan(&self, name: &str, settings: &OutputSettings<'_>) -> TopicPlan {
        let mut plan = Fragments.topic_plan(name, settings);
        plan.settings.name = "frames.topic";
        plan
    }

    fn schemas(&self, _connector: &ConnectorConfig) -> OutputSchemas {
        // Keys are the names of streams, as text. JSON cannot contain the data.
        OutputSchemas { key: None, value: Some(&FRAME) }
    }

    fn open(
        &self,
        connector: &ConnectorConfig,
        topic: OutputTopic,
        framing: Framing,
        facts: &TopicFacts,
    ) -> Result<Arc<dyn Output>, SchemaError> {
        static VALUE: SchemaWriter = SchemaWriter::new();
        let value = Sequenced::of_frames(&VALUE, framing, &FRAME)?;
        // Only connectors with the topic have the output.
        let FramesConfig { options, sample, .. } = connector.frames.clone().unwrap_or_default();
        Ok(Arc::new(FrameOutput {
            topic,
            value: Arc::new(value),
            timestamps: TimestampPolicy::new(connector.record_timestamp, facts),
            options,
            sample,
            skips: connector.errors_tolerance == ErrorsTolerance::All,
            frame_max_size_bytes: connector.fragment_max_size_bytes() + RECORD_OVERHEAD_BYTES / 2,
        }))
    }
}

/// The output of a connector's frames.
struct FrameOutput {
    topic: OutputTopic,
    value: Arc<Sequenced>,
    timestamps: TimestampPolicy,
    options: FrameOptions,
    sample: FrameSample,
    /// Whether a frame that cannot be converted is left out.
    skips: bool,
    frame_max_size_bytes: usize,
}

/// The fields of a frame's record between the sequences and the data.
#[derive(Serialize)]
struct FrameFields<'a> {
    stream_name: &'a str,
    fragment_number: &'a str,
    frame_index: i64,
    track: i64,
    track_name: Option<&'a str>,
    kind: &'a str,
    codec: &'a str,
    format: &'a str,
    media_type: Option<&'a str>,
    key: bool,
    random_access: bool,
    discontinuity: bool,
    pts_ns: i64,
    utc: Option<i64>,
    duration_ns: Option<i64>,
    width: Option<i64>,
    height: Option<i64>,
    config_id: String,
    #[serde(with = "bytes_opt")]
    config: Option<&'a [u8]>,
}

/// A frame that cannot be converted, with what to do.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0}; frames.format=mkv writes frames as they are stored, frames.tracks chooses other tracks, and errors.tolerance=all leaves \
     out what cannot be converted"
)]
struct Unconvertible(#[source] FrameError);

/// What is written in front of a frame's value when the fragment's sequence is known.
struct FramePrefix {
    value: Arc<Sequenced>,
    /// How many fragments before this one the record before belongs to; `None`: there is none.
    back: Option<u64>,
}

impl fmt::Debug for FramePrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FramePrefix").field("back", &self.back).finish_non_exhaustive()
    }
}

impl SequencePrefix for FramePrefix {
    fn prefix(&self, sequence: i64) -> Vec<u8> {
        let mut prefix = self.value.prefix(sequence);
        let previous = self.back.and_then(|back| sequence.checked_sub(long(back))).filter(|previous| *previous >= 0);
        // The branch of the union, then the number.
        match previous {
            None => write_long(&mut prefix, 0),
            Some(previous) => {
                write_long(&mut prefix, 1);
                write_long(&mut prefix, previous);
            }
        }
        prefix
    }
}

/// The tracks of a fragment while its frames are published.
struct Tracks {
    tracks: Vec<Track>,
}

struct Track {
    number: u64,
    sample: SampleState,
    discontinuity: bool,
    /// Whether a frame of this fragment has been published.
    has_begun: bool,
}

impl Tracks {
    /// Returns the tracks as they were left, `discontinuity`: and as they begin anew.
    fn of(progress: &FrameProgress, fragment: &Fragment, discontinuity: bool) -> Self {
        let mut tracks: Vec<Track> = Vec::new();
        for track in &*fragment.tracks {
            if tracks.iter().any(|known| known.number == track.number) {
                continue;
            }
            let kept = progress.tracks.iter().find(|kept| kept.track == track.number);
            let sample = kept.and_then(|kept| kept.sample).map(SampleState::from_integers).unwrap_or_default();
            let discontinuity = discontinuity || kept.is_some_and(|kept| kept.discontinuity);
            tracks.push(Track { number: track.number, sample, discontinuity, has_begun: false });
        }
        Self { tracks }
    }

    fn get(&mut self, number: u64) -> Option<&mut Track> {
        self.tracks.iter_mut().find(|track| track.number == number)
    }

    /// Returns what has to be remembered.
    fn progress(self) -> Vec<TrackProgress> {
        let first = SampleState::default();
        let remembered = self.tracks.into_iter().map(|Track { number, sample, discontinuity, .. }| {
            let sample = (sample != first).then(|| sample.to_integers());
            TrackProgress { track: number, sample, discontinuity }
        });
        remembered.filter(|track| track.sample.is_some() || track.discontinuity).collect()
    }
}

impl FrameOutput {
    fn record(
        &self,
        origin: &Origin<'_>,
        partition: i32,
        timestamp_ms: i64,
        (value, back): (Payload, Option<u64>),
        fragment_number: &str,
    ) -> Record {
        Record {
            output: Some(self.of_record()),
            topic: Arc::clone(&self.topic.name),
            partition,
            key: origin.stream_name.as_bytes().to_vec(),
            value: Some(value),
            headers: vec![
                ("kvs.stream", origin.stream_name.to_owned()),
                ("kvs.fragment.number", fragment_number.to_owned()),
                ("content-type", self.value.content_type().to_owned()),
            ],
            timestamp_ms: Some(timestamp_ms),
            sequence: Some(Arc::new(FramePrefix { value: Arc::clone(&self.value), back })),
        }
    }

    /// Returns a frame's value without the sequences, with room for them.
    fn value(&self, fields: &FrameFields<'_>, data: &[u8]) -> Result<Payload, EncodeError> {
        let mut value = Vec::with_capacity(HEADROOM_BYTES + 512 + data.len());
        value.resize(HEADROOM_BYTES, 0);
        self.value.append("the frame", &mut value, fields)?;
        write_long(&mut value, long(data.len() as u64));
        value.extend_from_slice(data);
        Ok(Payload::with_headroom(value, HEADROOM_BYTES))
    }
}

impl Output for FrameOutput {
    fn of_record(&self) -> RecordOutput {
        RecordOutput { id: Frames.id(), on_refused: Frames.on_refused() }
    }

    fn topic(&self) -> &OutputTopic {
        &self.topic
    }

    fn project(
        &self,
        origin: &Origin<'_>,
        partition: i32,
        fragment: &mut Fragment,
        _content_type: &str,
        publication: &mut Publication,
    ) -> Result<(), EncodeError> {
        let Some(offset) = &mut publication.offset else { return Ok(()) };
        // Without frames of the stream in this topic, or with a hole of unknown length after them, it begins anew.
        let kept = offset.frames.take().filter(|kept| *kept.topic == *self.topic.name);
        let discontinuity = origin.discontinuity || kept.is_none();
        let progress = kept.unwrap_or_default();
        let mut tracks = Tracks::of(&progress, fragment, discontinuity);
        let clock = FrameClock::of(fragment);
        let millis = self.timestamps.time_of(origin, fragment).millis;
        let number = fragment.number.as_str();
        let mut back = progress.fragments_since.map(|since| since + 1);
        let (mut published, mut skipped) = (false, 0_u64);
        for frame in FragmentFrames::new(fragment, &self.options).iter() {
            let Some(track) = tracks.get(frame.track().number) else { continue };
            let utc = clock.utc_micros(Some(frame.pts_ns));
            let time_ns = utc.and_then(|utc| utc.checked_mul(1_000)).unwrap_or(frame.pts_ns);
            if !self.sample.selects(&mut track.sample, frame.random_access, time_ns) {
                continue;
            }
            let data = match frame.data(self.frame_max_size_bytes) {
                Ok(data) => data,
                Err(error) if self.skips => {
                    skipped += 1;
                    if skipped == 1 {
                        let stream = &origin.key.stream;
                        tracing::warn!(%stream, fragment_number = %number, %error, "a frame is left out (errors.tolerance is all)");
                    }
                    continue;
                }
                Err(error) => {
                    return Err(EncodeError {
                        what: "a frame for frames.topic",
                        source: Box::new(Unconvertible(error)),
                    });
                }
            };
            let fields = fields(origin, number, &frame, track, utc);
            let value = self.value(&fields, &data)?;
            publication.records.push(self.record(origin, partition, millis, (value, back), number));
            (track.has_begun, track.discontinuity) = (true, false);
            (published, back) = (true, Some(0));
        }
        if skipped > 0 {
            telemetry::frames_skipped(origin.key, skipped);
        }
        let fragments_since = if published { Some(0) } else { progress.fragments_since.map(|since| since + 1) };
        let topic = self.topic.name.to_string();
        offset.frames = Some(FrameProgress { topic, fragments_since, tracks: tracks.progress() });
        Ok(())
    }
}

fn fields<'a>(
    origin: &Origin<'a>,
    fragment_number: &'a str,
    frame: &Frame<'a>,
    state: &Track,
    utc: Option<i64>,
) -> FrameFields<'a> {
    let track = frame.track();
    let needs_config = !state.has_begun || (frame.key && track.kind == kvs_mkv::TrackKind::Video);
    FrameFields {
        stream_name: origin.stream_name,
        fragment_number,
        frame_index: long(frame.index as u64),
        track: long(track.number),
        track_name: track.name.as_deref(),
        kind: track.kind.name(),
        codec: frame.codec(),
        format: frame.format(),
        media_type: frame.media_type(),
        key: frame.key,
        random_access: frame.random_access,
        discontinuity: state.discontinuity,
        pts_ns: frame.pts_ns,
        utc,
        duration_ns: frame.duration_ns.map(long),
        width: frame.width().map(long),
        height: frame.height().map(long),
        config_id: frame.config_id().to_string(),
        config: frame.config().filter(|_| needs_config),
    }
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
