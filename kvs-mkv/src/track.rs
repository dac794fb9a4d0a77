//! Tracks: what the frames of a fragment are.

use crate::ebml::{self, Children, id};
use crate::error::{Error, ErrorKind};
use crate::limits::Limits;

/// What a track carries (RFC 9559, TrackType).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
    /// Text or pictures to be shown over the video.
    Subtitle,
    /// Timed data.
    Metadata,
    /// Another value of TrackType.
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

    /// The value of TrackType.
    pub fn value(self) -> u64 {
        match self {
            Self::Video => 1,
            Self::Audio => 2,
            Self::Subtitle => 17,
            Self::Metadata => 33,
            Self::Other(value) => value,
        }
    }

    /// `video`, `audio`, `subtitle`, `metadata` or `other`.
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

/// Settings of a video track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VideoSettings {
    /// Width of the coded picture, in pixels.
    pub width: u64,
    /// Height of the coded picture, in pixels.
    pub height: u64,
}

/// Settings of an audio track.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AudioSettings {
    /// Samples a second; Matroska's default is 8000.
    pub sampling_frequency_hz: f64,
    /// Channels; Matroska's default is 1.
    pub channels: u64,
}

/// One entry of Tracks.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// The number that blocks refer to.
    pub number: u64,
    /// Unique id.
    pub uid: u64,
    /// What it carries.
    pub kind: TrackKind,
    /// Codec id, `V_MPEG4/ISO/AVC`. As the producer says; Amazon Connect says `A_AAC` over PCM.
    pub codec_id: String,
    /// What a decoder needs before the first frame.
    pub codec_private: Option<Vec<u8>>,
    /// Human-readable name.
    pub name: Option<String>,
    /// Language, when it is said (BCP 47 before ISO 639-2).
    pub language: Option<String>,
    /// Nanoseconds a frame takes, when it is said.
    pub default_duration_ns: Option<u64>,
    /// Settings of a video track, when they are said.
    pub video: Option<VideoSettings>,
    /// Settings of an audio track, when they are said.
    pub audio: Option<AudioSettings>,
}

impl Track {
    /// A track of this number and kind with nothing else said.
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
        }
    }
}

/// Reads the content of a Tracks element, which begins at `offset` of the stream.
pub(crate) fn read_tracks(content: &[u8], offset: u64, limits: &Limits) -> Result<Vec<Track>, Error> {
    let mut tracks = Vec::new();
    let mut children = Children::new(content, id::TRACKS, offset);
    while let Some(child) = children.next()? {
        if child.id != id::TRACK_ENTRY {
            continue;
        }
        let entry_offset = offset + child.content_at as u64;
        if tracks.len() >= limits.tracks {
            let kind =
                ErrorKind::TooLarge { what: "tracks", actual: tracks.len() as u64 + 1, limit: limits.tracks as u64 };
            return Err(Error::new(kind, id::TRACK_ENTRY, entry_offset));
        }
        tracks.push(read_entry(child.content, entry_offset)?);
    }
    Ok(tracks)
}

fn read_entry(content: &[u8], offset: u64) -> Result<Track, Error> {
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
            id::VIDEO => track.video = Some(read_video(child.content, child_offset)?),
            id::AUDIO => track.audio = Some(read_audio(child.content, child_offset)?),
            _ => {}
        }
    }
    Ok(track)
}

fn read_video(content: &[u8], offset: u64) -> Result<VideoSettings, Error> {
    let mut video = VideoSettings::default();
    let mut children = Children::new(content, id::VIDEO, offset);
    while let Some(child) = children.next()? {
        let field = match child.id {
            id::PIXEL_WIDTH => &mut video.width,
            id::PIXEL_HEIGHT => &mut video.height,
            _ => continue,
        };
        let bad = || Error::new(ErrorKind::BadContent, child.id, offset + child.content_at as u64);
        *field = ebml::read_uint(child.content).ok_or_else(bad)?;
    }
    Ok(video)
}

fn read_audio(content: &[u8], offset: u64) -> Result<AudioSettings, Error> {
    let mut audio = AudioSettings { sampling_frequency_hz: 8000.0, channels: 1 };
    let mut children = Children::new(content, id::AUDIO, offset);
    while let Some(child) = children.next()? {
        let bad = || Error::new(ErrorKind::BadContent, child.id, offset + child.content_at as u64);
        match child.id {
            id::SAMPLING_FREQUENCY => {
                audio.sampling_frequency_hz = ebml::read_float(child.content).ok_or_else(bad)?;
            }
            id::CHANNELS => audio.channels = ebml::read_uint(child.content).ok_or_else(bad)?,
            _ => {}
        }
    }
    Ok(audio)
}

fn text(content: &[u8]) -> String {
    String::from_utf8_lossy(ebml::trim_string(content)).into_owned()
}
