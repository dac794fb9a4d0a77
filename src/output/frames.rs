//! The frames output: one record for each frame of a fragment, as a decoder takes it.
//!
//! **Contract.** The key is the stream's name, the value `schemas/frame.avsc` with the data last, or without it, in Avro or as JSON;
//! the records of a fragment are in decode order, in the fragment's transaction. Which frames are chosen, and what their
//! records say of the record before, follows from the fragment and from what is stored with the stream's offset
//! ([`FrameProgress`]), so that a crash changes nothing. Where the topic is one of a track, each track counts for itself. A frame
//! that cannot be converted fails the stream by name, or is left out and counted with `errors.tolerance=all`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use apache_avro::serde::bytes_opt;
use kvs_client::Fragment;
use kvs_frames::{Frame, FrameError, FrameOptions, FrameSample, Frames as FragmentFrames, SampleState};
use kvs_mkv::Payload;
use serde::Serialize;

use super::envelope::{Envelope, RecordParts};
use super::error::ProjectError;
use super::fields::{FrameClock, long};
use super::form::RecordForm;
use super::fragments::{RECORD_OVERHEAD_BYTES, data_topic_plan};
use super::framing::{EncodeError, Framing, SchemaError, SchemaWriter};
use super::headers::{RecordFrame, track_label};
use super::kind::{Origin, Output, OutputKind, OutputSchemas, OutputSettings, OutputTopic, Projected, SkippedFrames};
use super::schema::FRAME;
use super::sequenced::{Sequenced, write_long};
use super::timestamp::TimestampPolicy;
use crate::config::ConnectorConfig;
use crate::config::connector::ErrorsTolerance;
use crate::kafka::TopicFacts;
use crate::kafka::topics::TopicPlan;
use crate::model::{
    FrameProgress, KeyFormat, OnRefused, OutputId, PayloadMode, Publication, RecordOutput, SequencePrefix,
    TrackProgress, ValueFormat,
};
use crate::telemetry;

/// The maximum number of other tracks that are remembered.
const TRACKS_MAX: usize = 64;

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
        // Whatever happens to payloads of fragments.
        let has_data = payload_mode(settings.connector) == PayloadMode::Inline;
        let data_bytes = if has_data { settings.connector.fragment_max_size_bytes() } else { 0 };
        let size_bytes = data_bytes + RECORD_OVERHEAD_BYTES;
        data_topic_plan(("frames.topic", name), settings.connector, size_bytes)
    }

    fn schemas(&self, connector: &ConnectorConfig) -> OutputSchemas {
        // Keys are the names of streams, as text.
        OutputSchemas { key: None, value: (format(connector) == ValueFormat::Avro).then_some(&FRAME) }
    }

    fn open(
        &self,
        connector: &ConnectorConfig,
        topic: OutputTopic,
        framing: Framing,
        facts: &TopicFacts,
    ) -> Result<Arc<dyn Output>, SchemaError> {
        static VALUE: SchemaWriter = SchemaWriter::new();
        let value = Sequenced::of_frames(&VALUE, format(connector), framing, &FRAME)?;
        let output = RecordOutput { id: self.id(), on_refused: self.on_refused() };
        let form = RecordForm { keys: KeyFormat::Text, ..RecordForm::of(connector) };
        let frames = connector.frames.as_ref();
        Ok(Arc::new(FrameOutput {
            envelope: Envelope::new(output, topic, (form, framing), (value, &FRAME))?,
            topic_setting: frames.map_or_else(String::new, |frames| frames.topic.text().to_owned()),
            timestamps: TimestampPolicy::new(connector.record_timestamp, facts),
            options: frames.map_or_else(FrameOptions::default, |frames| frames.options.clone()),
            sample: frames.map_or_else(FrameSample::default, |frames| frames.sample),
            payload_mode: payload_mode(connector),
            skips: connector.errors_tolerance == ErrorsTolerance::All,
            frame_max_size_bytes: connector.fragment_max_size_bytes() + RECORD_OVERHEAD_BYTES / 2,
        }))
    }
}

/// Returns whether frames are in their records.
fn payload_mode(connector: &ConnectorConfig) -> PayloadMode {
    connector.frames.as_ref().map_or(PayloadMode::Inline, |frames| frames.payload_mode)
}

/// Returns the format of the values: JSON cannot contain frames.
fn format(connector: &ConnectorConfig) -> ValueFormat {
    match payload_mode(connector) {
        PayloadMode::None => connector.value_format,
        _ => ValueFormat::Avro,
    }
}

/// The output of a connector's frames.
struct FrameOutput {
    envelope: Envelope,
    /// The topic as the settings name it, which may be a template.
    topic_setting: String,
    timestamps: TimestampPolicy,
    options: FrameOptions,
    sample: FrameSample,
    /// Inline, or none.
    payload_mode: PayloadMode,
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
    payload_mode: &'static str,
    size_bytes: Option<i64>,
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
        match (self.value.format(), previous) {
            (ValueFormat::Json, None) => prefix.extend_from_slice(b"\"previous_sequence\":null,"),
            (ValueFormat::Json, Some(previous)) => {
                prefix.extend_from_slice(format!("\"previous_sequence\":{previous},").as_bytes());
            }
            // The branch of the union, then the number.
            (ValueFormat::Avro, None) => write_long(&mut prefix, 0),
            (ValueFormat::Avro, Some(previous)) => {
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
    /// What is remembered of other tracks.
    others: Vec<TrackProgress>,
}

struct Track {
    number: u64,
    sample: SampleState,
    discontinuity: bool,
    /// Whether a frame of this fragment has been published.
    has_begun: bool,
    /// Fragments since the last one with a frame, where each track counts for itself.
    since: Option<u64>,
}

impl Tracks {
    /// Returns the tracks as they were left, `discontinuity`: and as they begin anew; of these only the one that `label` names.
    fn of(progress: &FrameProgress, fragment: &Fragment, discontinuity: bool, label: Option<&str>) -> Self {
        let mut tracks: Vec<Track> = Vec::new();
        let is_ours = |track: &kvs_mkv::Track| label.is_none_or(|label| track_label(track) == label);
        for track in fragment.tracks.iter().filter(|track| is_ours(track)) {
            if tracks.iter().any(|known| known.number == track.number) {
                continue;
            }
            let kept = progress.tracks.iter().find(|kept| kept.track == track.number);
            let sample = kept.and_then(|kept| kept.sample).map(SampleState::from_integers).unwrap_or_default();
            let since = kept.and_then(|kept| kept.fragments_since).filter(|_| label.is_some());
            let begins = label.is_some() && since.is_none();
            let discontinuity = discontinuity || begins || kept.is_some_and(|kept| kept.discontinuity);
            tracks.push(Track { number: track.number, sample, discontinuity, has_begun: false, since });
        }
        let is_other = |kept: &&TrackProgress| !tracks.iter().any(|track| track.number == kept.track);
        let others = progress.tracks.iter().filter(is_other).filter(|_| label.is_some());
        Self { others: others.take(TRACKS_MAX).copied().collect(), tracks }
    }

    fn get(&mut self, number: u64) -> Option<&mut Track> {
        self.tracks.iter_mut().find(|track| track.number == number)
    }

    /// Returns what has to be remembered.
    fn progress(self) -> Vec<TrackProgress> {
        let first = SampleState::default();
        let remembered = self.tracks.into_iter().map(|Track { number, sample, discontinuity, since, .. }| {
            let sample = (sample != first).then(|| sample.to_integers());
            TrackProgress { track: number, sample, discontinuity, fragments_since: since }
        });
        let remembered =
            remembered.filter(|track| track.sample.is_some() || track.discontinuity || track.fragments_since.is_some());
        remembered.chain(self.others).collect()
    }
}

impl FrameOutput {
    /// Returns a frame's value without the sequences, with room for them.
    fn value(&self, fields: &FrameFields<'_>, data: &[u8]) -> Result<Payload, EncodeError> {
        let mut value = Vec::with_capacity(HEADROOM_BYTES + 512 + data.len());
        value.resize(HEADROOM_BYTES, 0);
        self.envelope.append("the frame", &mut value, fields)?;
        if self.envelope.format() == Some(ValueFormat::Avro) {
            write_long(&mut value, long(data.len() as u64));
            value.extend_from_slice(data);
        }
        Ok(Payload::with_headroom(value, HEADROOM_BYTES))
    }

    /// Returns what a frame's record has as data; empty: frames are left out.
    fn data<'a>(&self, frame: &Frame<'a>) -> Result<Cow<'a, [u8]>, FrameError> {
        match self.payload_mode {
            PayloadMode::None => Ok(Cow::Borrowed(&[])),
            _ => frame.data(self.frame_max_size_bytes),
        }
    }

    /// Returns the fields of a frame's record, without its size.
    fn fields<'a>(
        &self,
        origin: &Origin<'a>,
        fragment_number: &'a str,
        frame: &Frame<'a>,
        state: &Track,
        utc: Option<i64>,
    ) -> FrameFields<'a> {
        let track = frame.track();
        let begins = !state.has_begun || (frame.key && track.kind == kvs_mkv::TrackKind::Video);
        let has_config = begins && self.payload_mode == PayloadMode::Inline;
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
            config: frame.config().filter(|_| has_config),
            payload_mode: self.payload_mode.name(),
            size_bytes: None,
        }
    }
}

impl Output for FrameOutput {
    fn of_record(&self) -> RecordOutput {
        self.envelope.output()
    }

    fn topic(&self) -> &OutputTopic {
        &self.envelope.topic
    }

    fn keeps_partition(&self, _of_track: bool) -> bool {
        self.envelope.keeps_partition(true)
    }

    fn project(
        &self,
        origin: &Origin<'_>,
        partition: i32,
        fragment: &mut Fragment,
        _content_type: &str,
        publication: &mut Publication,
    ) -> Result<Projected, ProjectError> {
        let Some(offset) = &mut publication.offset else { return Ok(Projected::default()) };
        // Without frames of the stream in this topic, or with a hole of unknown length after them, it begins anew.
        let kept = offset.frames.take().filter(|kept| kept.topic == self.topic_setting);
        let discontinuity = origin.discontinuity || kept.is_none();
        let progress = kept.unwrap_or_default();
        let mut tracks = Tracks::of(&progress, fragment, discontinuity, origin.track);
        let clock = FrameClock::of(fragment);
        let millis = self.timestamps.time_of(origin, fragment).millis;
        let number = fragment.number.as_str();
        let headers = self.envelope.headers.of_fragment(origin, fragment, None);
        let mut back = progress.fragments_since;
        let (mut published, mut skipped) = (false, None::<SkippedFrames>);
        for frame in FragmentFrames::new(fragment, &self.options).iter() {
            let Some(track) = tracks.get(frame.track().number) else { continue };
            let utc = clock.utc_micros(Some(frame.pts_ns));
            let time_ns = utc.and_then(|utc| utc.checked_mul(1_000)).unwrap_or(frame.pts_ns);
            if !self.sample.selects(&mut track.sample, frame.random_access, time_ns) {
                continue;
            }
            let data = match self.data(&frame) {
                Ok(data) => data,
                Err(error) if self.skips => {
                    match &mut skipped {
                        Some(skipped) => skipped.count += 1,
                        None => {
                            let stream = &origin.key.stream;
                            tracing::warn!(%stream, fragment_number = %number, %error, "a frame is left out (errors.tolerance is all)");
                            let stored = fragment.frames.get(frame.index).map(|frame| fragment.frame_data(frame));
                            let data = stored.unwrap_or_default().to_vec();
                            skipped = Some(SkippedFrames { count: 1, reason: error.to_string(), data });
                        }
                    }
                    continue;
                }
                Err(error) => {
                    let what = "a frame for frames.topic";
                    return Err(EncodeError { what, source: Box::new(Unconvertible(error)) }.into());
                }
            };
            let size_bytes = fragment.frames.get(frame.index).map(|frame| long(frame.size_bytes as u64));
            let fields = FrameFields { size_bytes, ..self.fields(origin, number, &frame, track, utc) };
            let frame_of = RecordFrame { index: frame.index, track: frame.track(), utc_micros: utc };
            let before = if origin.track.is_some() { track.since } else { back };
            let parts = RecordParts {
                timestamp_ms: millis,
                headers: headers.of_record(Some(frame_of)),
                value: self.value(&fields, &data)?,
                sequence: self.envelope.sequenced().map(|value| Arc::new(FramePrefix { value, back: before }) as _),
            };
            let (key, label) = (origin.stream_name.as_bytes().to_vec(), track_label(frame.track()));
            let record = self.envelope.record_with_key(origin, partition, key, Some(&label), parts)?;
            publication.records.push(record);
            (track.has_begun, track.discontinuity) = (true, false);
            if origin.track.is_some() {
                track.since = Some(0);
            }
            (published, back) = (true, Some(0));
        }
        if let Some(skipped) = &skipped {
            telemetry::frames_skipped(origin.key, skipped.count);
        }
        let fragments_since = if published { Some(0) } else { progress.fragments_since };
        let fragments_since = fragments_since.filter(|_| origin.track.is_none());
        let topic = self.topic_setting.clone();
        if let Some(offset) = &mut publication.offset {
            offset.frames = Some(FrameProgress { topic, fragments_since, tracks: tracks.progress() });
        }
        Ok(Projected { skipped_frames: skipped })
    }
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
