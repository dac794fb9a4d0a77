#![allow(clippy::unwrap_used)]

use kvs_mkv::{ChunkWriter, FrameData, LeadingTags, Timestamp, Track, TrackKind, TrailingTags};

use serde_json::json;

use super::*;
use crate::readback::read_fragment;

fn media() -> Fragment {
    let leading = LeadingTags {
        number: "7".parse().unwrap(),
        server_timestamp: Timestamp::from_millis(2_000),
        producer_timestamp: Timestamp::from_millis(1_000),
    };
    let frames = [(0, true), (40, false)].map(|(millis, key)| FrameData {
        track: 1,
        timestamp_ns: millis * 1_000_000,
        key,
        data: &[7],
    });
    let trailing = TrailingTags { millis_behind_now: 3, continuation_token: "token".to_owned() };
    let tracks = [Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC")];
    read_fragment(&ChunkWriter::new("tests").chunk(&tracks, &[("place", "door")], &leading, 0, &frames, &trailing))
        .unwrap()
}

/// Returns the record of these media; written by hand, as far as an earlier test had it.
fn record(media: &Fragment) -> Json {
    let mut fields = fields_of_media(media);
    let by_hand = json!({
        "fragment_number": "7", "server_timestamp": 2_000, "producer_timestamp": 1_000, "random_access": true,
        "start_ns": 0, "duration_ns": 80_000_000, "size_bytes": media.payload.len(),
        "first_frame_utc": 1_000_000, "last_frame_utc": 1_040_000,
    });
    fields.as_object_mut().unwrap().extend(by_hand.as_object().unwrap().clone());
    fields
}

#[test]
fn each_field_that_is_not_what_the_media_say_is_named() {
    let media = media();
    assert_eq!(misdescribed(&record(&media), &media), None);
    // An earlier version did not write it.
    let mut earlier = record(&media);
    earlier["random_access"] = Json::Null;
    earlier["tracks"][0].as_object_mut().unwrap().remove("display_unit");
    assert_eq!(misdescribed(&earlier, &media), None);
    let alterations: [(&str, &str, Json); 22] = [
        ("/fragment_number", "fragment_number", json!("8")),
        ("/server_timestamp", "server_timestamp", json!(2_001)),
        ("/producer_timestamp", "producer_timestamp", json!(0)),
        ("/random_access", "random_access", json!(false)),
        ("/start_ns", "start_ns", json!(1)),
        ("/size_bytes", "size_bytes", json!(1)),
        ("/frames", "frames", json!([])),
        ("/frames/1/timestamp_ns", "frames", json!(41_000_000)),
        ("/frames/1/key", "frames", json!(true)),
        ("/frames/0/offset", "frames", json!(0)),
        ("/tracks/0/number", "tracks", json!(2)),
        ("/tracks/0/kind", "tracks", json!("audio")),
        ("/tracks/0/codec_id", "tracks", json!("V_VP8")),
        ("/tracks/0/width", "tracks", json!(999)),
        ("/tracks/0/codec_private", "tracks", json!("eHg=")),
        ("/tracks/0/sampling_frequency_hz", "tracks", json!(1.0)),
        ("/duration_ns", "duration_ns", json!(1)),
        ("/first_frame_utc", "first_frame_utc", json!(1_001_000)),
        ("/last_frame_utc", "last_frame_utc", json!(1_041_000)),
        ("/tags", "tags", json!([])),
        ("/tags/0/name", "tags", json!("other")),
        ("/tags/0/value", "tags", json!("other")),
    ];
    for (place, named, value) in alterations {
        let mut altered = record(&media);
        *altered.pointer_mut(place).unwrap() = value;
        assert_eq!(misdescribed(&altered, &media), Some(named), "{place}");
    }
}
