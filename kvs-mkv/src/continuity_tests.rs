#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::track::{AudioSettings, TrackKind, VideoSettings};
use crate::{ChunkWriter, Event, FrameData, LeadingTags, Splitter, TrailingTags};

/// Returns a fragment that its producer made at this time, with a first frame at this one, of a video track and maybe a
/// second one.
fn fragment(produced_ms: i64, start_ms: i64) -> Fragment {
    let mut track = Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC");
    track.codec_private = Some(vec![1, 66, 0, 30]);
    let leading = LeadingTags {
        number: "7".parse().unwrap(),
        server_timestamp: Timestamp::from_millis(0),
        producer_timestamp: Timestamp::from_millis(produced_ms),
    };
    let start_ns = start_ms * 1_000_000;
    let frames = [FrameData { track: 1, timestamp_ns: start_ns, key: true, data: &[7] }];
    let trailing = TrailingTags { millis_behind_now: 0, continuation_token: "t".to_owned() };
    let tracks = [track, Track::new(2, TrackKind::Audio, "A_AAC")];
    let bytes = ChunkWriter::new("tests").chunk(&tracks, &[], &leading, start_ns, &frames, &trailing);
    match Splitter::default().push(&mut bytes.as_slice()) {
        Ok(Some(Event::Fragment(fragment))) => fragment,
        other => panic!("{other:?}"),
    }
}

/// Returns whether the second fragment continues the first.
fn continues(before: &Fragment, next: &Fragment) -> bool {
    Continuity::after(before, None).is_continued_by(before.producer_timestamp, next)
}

#[test]
fn a_session_goes_on_whatever_the_distance() {
    for (produced_ms, start_ms) in [(100_000, 0), (100_000, 100_000)] {
        let first = fragment(produced_ms, start_ms);
        assert!(continues(&first, &fragment(produced_ms + 2_045, start_ms + 2_000)));
        // A camera that sends nothing for an hour.
        assert!(continues(&first, &fragment(produced_ms + 3_600_000, start_ms + 3_600_000)));
    }
    // Two chunks of one cluster time, sent a moment later.
    assert!(continues(&fragment(100_000, 0), &fragment(102_000, 0)));
}

#[test]
fn a_time_that_runs_back_or_begins_again_ends_a_session() {
    let first = fragment(100_000, 5_000);
    assert!(!continues(&first, &fragment(99_999, 5_001)), "the producer's clock");
    assert!(!continues(&first, &fragment(100_001, 4_999)), "the cluster's clock");
    // The second chunk of the recording output-get-media-equal-timecode: the file was sent again.
    assert!(!continues(&fragment(1_518_814_932_515, 0), &fragment(1_518_815_718_647, 0)));
    assert!(!continues(&fragment(i64::MIN / 1_000_000, i64::MIN / 1_000_000), &fragment(i64::MAX, 0)));
}

#[test]
fn what_is_unknown_contradicts_nothing() {
    let mut timeless = fragment(1, 5_000);
    timeless.producer_timestamp = None;
    assert!(continues(&fragment(100_000, 5_000), &timeless) && continues(&timeless, &fragment(0, 5_000)));
    let mut without_frames = fragment(100_000, 0);
    without_frames.frames.clear();
    assert!(continues(&fragment(100_000, 5_000), &without_frames) && continues(&without_frames, &fragment(100_000, 0)));
    assert!(Continuity::default().is_continued_by(None, &fragment(100_000, 0)));
    assert!(!Continuity { interrupted: true, ..Continuity::default() }.is_continued_by(None, &fragment(100_000, 0)));
}

#[test]
fn other_tracks_or_another_segment_are_another_session() {
    let first = fragment(100_000, 0);
    let altered = |change: &dyn Fn(&mut Fragment, &mut [Track])| {
        let mut next = fragment(102_000, 2_000);
        let mut tracks = next.tracks.to_vec();
        change(&mut next, &mut tracks);
        next.tracks = tracks.into();
        continues(&first, &next)
    };
    assert!(altered(&|_, _| {}));
    assert!(altered(&|_, tracks| tracks.reverse()), "the order of tracks means nothing");
    assert!(altered(&|_, tracks| tracks[0].name = Some("door".to_owned())), "a name is not for the decoder");
    assert!(!altered(&|_, tracks| tracks[0].codec_private = Some(vec![1, 66, 0, 31])));
    assert!(!altered(&|_, tracks| tracks[0].codec_private = None));
    assert!(!altered(&|_, tracks| tracks[1].codec_id = "A_OPUS".to_owned()));
    assert!(!altered(&|_, tracks| tracks[1].uid = 9));
    assert!(!altered(&|_, tracks| tracks[0].video = Some(VideoSettings::new(640, 360))));
    assert!(!altered(&|_, tracks| tracks[1].audio = Some(AudioSettings::new(8_000.0, 2))));
    assert!(!altered(&|next, _| next.segment_uid = Some(Box::new([1; 16]))));
}

#[test]
fn a_fragment_without_tracks_belongs_to_the_session_before_it() {
    let first = fragment(100_000, 0);
    let mut empty = fragment(101_000, 1_000);
    empty.tracks = std::sync::Arc::default();
    assert!(continues(&first, &empty));
    let after = Continuity::after(&empty, Some(&Continuity::after(&first, None)));
    let mut other = fragment(102_000, 2_000);
    other.segment_uid = Some(Box::new([1; 16]));
    assert!(after.is_continued_by(empty.producer_timestamp, &fragment(102_000, 2_000)));
    assert!(!after.is_continued_by(empty.producer_timestamp, &other));
}

/// It is stored with positions, so every version has to compute the same. The numbers are those of an FNV-1a in Python.
#[test]
fn the_identity_of_a_session_never_changes() {
    let mut fragment = fragment(100_000, 0);
    assert_eq!(Continuity::after(&fragment, None).session, Some(0x2092_6596_708a_0b41));
    fragment.segment_uid = Some(Box::new([1; 16]));
    assert_eq!(Continuity::after(&fragment, None).session, Some(0x23b9_2370_1c60_3cd9));
}
