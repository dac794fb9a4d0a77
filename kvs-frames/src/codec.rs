//! How the frames of a track are coded.

use kvs_mkv::{Track, media_type};

/// A codec, by the name that FFmpeg and its bindings have for it, except that H.265 is `h265`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names say it")]
pub enum Codec {
    H264,
    H265,
    Vp8,
    Vp9,
    Av1,
    Mpeg4,
    Mjpeg,
    Ffv1,
    Aac,
    Opus,
    Vorbis,
    Flac,
    Ac3,
    Eac3,
    Mp2,
    Mp3,
    PcmS16Le,
    PcmS16Be,
    PcmS24Le,
    PcmS24Be,
    PcmS32Le,
    PcmS32Be,
    PcmF32Le,
    PcmALaw,
    PcmMuLaw,
    /// Any other: its codec id tells.
    Other,
}

/// Codecs of codec ids that mean one codec.
const BY_CODEC_ID: [(&str, Codec); 16] = [
    ("V_MPEG4/ISO/AVC", Codec::H264),
    ("V_MPEGH/ISO/HEVC", Codec::H265),
    ("V_VP8", Codec::Vp8),
    ("V_VP9", Codec::Vp9),
    ("V_AV1", Codec::Av1),
    ("V_MPEG4/ISO/ASP", Codec::Mpeg4),
    ("V_MJPEG", Codec::Mjpeg),
    ("V_FFV1", Codec::Ffv1),
    ("A_AAC", Codec::Aac),
    ("A_OPUS", Codec::Opus),
    ("A_VORBIS", Codec::Vorbis),
    ("A_FLAC", Codec::Flac),
    ("A_AC3", Codec::Ac3),
    ("A_EAC3", Codec::Eac3),
    ("A_MPEG/L2", Codec::Mp2),
    ("A_MPEG/L3", Codec::Mp3),
];

/// Codecs of media types that a tag may give in contradiction to the codec id.
const BY_MEDIA_TYPE: [(&str, Codec); 8] = [
    // Amazon Connect's, the one that is known to use such a tag, is little-endian, in spite of RFC 2586.
    ("audio/l16", Codec::PcmS16Le),
    ("audio/pcma", Codec::PcmALaw),
    ("audio/pcmu", Codec::PcmMuLaw),
    ("audio/aac", Codec::Aac),
    ("audio/opus", Codec::Opus),
    ("audio/flac", Codec::Flac),
    ("video/h264", Codec::H264),
    ("video/h265", Codec::H265),
];

impl Codec {
    /// Returns the codec of a track whose frames are of this media type, as
    /// [`Fragment::media_type`](kvs_mkv::Fragment::media_type) has it, and whether it contradicts the track's codec id.
    pub(crate) fn of(track: &Track, true_type: Option<&str>) -> (Self, bool) {
        let declared = Self::of_codec_id(track);
        if media_type(track, []).as_deref() == true_type {
            return (declared, false);
        }
        let essence = true_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
        let found = BY_MEDIA_TYPE.iter().find(|(name, _)| name.eq_ignore_ascii_case(essence)).map(|(_, codec)| *codec);
        match found {
            // Samples that the codec id describes in more detail.
            Some(Self::PcmS16Le) if track.codec_id.starts_with("A_PCM/") => (declared, false),
            Some(codec) => (codec, codec != declared),
            None => (declared, false),
        }
    }

    fn of_codec_id(track: &Track) -> Self {
        if let Some((_, codec)) = BY_CODEC_ID.iter().find(|(codec_id, _)| *codec_id == track.codec_id) {
            return *codec;
        }
        let bit_depth = track.audio.and_then(|audio| audio.bit_depth);
        match (track.codec_id.as_str(), bit_depth) {
            (codec_id, _) if codec_id.starts_with("A_AAC/") => Self::Aac,
            ("A_PCM/INT/LIT", Some(16)) => Self::PcmS16Le,
            ("A_PCM/INT/LIT", Some(24)) => Self::PcmS24Le,
            ("A_PCM/INT/LIT", Some(32)) => Self::PcmS32Le,
            ("A_PCM/INT/BIG", Some(16)) => Self::PcmS16Be,
            ("A_PCM/INT/BIG", Some(24)) => Self::PcmS24Be,
            ("A_PCM/INT/BIG", Some(32)) => Self::PcmS32Be,
            ("A_PCM/FLOAT/IEEE", Some(32)) => Self::PcmF32Le,
            // The codec private data is a WAVEFORMATEX, which begins with the format.
            ("A_MS/ACM", _) => match track.codec_private.as_deref().and_then(<[u8]>::first_chunk::<2>) {
                Some([6, 0]) => Self::PcmALaw,
                Some([7, 0]) => Self::PcmMuLaw,
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }

    /// Returns the codec's name: `h264`, `h265`, `aac`, `opus`, `pcm_s16le`, …; `None` for any other codec.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::H264 => "h264",
            Self::H265 => "h265",
            Self::Vp8 => "vp8",
            Self::Vp9 => "vp9",
            Self::Av1 => "av1",
            Self::Mpeg4 => "mpeg4",
            Self::Mjpeg => "mjpeg",
            Self::Ffv1 => "ffv1",
            Self::Aac => "aac",
            Self::Opus => "opus",
            Self::Vorbis => "vorbis",
            Self::Flac => "flac",
            Self::Ac3 => "ac3",
            Self::Eac3 => "eac3",
            Self::Mp2 => "mp2",
            Self::Mp3 => "mp3",
            Self::PcmS16Le => "pcm_s16le",
            Self::PcmS16Be => "pcm_s16be",
            Self::PcmS24Le => "pcm_s24le",
            Self::PcmS24Be => "pcm_s24be",
            Self::PcmS32Le => "pcm_s32le",
            Self::PcmS32Be => "pcm_s32be",
            Self::PcmF32Le => "pcm_f32le",
            Self::PcmALaw => "pcm_alaw",
            Self::PcmMuLaw => "pcm_mulaw",
            Self::Other => return None,
        })
    }
}
