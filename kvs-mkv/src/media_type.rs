//! What a track's frames really are, as a media type.

use std::borrow::Cow;

use crate::tag::{Tag, TagValue};
use crate::track::{Track, TrackKind};

/// The tag in which Amazon Connect says what the frames of its tracks are.
const MIME_TYPE: &str = "MimeType";

/// The longest media type that is taken from a tag, in bytes.
const TAG_MAX_BYTES: usize = 255;

/// Media types of codec ids that mean one thing.
const BY_CODEC_ID: [(&str, &str); 18] = [
    ("V_MPEG4/ISO/AVC", "video/H264"),
    ("V_MPEGH/ISO/HEVC", "video/H265"),
    ("V_VP8", "video/VP8"),
    ("V_VP9", "video/VP9"),
    ("V_AV1", "video/AV1"),
    ("V_MPEG4/ISO/ASP", "video/MP4V-ES"),
    ("V_MJPEG", "image/jpeg"),
    ("V_FFV1", "video/FFV1"),
    ("A_AAC", "audio/AAC"),
    ("A_OPUS", "audio/opus"),
    ("A_VORBIS", "audio/vorbis"),
    ("A_FLAC", "audio/flac"),
    ("A_AC3", "audio/ac3"),
    ("A_EAC3", "audio/eac3"),
    ("A_MPEG/L1", "audio/mpeg"),
    ("A_MPEG/L2", "audio/mpeg"),
    ("A_MPEG/L3", "audio/mpeg"),
    ("S_TEXT/WEBVTT", "text/vtt"),
];

/// Returns the media type of a track's frames, `video/H264`; `None` if it is not certain.
///
/// A tag `MimeType` overrides what the track declares: Amazon Connect declares `A_AAC`, while the tag says
/// `audio/L16;rate=8000;channels=1;`, and the frames are 16-bit samples, little-endian in spite of the name. Of several
/// such tags the one counts that names the track by its UID; one that names no track counts for audio tracks, if it is an
/// `audio/` type. The tag's text is returned as it is, without surrounding white space.
///
/// Otherwise the codec id decides: H.264, H.265, VP8, VP9, AV1, MPEG-4 part 2, JPEG, FFV1, AAC, Opus, Vorbis, FLAC, AC-3,
/// E-AC-3, MPEG audio, WebVTT; `A_PCM/INT/BIG` of 16 or 24 bits is `audio/L16` or `audio/L24` with rate and channels;
/// `A_MS/ACM` is `audio/PCMA` or `audio/PCMU`, if the codec private data say so. Little-endian PCM has no media type.
pub fn media_type<'a>(track: &Track, tags: impl IntoIterator<Item = Tag<'a>>) -> Option<Cow<'a, str>> {
    let mut of_fragment = None;
    for tag in tags {
        let (MIME_TYPE, TagValue::Text(text)) = (&*tag.name, tag.value) else { continue };
        match tag.track_uid {
            Some(uid) if uid == track.uid => {
                if let Some(found) = valid(text) {
                    return Some(found);
                }
            }
            None if track.kind == TrackKind::Audio => {
                let audio = valid(text).filter(|text| has_prefix(text, "audio/"));
                of_fragment = audio.or(of_fragment);
            }
            _ => {}
        }
    }
    of_fragment.or_else(|| of_codec(track))
}

fn has_prefix(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Returns a tag's text if it is `type/subtype`, with or without parameters.
fn valid(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let trimmed = text.trim();
    let (kind, rest) = trimmed.split_once('/')?;
    let subtype = rest.split(';').next().unwrap_or_default().trim_end();
    // Characters of a token (RFC 9110, 5.6.2) that media types have.
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let printable = trimmed.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if trimmed.len() > TAG_MAX_BYTES || !printable || !is_token(kind) || !is_token(subtype) {
        return None;
    }
    Some(if trimmed.len() == text.len() { text } else { Cow::Owned(trimmed.to_owned()) })
}

fn of_codec(track: &Track) -> Option<Cow<'static, str>> {
    if let Some((_, media_type)) = BY_CODEC_ID.iter().find(|(codec_id, _)| *codec_id == track.codec_id) {
        return Some(Cow::Borrowed(media_type));
    }
    match track.codec_id.as_str() {
        "A_PCM/INT/BIG" => {
            let audio = track.audio?;
            let bits = audio.bit_depth.filter(|bits| matches!(bits, 16 | 24))?;
            with_parameters(&format!("audio/L{bits}"), rate_of(audio.sampling_frequency_hz)?, audio.channels)
        }
        // The codec private data are a WAVEFORMATEX: format, channels, samples per second, …
        "A_MS/ACM" => {
            let [f0, f1, c0, c1, r0, r1, r2, r3] = *track.codec_private.as_deref()?.first_chunk::<8>()?;
            let name = match u16::from_le_bytes([f0, f1]) {
                6 => "audio/PCMA",
                7 => "audio/PCMU",
                _ => return None,
            };
            let channels = u64::from(u16::from_le_bytes([c0, c1]));
            with_parameters(name, u64::from(u32::from_le_bytes([r0, r1, r2, r3])), channels)
        }
        _ => None,
    }
}

fn with_parameters(name: &str, rate: u64, channels: u64) -> Option<Cow<'static, str>> {
    Some(Cow::Owned(format!("{name};rate={rate};channels={channels}")))
}

/// Returns a sampling frequency in hertz as the whole number that a media type needs.
fn rate_of(frequency_hz: f64) -> Option<u64> {
    let is_rate = frequency_hz >= 1.0 && frequency_hz <= f64::from(u32::MAX) && frequency_hz.fract() == 0.0;
    // Exact, because of the check.
    is_rate.then_some(frequency_hz as u64)
}

#[cfg(test)]
#[path = "media_type_tests.rs"]
mod tests;
