#![allow(clippy::unwrap_used, clippy::panic)]

use kvs_mkv::{
    AudioSettings, ChunkWriter, CompressionAlgorithm, DisplayUnit, Event, FrameData, LeadingTags, Splitter, Timestamp,
    TrackKind, TrailingTags, VideoSettings,
};
use serde_json::{Value, json};

use super::*;

fn video() -> Track {
    let mut video = Track::new(1, TrackKind::Video, "V_MPEGH/ISO/HEVC");
    let mut settings = VideoSettings::new(720, 576);
    settings.display_width = Some(4);
    settings.display_height = Some(3);
    settings.display_unit = DisplayUnit::AspectRatio;
    settings.crop = Some(PixelCrop::default());
    settings.interlaced = Some(true);
    let mut colour = Colour::default();
    colour.primaries = Some(u64::MAX);
    settings.colour = Some(colour);
    video.video = Some(settings);
    let stripping =
        ContentTransform::Compression { algorithm: CompressionAlgorithm::HeaderStripping, settings: vec![1, 2, 255] };
    video.content_encodings = vec![
        ContentEncoding::of_frames(stripping),
        ContentEncoding::of_frames(ContentTransform::Encryption { algorithm: 5 }),
    ];
    video
}

fn audio() -> Track {
    let mut audio = Track::new(2, TrackKind::Audio, "A_AAC");
    let mut settings = AudioSettings::new(8000.0, 1);
    settings.bit_depth = Some(16);
    settings.output_sampling_frequency_hz = Some(16_000.0);
    audio.audio = Some(settings);
    audio.codec_delay_ns = Some(1);
    audio.seek_pre_roll_ns = Some(2);
    audio
}

fn fragment(tracks: &[Track], tags: &[(&str, &str)]) -> Fragment {
    let frames = [FrameData { track: 1, timestamp_ns: 0, key: true, data: &[7; 50] }];
    let leading = LeadingTags {
        number: "91343852333181432392682062607743920146159169392".parse().unwrap(),
        server_timestamp: Timestamp::from_millis(2),
        producer_timestamp: Timestamp::from_millis(1),
    };
    let trailing = TrailingTags { millis_behind_now: 3, continuation_token: "token".to_owned() };
    let bytes = ChunkWriter::new("tests").chunk(tracks, tags, &leading, 0, &frames, &trailing);
    match Splitter::default().push(&mut bytes.as_slice()) {
        Ok(Some(Event::Fragment(fragment))) => fragment,
        other => panic!("{other:?}"),
    }
}

fn fields(fragment: &Fragment) -> Vec<Value> {
    fragment.tracks.iter().map(|track| serde_json::to_value(TrackFields::of(track, fragment)).unwrap()).collect()
}

#[test]
fn a_track_says_what_a_decoder_needs() {
    let written = fields(&fragment(&[video(), audio()], &[("MimeType", "audio/L16;rate=8000;channels=1;")]));
    let [video, audio] = &written[..] else { panic!("{written:?}") };
    assert_eq!((&video["media_type"], &video["bit_depth"]), (&json!("video/H265"), &json!(null)));
    assert_eq!(
        (&video["display_width"], &video["display_height"], &video["display_unit"]),
        (&json!(4), &json!(3), &json!("aspect_ratio"))
    );
    assert_eq!(video["crop"], json!({"top": 0, "bottom": 0, "left": 0, "right": 0}));
    assert_eq!(video["interlaced"], json!(true));
    let colour = json!({"matrix_coefficients": null, "bits_per_channel": null, "range": null,
        "transfer_characteristics": null, "primaries": i64::MAX});
    assert_eq!(video["colour"], colour);
    let encodings = json!([
        {"order": 0, "scope": 1, "type": "compression", "algorithm": "header_stripping", "settings": "AQL/"},
        {"order": 0, "scope": 1, "type": "encryption", "algorithm": "aes", "settings": null}]);
    assert_eq!(video["content_encodings"], encodings);
    assert_eq!(
        (&audio["media_type"], &audio["codec_id"]),
        (&json!("audio/L16;rate=8000;channels=1;"), &json!("A_AAC"))
    );
    assert_eq!((&audio["bit_depth"], &audio["output_sampling_frequency_hz"]), (&json!(16), &json!(16_000.0)));
    assert_eq!((&audio["codec_delay_ns"], &audio["seek_pre_roll_ns"]), (&json!(1), &json!(2)));
    assert_eq!((&audio["display_unit"], &audio["content_encodings"]), (&json!(null), &json!([])));
}

#[test]
fn what_a_track_does_not_say_is_null() {
    let written = fields(&fragment(&[Track::new(1, TrackKind::Video, "V_UNKNOWN")], &[]));
    for name in ["media_type", "bit_depth", "codec_delay_ns", "display_width", "display_unit", "crop", "colour"] {
        assert_eq!(written[0].get(name), Some(&json!(null)), "{name}");
    }
}

/// Both schemas have the same Track, with exactly these fields.
#[test]
fn the_schemas_have_these_fields_in_this_order() {
    let written = serde_json::to_string(&TrackFields::of(&video(), &fragment(&[], &[]))).unwrap();
    for schema in [crate::output::schema::VALUE_SCHEMA, crate::output::schema::METADATA_SCHEMA] {
        let schema: Value = serde_json::from_str(schema).unwrap();
        let tracks = schema["fields"].as_array().unwrap().iter().find(|field| field["name"] == "tracks").unwrap();
        let fields = tracks["type"]["items"]["fields"].as_array().unwrap();
        let mut at = 0;
        for field in fields {
            let name = format!("\"{}\":", field["name"].as_str().unwrap());
            at += written[at..].find(&name).unwrap_or_else(|| panic!("{name} is missing or out of order"));
        }
        let one: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(one.as_object().unwrap().len(), fields.len());
    }
}
