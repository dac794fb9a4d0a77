//! Writing a TrackEntry: everything that is read of one, except defaults.

use crate::element_writer::{element, uint};
use crate::elements::id;
use crate::track::{AudioSettings, Colour, ContentEncoding, ContentTransform, DisplayUnit, Track, VideoSettings};

/// Returns the content of a TrackEntry element.
pub(super) fn track_entry(track: &Track) -> Vec<u8> {
    let mut entry = Vec::new();
    uint(&mut entry, id::TRACK_NUMBER, track.number);
    uint(&mut entry, id::TRACK_UID, track.uid);
    uint(&mut entry, id::TRACK_TYPE, track.kind.value());
    if let Some(name) = &track.name {
        element(&mut entry, id::TRACK_NAME, name.as_bytes());
    }
    if let Some(language) = &track.language {
        element(&mut entry, id::LANGUAGE, language.as_bytes());
    }
    element(&mut entry, id::CODEC_ID, track.codec_id.as_bytes());
    if let Some(private) = &track.codec_private {
        element(&mut entry, id::CODEC_PRIVATE, private);
    }
    optional(&mut entry, id::DEFAULT_DURATION, track.default_duration_ns);
    optional(&mut entry, id::CODEC_DELAY, track.codec_delay_ns);
    optional(&mut entry, id::SEEK_PRE_ROLL, track.seek_pre_roll_ns);
    if let Some(settings) = track.video {
        element(&mut entry, id::VIDEO, &video(settings));
    }
    if let Some(settings) = track.audio {
        element(&mut entry, id::AUDIO, &audio(settings));
    }
    if !track.content_encodings.is_empty() {
        let mut encodings = Vec::new();
        for one in &track.content_encodings {
            element(&mut encodings, id::CONTENT_ENCODING, &encoding(one));
        }
        element(&mut entry, id::CONTENT_ENCODINGS, &encodings);
    }
    entry
}

fn optional(out: &mut Vec<u8>, id: u32, value: Option<u64>) {
    if let Some(value) = value {
        uint(out, id, value);
    }
}

fn video(settings: VideoSettings) -> Vec<u8> {
    let mut out = Vec::new();
    uint(&mut out, id::PIXEL_WIDTH, settings.width);
    uint(&mut out, id::PIXEL_HEIGHT, settings.height);
    optional(&mut out, id::DISPLAY_WIDTH, settings.display_width);
    optional(&mut out, id::DISPLAY_HEIGHT, settings.display_height);
    let unit = settings.display_unit;
    optional(&mut out, id::DISPLAY_UNIT, (unit != DisplayUnit::default()).then(|| unit.value()));
    if let Some(crop) = settings.crop {
        uint(&mut out, id::PIXEL_CROP_TOP, crop.top);
        uint(&mut out, id::PIXEL_CROP_BOTTOM, crop.bottom);
        uint(&mut out, id::PIXEL_CROP_LEFT, crop.left);
        uint(&mut out, id::PIXEL_CROP_RIGHT, crop.right);
    }
    optional(&mut out, id::FLAG_INTERLACED, settings.interlaced.map(|is| if is { 1 } else { 2 }));
    if let Some(settings) = settings.colour {
        element(&mut out, id::COLOUR, &colour(settings));
    }
    out
}

fn colour(settings: Colour) -> Vec<u8> {
    let mut out = Vec::new();
    optional(&mut out, id::MATRIX_COEFFICIENTS, settings.matrix_coefficients);
    optional(&mut out, id::BITS_PER_CHANNEL, settings.bits_per_channel);
    optional(&mut out, id::RANGE, settings.range);
    optional(&mut out, id::TRANSFER_CHARACTERISTICS, settings.transfer_characteristics);
    optional(&mut out, id::PRIMARIES, settings.primaries);
    out
}

fn audio(settings: AudioSettings) -> Vec<u8> {
    let mut out = Vec::new();
    element(&mut out, id::SAMPLING_FREQUENCY, &settings.sampling_frequency_hz.to_be_bytes());
    if let Some(frequency_hz) = settings.output_sampling_frequency_hz {
        element(&mut out, id::OUTPUT_SAMPLING_FREQUENCY, &frequency_hz.to_be_bytes());
    }
    uint(&mut out, id::CHANNELS, settings.channels);
    optional(&mut out, id::BIT_DEPTH, settings.bit_depth);
    out
}

fn encoding(encoding: &ContentEncoding) -> Vec<u8> {
    let mut out = Vec::new();
    uint(&mut out, id::CONTENT_ENCODING_ORDER, encoding.order);
    uint(&mut out, id::CONTENT_ENCODING_SCOPE, encoding.scope);
    let mut inner = Vec::new();
    match &encoding.transform {
        ContentTransform::Compression { algorithm, settings } => {
            uint(&mut out, id::CONTENT_ENCODING_TYPE, 0);
            uint(&mut inner, id::CONTENT_COMP_ALGO, algorithm.value());
            if !settings.is_empty() {
                element(&mut inner, id::CONTENT_COMP_SETTINGS, settings);
            }
            element(&mut out, id::CONTENT_COMPRESSION, &inner);
        }
        ContentTransform::Encryption { algorithm } => {
            uint(&mut out, id::CONTENT_ENCODING_TYPE, 1);
            uint(&mut inner, id::CONTENT_ENC_ALGO, *algorithm);
            element(&mut out, id::CONTENT_ENCRYPTION, &inner);
        }
        ContentTransform::Other(value) => uint(&mut out, id::CONTENT_ENCODING_TYPE, *value),
    }
    out
}
