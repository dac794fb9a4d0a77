//! The frames of a fragment, and their data as a decoder takes it.

use std::borrow::Cow;

use kvs_mkv::{Fragment, Track, TrackKind};

use crate::adts::{self, Adts};
use crate::annex_b;
use crate::codec::Codec;
use crate::config_id::ConfigId;
use crate::encoding::{self, Step};
use crate::error::{FrameError, Problem};
use crate::format::{AudioFormat, FrameFormat};
use crate::nal::NalCodec;
use crate::parameter_sets::ParameterSets;
use crate::selection::TrackSelection;

/// The largest configuration that is read, in bytes: kvs-mkv's own limit of what precedes the first cluster.
const CONFIG_MAX_BYTES: usize = 1 << 20;

/// Which frames are wanted, and in which form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FrameOptions {
    /// The form of video frames.
    pub video: FrameFormat,
    /// The form of audio frames.
    pub audio: AudioFormat,
    /// The tracks whose frames are wanted; all by default.
    pub tracks: TrackSelection,
}

/// The frames of a fragment.
#[derive(Debug)]
pub struct Frames<'a> {
    fragment: &'a Fragment,
    plans: Vec<Plan<'a>>,
}

/// What is known of a track before its frames.
#[derive(Debug)]
struct Plan<'a> {
    track: &'a Track,
    media_type: Option<Cow<'a, str>>,
    codec: Codec,
    config: Option<Cow<'a, [u8]>>,
    config_id: ConfigId,
    steps: Result<Vec<Step<'a>>, Problem>,
    conversion: Result<Conversion, Problem>,
}

/// What is done with a frame's data once its encodings are undone.
#[derive(Debug, PartialEq, Eq)]
enum Conversion {
    Nothing,
    AnnexB(NalCodec, ParameterSets),
    /// `None` without a configuration: then the frames have to have headers.
    Adts(Option<Adts>),
    Samples {
        swapped: bool,
    },
}

/// One frame of a fragment.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Index of the frame in [`Fragment::frames`].
    pub index: usize,
    /// Presentation time in nanoseconds, by the cluster's clock, as in [`Fragment::frames`]. With B-frames it does not
    /// grow from frame to frame.
    pub pts_ns: i64,
    /// Duration in nanoseconds: the block's, otherwise the track's default.
    pub duration_ns: Option<u64>,
    /// Whether the container calls it a key frame.
    pub key: bool,
    /// Whether decoding of the track can begin here: at key frames of video, anywhere in audio.
    ///
    /// In an open group of H.265 or H.264, frames that follow a key frame and are shown before it need the group before: a
    /// decoder that begins at the key frame leaves them out.
    pub random_access: bool,
    fragment: &'a Fragment,
    plan: &'a Plan<'a>,
}

impl<'a> Frames<'a> {
    /// Prepares the frames of a fragment. What is wrong with a track is reported by its frames.
    pub fn new(fragment: &'a Fragment, options: &FrameOptions) -> Self {
        let mut plans: Vec<Plan<'a>> = Vec::new();
        for track in &*fragment.tracks {
            let is_first = plans.iter().all(|plan| plan.track.number != track.number);
            if is_first && options.tracks.contains(track) {
                plans.push(Plan::of(fragment, track, options));
            }
        }
        Self { fragment, plans }
    }

    /// Returns the wanted frames in the fragment's order, which is decode order. Frames of a track that the fragment does
    /// not declare are left out: nobody knows what they are.
    pub fn iter(&self) -> impl Iterator<Item = Frame<'_>> {
        self.fragment.frames.iter().enumerate().filter_map(|(index, frame)| {
            let plan = self.plans.iter().find(|plan| plan.track.number == frame.track)?;
            Some(Frame {
                index,
                pts_ns: frame.timestamp_ns,
                duration_ns: frame.duration_ns.or(plan.track.default_duration_ns),
                key: frame.key,
                random_access: frame.key || plan.track.kind == TrackKind::Audio,
                fragment: self.fragment,
                plan,
            })
        })
    }
}

impl<'a> Plan<'a> {
    fn of(fragment: &'a Fragment, track: &'a Track, options: &FrameOptions) -> Self {
        let media_type = fragment.media_type(track);
        let (codec, contradicted) = Codec::of(track, media_type.as_deref());
        // What is declared about another codec configures nothing.
        let stored = track.codec_private.as_deref().filter(|_| !contradicted);
        let config = stored.map(|stored| {
            let steps = encoding::steps(&track.content_encodings, |encoding| encoding.concerns_codec_private())?;
            encoding::undo(stored, &steps, CONFIG_MAX_BYTES)
        });
        let (config, problem) = match config.transpose() {
            Ok(config) => (config, None),
            Err(problem) => (None, Some(problem)),
        };
        let conversion = match problem {
            None => Conversion::of(track.kind, codec, config.as_deref(), options),
            Some(problem) => Err(problem),
        };
        let name = codec.name().unwrap_or(&track.codec_id);
        Self {
            track,
            media_type,
            codec,
            config_id: ConfigId::of(name, config.as_deref().unwrap_or_default()),
            config,
            steps: encoding::steps(&track.content_encodings, |encoding| encoding.concerns_frames()),
            conversion,
        }
    }
}

impl Conversion {
    fn of(kind: TrackKind, codec: Codec, config: Option<&[u8]>, options: &FrameOptions) -> Result<Self, Problem> {
        let annex_b =
            |codec| ParameterSets::read(config.unwrap_or_default(), codec).map(|sets| Self::AnnexB(codec, sets));
        match (kind, options.video, options.audio, codec) {
            (TrackKind::Video, FrameFormat::AnnexB, _, Codec::H264) => annex_b(NalCodec::H264),
            (TrackKind::Video, FrameFormat::AnnexB, _, Codec::H265) => annex_b(NalCodec::H265),
            (TrackKind::Audio, _, AudioFormat::Adts, Codec::Aac) => config.map(Adts::read).transpose().map(Self::Adts),
            (TrackKind::Audio, _, AudioFormat::Adts, Codec::PcmS16Le) => Ok(Self::Samples { swapped: false }),
            (TrackKind::Audio, _, AudioFormat::Adts, Codec::PcmS16Be) => Ok(Self::Samples { swapped: true }),
            _ => Ok(Self::Nothing),
        }
    }
}

impl<'a> Frame<'a> {
    /// Returns the frame's track.
    pub fn track(&self) -> &'a Track {
        self.plan.track
    }

    /// Returns the codec's short name, `h264`, or the track's codec id if the codec has none. Samples that are swapped are
    /// `pcm_s16le`.
    pub fn codec(&self) -> &'a str {
        if matches!(self.plan.conversion, Ok(Conversion::Samples { .. })) {
            return Codec::PcmS16Le.name().unwrap_or_default();
        }
        self.plan.codec.name().unwrap_or(&self.plan.track.codec_id)
    }

    /// Returns what the data is: `annexb`, `adts`, `pcm`, or `mkv` if it is as stored.
    pub fn format(&self) -> &'static str {
        match &self.plan.conversion {
            Ok(Conversion::AnnexB(..)) => "annexb",
            Ok(Conversion::Adts(_)) => "adts",
            Ok(Conversion::Samples { .. }) => "pcm",
            Ok(Conversion::Nothing) | Err(_) => "mkv",
        }
    }

    /// Returns the media type of the track's frames as they are stored; see [`Fragment::media_type`].
    pub fn media_type(&self) -> Option<&'a str> {
        self.plan.media_type.as_deref()
    }

    /// Returns the width of the coded picture, in pixels, of a video track.
    pub fn width(&self) -> Option<u64> {
        self.plan.track.video.map(|video| video.width)
    }

    /// Returns the height of the coded picture, in pixels, of a video track.
    pub fn height(&self) -> Option<u64> {
        self.plan.track.video.map(|video| video.height)
    }

    /// Returns what a decoder of frames in `mkv` form needs first: the track's codec private data, with content encodings
    /// undone; `None` if the track has none, or if a tag says that its codec is another one.
    ///
    /// Data in `annexb` or `adts` form needs none; a decoder that gets it nevertheless expects the data as stored.
    pub fn config(&self) -> Option<&'a [u8]> {
        self.plan.config.as_deref()
    }

    /// Returns the short name of codec and configuration.
    pub fn config_id(&self) -> ConfigId {
        self.plan.config_id
    }

    /// Returns the frame's data as the options want it, of at most `limit_bytes`. Data that need no change are borrowed;
    /// otherwise no more than a few times the larger of stored data and result is allocated.
    ///
    /// # Errors
    /// When the track's content encoding or codec private data, or the frame's own bytes, cannot be converted, or when the
    /// result would be larger than the limit.
    pub fn data(&self, limit_bytes: usize) -> Result<Cow<'a, [u8]>, FrameError> {
        self.convert(limit_bytes).map_err(|problem| FrameError {
            track: self.plan.track.number,
            index: self.index,
            problem,
        })
    }

    fn convert(&self, limit_bytes: usize) -> Result<Cow<'a, [u8]>, Problem> {
        let stored = self.fragment.frames.get(self.index).map_or(&[][..], |frame| self.fragment.frame_data(frame));
        let steps = self.plan.steps.as_ref().map_err(Clone::clone)?;
        let conversion = self.plan.conversion.as_ref().map_err(Clone::clone)?;
        let data = encoding::undo(stored, steps, limit_bytes)?;
        match conversion {
            Conversion::Nothing => Ok(data),
            Conversion::AnnexB(codec, sets) => annex_b::to_annex_b(data, sets, *codec, self.key, limit_bytes),
            Conversion::Adts(Some(header)) => header.with_header(data, limit_bytes),
            Conversion::Adts(None) if adts::has_header(&data) => Ok(data),
            Conversion::Adts(None) => Err(Problem::NoAdts { reason: "the track has no AudioSpecificConfig" }),
            Conversion::Samples { .. } if data.len() % 2 == 1 => Err(Problem::OddSamples { size_bytes: data.len() }),
            Conversion::Samples { swapped: false } => Ok(data),
            Conversion::Samples { swapped: true } => {
                let mut samples = data.into_owned();
                samples.chunks_exact_mut(2).for_each(|sample| sample.reverse());
                Ok(Cow::Owned(samples))
            }
        }
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
