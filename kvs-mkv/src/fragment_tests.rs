#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::{ChunkWriter, Event, FrameData, LeadingTags, Splitter, TrailingTags};

const VIDEO: u64 = 1;
const AUDIO: u64 = 2;

/// Returns a fragment with a frame of each of these tracks, times in milliseconds and key flags.
fn fragment(frames: &[(u64, i64, bool)]) -> Fragment {
    let tracks = [Track::new(VIDEO, TrackKind::Video, "V_VP8"), Track::new(AUDIO, TrackKind::Audio, "A_AAC")];
    let leading = LeadingTags {
        number: "7".parse().unwrap(),
        server_timestamp: Timestamp::from_millis(0),
        producer_timestamp: Timestamp::from_millis(0),
    };
    let data = |&(track, millis, key)| FrameData { track, timestamp_ns: millis * 1_000_000, key, data: &[7] };
    let frames: Vec<_> = frames.iter().map(data).collect();
    let trailing = TrailingTags { millis_behind_now: 0, continuation_token: "t".to_owned() };
    let bytes = ChunkWriter::new("tests").chunk(&tracks, &[], &leading, 0, &frames, &trailing);
    match Splitter::default().push(&mut bytes.as_slice()) {
        Ok(Some(Event::Fragment(fragment))) => fragment,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_frame_of_video_decides_where_a_decoder_begins() {
    let begins = |frames: &[(u64, i64, bool)]| fragment(frames).is_random_access();
    assert!(begins(&[(VIDEO, 0, true), (VIDEO, 33, false)]));
    assert!(!begins(&[(VIDEO, 0, false), (VIDEO, 33, true)]));
    // Every frame of audio is a key frame, and comes before the video's.
    assert!(!begins(&[(AUDIO, 0, true), (VIDEO, 0, false)]));
    assert!(begins(&[(AUDIO, 0, false), (VIDEO, 0, true)]));
    // In the order of the chunk, not of presentation: frames that are shown before the key frame may follow it.
    assert!(begins(&[(VIDEO, 66, true), (VIDEO, 0, false), (VIDEO, 33, false)]));
    assert!(begins(&[(AUDIO, 0, false)]), "audio alone");
    assert!(!begins(&[]), "nothing to begin with");
}

#[test]
fn the_first_and_the_last_time_are_those_of_presentation() {
    let times = |frames: &[(u64, i64, bool)]| {
        let fragment = fragment(frames);
        (fragment.start_ns(), fragment.last_ns())
    };
    let shown = times(&[(VIDEO, 66, true), (VIDEO, 0, false), (VIDEO, 99, false), (VIDEO, 33, false)]);
    assert_eq!(shown, (Some(0), Some(99_000_000)));
    assert_eq!(times(&[]), (None, None));
}
