//! The record `Track` of `schemas/fragment.avsc` and `schemas/metadata.avsc`, which is the same in both.

use std::borrow::Cow;

use kvs_client::{Fragment, Track};
use kvs_mkv::{Colour, ContentEncoding, ContentTransform, PixelCrop};
use serde::Serialize;

use super::values::{bytes, long};

#[derive(Serialize)]
pub(super) struct TrackFields<'a> {
    number: i64,
    uid: i64,
    kind: &'a str,
    kind_value: i64,
    codec_id: &'a str,
    #[serde(serialize_with = "bytes")]
    codec_private: Option<Cow<'a, [u8]>>,
    name: Option<&'a str>,
    language: Option<&'a str>,
    default_duration_ns: Option<i64>,
    width: Option<i64>,
    height: Option<i64>,
    sampling_frequency_hz: Option<f64>,
    channels: Option<i64>,
    media_type: Option<Cow<'a, str>>,
    bit_depth: Option<i64>,
    output_sampling_frequency_hz: Option<f64>,
    codec_delay_ns: Option<i64>,
    seek_pre_roll_ns: Option<i64>,
    display_width: Option<i64>,
    display_height: Option<i64>,
    display_unit: Option<&'a str>,
    crop: Option<CropFields>,
    interlaced: Option<bool>,
    colour: Option<ColourFields>,
    content_encodings: Vec<EncodingFields<'a>>,
}

#[derive(Serialize)]
struct CropFields {
    top: i64,
    bottom: i64,
    left: i64,
    right: i64,
}

#[derive(Serialize)]
struct ColourFields {
    matrix_coefficients: Option<i64>,
    bits_per_channel: Option<i64>,
    range: Option<i64>,
    transfer_characteristics: Option<i64>,
    primaries: Option<i64>,
}

#[derive(Serialize)]
struct EncodingFields<'a> {
    order: i64,
    scope: i64,
    #[serde(rename = "type")]
    transform: &'a str,
    algorithm: &'a str,
    #[serde(serialize_with = "bytes")]
    settings: Option<Cow<'a, [u8]>>,
}

impl<'a> TrackFields<'a> {
    /// Returns the fields of a track of this fragment, whose tags may say what its frames are.
    pub(super) fn of(track: &'a Track, fragment: &'a Fragment) -> Self {
        let (video, audio) = (track.video, track.audio);
        Self {
            number: long(track.number),
            // The same bits: unique ids use all 64.
            uid: track.uid as i64,
            kind: track.kind.name(),
            kind_value: long(track.kind.value()),
            codec_id: &track.codec_id,
            codec_private: track.codec_private.as_deref().map(Cow::Borrowed),
            name: track.name.as_deref(),
            language: track.language.as_deref(),
            default_duration_ns: track.default_duration_ns.map(long),
            width: video.map(|video| long(video.width)),
            height: video.map(|video| long(video.height)),
            sampling_frequency_hz: audio.map(|audio| audio.sampling_frequency_hz),
            channels: audio.map(|audio| long(audio.channels)),
            media_type: fragment.media_type(track),
            bit_depth: audio.and_then(|audio| audio.bit_depth).map(long),
            output_sampling_frequency_hz: audio.and_then(|audio| audio.output_sampling_frequency_hz),
            codec_delay_ns: track.codec_delay_ns.map(long),
            seek_pre_roll_ns: track.seek_pre_roll_ns.map(long),
            display_width: video.and_then(|video| video.display_width).map(long),
            display_height: video.and_then(|video| video.display_height).map(long),
            display_unit: video.map(|video| video.display_unit.name()),
            crop: video.and_then(|video| video.crop).map(CropFields::of),
            interlaced: video.and_then(|video| video.interlaced),
            colour: video.and_then(|video| video.colour).map(ColourFields::of),
            content_encodings: track.content_encodings.iter().map(EncodingFields::of).collect(),
        }
    }
}

impl CropFields {
    fn of(crop: PixelCrop) -> Self {
        Self { top: long(crop.top), bottom: long(crop.bottom), left: long(crop.left), right: long(crop.right) }
    }
}

impl ColourFields {
    fn of(colour: Colour) -> Self {
        Self {
            matrix_coefficients: colour.matrix_coefficients.map(long),
            bits_per_channel: colour.bits_per_channel.map(long),
            range: colour.range.map(long),
            transfer_characteristics: colour.transfer_characteristics.map(long),
            primaries: colour.primaries.map(long),
        }
    }
}

impl<'a> EncodingFields<'a> {
    fn of(encoding: &'a ContentEncoding) -> Self {
        let settings = match &encoding.transform {
            ContentTransform::Compression { settings, .. } if !settings.is_empty() => Some(Cow::Borrowed(&**settings)),
            _ => None,
        };
        Self {
            order: long(encoding.order),
            scope: long(encoding.scope),
            transform: encoding.transform.name(),
            algorithm: encoding.transform.algorithm_name(),
            settings,
        }
    }
}

#[cfg(test)]
#[path = "track_tests.rs"]
mod tests;
