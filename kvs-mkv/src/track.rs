//! Tracks: what the frames of a fragment contain.

mod audio;
mod encoding;
mod video;

use crate::ebml::{self, Children};
use crate::elements::id;
use crate::error::{Error, ErrorKind};
use crate::limits::{LimitKind, Limits};

pub use audio::AudioSettings;
pub use encoding::{CompressionAlgorithm, ContentEncoding, ContentTransform};
pub use video::{Colour, DisplayUnit, PixelCrop, VideoSettings};

/// The kind of media in a track (RFC 9559, TrackType).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrackKind {
    /// Moving pictures.
    Video,
    /// Sound.
    Audio,
    /// Text or pictures shown over the video.
    Subtitle,
    /// Timed data.
    Metadata,
    /// Any other value of TrackType.
    Other(u64),
}

impl TrackKind {
    fn from_value(value: u64) -> Self {
        match value {
            1 => Self::Video,
            2 => Self::Audio,
            17 => Self::Subtitle,
            33 => Self::Metadata,
            other => Self::Other(other),
        }
    }

    /// Returns the value of TrackType.
    pub fn value(self) -> u64 {
        match self {
            Self::Video => 1,
            Self::Audio => 2,
            Self::Subtitle => 17,
            Self::Metadata => 33,
            Self::Other(value) => value,
        }
    }

    /// Returns `video`, `audio`, `subtitle`, `metadata` or `other`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Subtitle => "subtitle",
            Self::Metadata => "metadata",
            Self::Other(_) => "other",
        }
    }
}

/// One entry of the Tracks element.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Track {
    /// The track's number, to which [`Frame::track`](crate::Frame::track) refers.
    pub number: u64,
    /// The track's UID, to which tags refer.
    pub uid: u64,
    /// The kind of media in the track.
    pub kind: TrackKind,
    /// Codec id such as `V_MPEG4/ISO/AVC`, as the producer declares it. Amazon Connect declares PCM as `A_AAC`.
    pub codec_id: String,
    /// Initialization data that a decoder needs before the first frame.
    pub codec_private: Option<Vec<u8>>,
    /// Human-readable name of the track.
    pub name: Option<String>,
    /// Language of the track; a BCP 47 tag takes precedence over an ISO 639-2 code.
    pub language: Option<String>,
    /// Duration of each frame, in nanoseconds.
    pub default_duration_ns: Option<u64>,
    /// Settings of a video track.
    pub video: Option<VideoSettings>,
    /// Settings of an audio track.
    pub audio: Option<AudioSettings>,
    /// How much a decoder puts out that is not to be played, in nanoseconds; to be subtracted from the frames' times.
    pub codec_delay_ns: Option<u64>,
    /// How much a decoder has to decode before a point that is sought, in nanoseconds.
    pub seek_pre_roll_ns: Option<u64>,
    /// What has been done to the data and has to be undone before a decoder, in the order of the track.
    pub content_encodings: Vec<ContentEncoding>,
}

impl Track {
    /// Creates a track with this number, as its UID too, and this kind and codec. Everything else is unset.
    pub fn new(number: u64, kind: TrackKind, codec_id: &str) -> Self {
        Self {
            number,
            uid: number,
            kind,
            codec_id: codec_id.to_owned(),
            codec_private: None,
            name: None,
            language: None,
            default_duration_ns: None,
            video: None,
            audio: None,
            codec_delay_ns: None,
            seek_pre_roll_ns: None,
            content_encodings: Vec::new(),
        }
    }
}

/// Reads the content of a Tracks element. `offset` is the content's offset in the stream.
pub(crate) fn read_tracks(content: &[u8], offset: u64, limits: &Limits) -> Result<Vec<Track>, Error> {
    let mut tracks = Vec::new();
    let mut children = Children::new(content, id::TRACKS, offset);
    while let Some(child) = children.next()? {
        if child.id != id::TRACK_ENTRY {
            continue;
        }
        let entry_offset = offset + child.content_at as u64;
        if tracks.len() >= limits.tracks {
            let kind = ErrorKind::TooLarge {
                what: LimitKind::Tracks,
                actual: tracks.len() as u64 + 1,
                limit: limits.tracks as u64,
            };
            return Err(Error::new(kind, id::TRACK_ENTRY, entry_offset));
        }
        tracks.push(read_entry(child.content, entry_offset, limits)?);
    }
    Ok(tracks)
}

fn read_entry(content: &[u8], offset: u64, limits: &Limits) -> Result<Track, Error> {
    let mut track = Track::new(0, TrackKind::Other(0), "");
    let mut bcp47 = false;
    let mut children = Children::new(content, id::TRACK_ENTRY, offset);
    while let Some(child) = children.next()? {
        let child_offset = offset + child.content_at as u64;
        let bad = || Error::new(ErrorKind::BadContent, child.id, child_offset);
        let uint = || ebml::read_uint(child.content).ok_or_else(bad);
        match child.id {
            id::TRACK_NUMBER => track.number = uint()?,
            id::TRACK_UID => track.uid = uint()?,
            id::TRACK_TYPE => track.kind = TrackKind::from_value(uint()?),
            id::CODEC_ID => track.codec_id = text(child.content),
            id::CODEC_PRIVATE => track.codec_private = Some(child.content.to_vec()),
            id::TRACK_NAME => track.name = Some(text(child.content)),
            id::LANGUAGE if !bcp47 => track.language = Some(text(child.content)),
            id::LANGUAGE_BCP47 => {
                bcp47 = true;
                track.language = Some(text(child.content));
            }
            id::DEFAULT_DURATION => track.default_duration_ns = Some(uint()?),
            id::CODEC_DELAY => track.codec_delay_ns = Some(uint()?),
            id::SEEK_PRE_ROLL => track.seek_pre_roll_ns = Some(uint()?),
            id::CONTENT_ENCODINGS => {
                track.content_encodings = encoding::read_encodings(child.content, child_offset, limits)?;
            }
            id::VIDEO => track.video = Some(video::read_video(child.content, child_offset)?),
            id::AUDIO => track.audio = Some(audio::read_audio(child.content, child_offset)?),
            _ => {}
        }
    }
    Ok(track)
}

fn text(content: &[u8]) -> String {
    String::from_utf8_lossy(ebml::trim_string(content)).into_owned()
}

#[cfg(test)]
#[path = "track_tests.rs"]
mod tests;
