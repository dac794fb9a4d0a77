#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use kvs_mkv::{ChunkWriter, Event, FrameData, LeadingTags, Splitter, Timestamp, Track, TrackKind, TrailingTags};
use serde_json::{Value, json};

use super::*;
use crate::model::OffsetKey;

/// Returns a fragment with frames of video at these presentation times, in milliseconds, in this order.
fn fragment(frames: &[(i64, bool)]) -> Fragment {
    let leading = LeadingTags {
        number: "7".parse().unwrap(),
        server_timestamp: Timestamp::from_millis(1_511_852_109_126),
        producer_timestamp: Timestamp::from_millis(1_511_852_108_513),
    };
    let data = |&(millis, key)| FrameData { track: 1, timestamp_ns: millis * 1_000_000, key, data: &[7] };
    let frames: Vec<_> = frames.iter().map(data).collect();
    let trailing = TrailingTags { millis_behind_now: 3, continuation_token: "token".to_owned() };
    let tracks = [Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC")];
    let bytes = ChunkWriter::new("tests").chunk(&tracks, &[], &leading, 4_000_000_000, &frames, &trailing);
    match Splitter::default().push(&mut bytes.as_slice()) {
        Ok(Some(Event::Fragment(fragment))) => fragment,
        other => panic!("{other:?}"),
    }
}

fn fields(fragment: &Fragment, discontinuity: bool) -> Value {
    let key = Arc::new(OffsetKey { connector: "c".to_owned(), stream: "s".to_owned() });
    let (stream_name, stream_arn, now_ms) = ("s", None, 9);
    let origin = Origin { stream_arn, discontinuity, ..Origin::new(&key, stream_name, now_ms) };
    serde_json::to_value(FragmentFields::of(&origin, "video/webm", fragment)).unwrap()
}

#[test]
fn times_of_frames_follow_from_the_producers_and_their_distance() {
    // B-frames: the key frame comes first and is shown third.
    let of = fields(&fragment(&[(4_067, true), (4_001, false), (4_034, false), (4_100, false)]), false);
    assert_eq!(
        (&of["start_ns"], &of["producer_timestamp"]),
        (&json!(4_001_000_000_i64), &json!(1_511_852_108_513_i64))
    );
    assert_eq!(of["first_frame_utc"], json!(1_511_852_108_513_000_i64));
    assert_eq!(of["last_frame_utc"], json!(1_511_852_108_612_000_i64));
}

#[test]
fn a_time_of_a_frame_is_null_without_frames_or_producers_time_or_beyond_a_long() {
    let none = |fragment: &Fragment| {
        let of = fields(fragment, false);
        assert_eq!((&of["first_frame_utc"], &of["last_frame_utc"]), (&Value::Null, &Value::Null));
    };
    none(&fragment(&[]));
    let mut timeless = fragment(&[(4_000, true)]);
    timeless.producer_timestamp = None;
    none(&timeless);
    timeless.producer_timestamp = Some(Timestamp::from_millis(i64::MAX));
    none(&timeless);
    let mut apart = fragment(&[(4_000, true), (4_033, false)]);
    (apart.frames[0].timestamp_ns, apart.frames[1].timestamp_ns) = (i64::MIN, i64::MAX);
    assert_eq!(fields(&apart, false)["last_frame_utc"], Value::Null);
}

#[test]
fn whether_a_decoder_can_begin_and_has_to_begin_anew_are_two_questions() {
    let said = |key, discontinuity| {
        let of = fields(&fragment(&[(4_000, key)]), discontinuity);
        (of["random_access"].as_bool().unwrap(), of["discontinuity"].as_bool().unwrap())
    };
    for (key, discontinuity) in [(true, false), (false, true), (false, false), (true, true)] {
        assert_eq!(said(key, discontinuity), (key, discontinuity));
    }
}
