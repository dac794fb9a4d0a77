#![allow(clippy::unwrap_used)]

use kvs_mkv::{ChunkWriter, FrameData, LeadingTags, Track, TrackKind, TrailingTags};

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
    read_fragment(&ChunkWriter::new("tests").chunk(&tracks, &[], &leading, 0, &frames, &trailing)).unwrap()
}

fn record(media: &Fragment) -> Json {
    let frames: Vec<Json> = media
        .frames
        .iter()
        .map(|frame| {
            json!({"track": frame.track, "timestamp_ns": frame.timestamp_ns, "key": frame.key, "offset": frame.offset, "size_bytes": frame.size_bytes})
        })
        .collect();
    json!({
        "fragment_number": "7", "server_timestamp": 2_000, "producer_timestamp": 1_000, "random_access": true,
        "start_ns": 0, "size_bytes": media.payload.len(), "frames": frames, "tracks": [{"number": 1, "kind": "video"}],
    })
}

#[test]
fn each_field_that_is_not_what_the_media_say_is_named() {
    let media = media();
    assert_eq!(misdescribed(&record(&media), &media), None);
    // An earlier version did not write it.
    let mut earlier = record(&media);
    earlier["random_access"] = Json::Null;
    assert_eq!(misdescribed(&earlier, &media), None);
    let alterations: [(&str, &str, Json); 11] = [
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
    ];
    for (place, named, value) in alterations {
        let mut altered = record(&media);
        *altered.pointer_mut(place).unwrap() = value;
        assert_eq!(misdescribed(&altered, &media), Some(named), "{place}");
    }
}
