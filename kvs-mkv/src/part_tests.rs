#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;

use super::*;
use crate::element_writer::{element, uint};
use crate::{Completion, Event, FrameData, LeadingTags, Limits, Splitter, Timestamp, TrackKind, TrailingTags};

fn split(bytes: &[u8]) -> Fragment {
    match Splitter::new(Limits::default(), Completion::Token).push(&mut &*bytes) {
        Ok(Some(Event::Fragment(fragment))) => fragment,
        other => panic!("{other:?}"),
    }
}

fn tracks() -> Vec<Track> {
    let named = |number, kind, name: &str| {
        let mut track = Track::new(number, kind, "A_PCM/INT/LIT");
        (track.uid, track.name) = (number + 100, Some(name.to_owned()));
        track
    };
    vec![named(1, TrackKind::Audio, "FROM"), named(2, TrackKind::Audio, "TO"), named(200, TrackKind::Video, "video")]
}

fn leading() -> LeadingTags {
    LeadingTags {
        number: "17".parse().unwrap(),
        server_timestamp: Timestamp::from_millis(5),
        producer_timestamp: Timestamp::from_millis(4),
    }
}

fn chunk(frames: &[FrameData<'_>]) -> Vec<u8> {
    let trailing = TrailingTags { millis_behind_now: 3, continuation_token: "token".to_owned() };
    crate::ChunkWriter::new("tests").chunk(&tracks(), &[("site", "Köln")], &leading(), 0, frames, &trailing)
}

/// Checks that the index of a part is what the splitter reads from its bytes, and that it has the frames of the whole.
fn check(whole: &Fragment, numbers: &[u64]) -> Fragment {
    let part = whole.with_tracks(64, |track| numbers.contains(&track.number)).unwrap();
    assert_eq!(split(&part.payload), part);
    let of = |fragment: &Fragment| -> Vec<(u64, i64, bool, Vec<u8>)> {
        let frames = fragment.frames.iter().filter(|frame| numbers.contains(&frame.track));
        frames.map(|one| (one.track, one.timestamp_ns, one.key, fragment.frame_data(one).to_vec())).collect()
    };
    assert_eq!(of(&part), of(whole));
    assert_eq!(part.frames.len(), of(&part).len());
    part
}

proptest! {
    #[test]
    fn a_part_has_the_frames_of_its_tracks_and_no_others(
        frames in proptest::collection::vec((0_usize..3, 0_i64..30_000, any::<bool>(), 0_usize..400), 0..40),
        chosen in 1_u8..8,
    ) {
        let data = [7; 400];
        let numbers = [1, 2, 200];
        let made = |&(track, timestamp_ms, key, size): &(usize, i64, bool, usize)| FrameData {
            track: numbers[track],
            timestamp_ns: timestamp_ms * 1_000_000,
            key,
            data: &data[..size],
        };
        let frames: Vec<FrameData<'_>> = frames.iter().map(made).collect();
        let whole = split(&chunk(&frames));
        let kept: Vec<u64> = (0..3).filter(|bit| chosen & 1 << bit != 0).map(|bit| numbers[bit]).collect();
        let part = check(&whole, &kept);
        prop_assert_eq!(part.tracks.len(), kept.len());
        if kept.len() == 3 {
            prop_assert_eq!(&*part.payload, &*whole.payload);
        }
    }
}

/// Returns a chunk with everything that muxers write: known sizes, checksums, positions, groups, lacing, tags of tracks.
fn decorated() -> Vec<u8> {
    let plain = chunk(&[]);
    let parts = split(&plain);
    let head_end = plain.windows(4).position(|bytes| bytes == [0x16, 0x54, 0xAE, 0x6B]).unwrap();
    let mut entries = Vec::new();
    element(&mut entries, id::CRC_32, &[1, 2, 3, 4]);
    for track in tracks() {
        let mut entry = Vec::new();
        uint(&mut entry, id::TRACK_NUMBER, track.number);
        uint(&mut entry, id::TRACK_UID, track.uid);
        uint(&mut entry, id::TRACK_TYPE, 2);
        element(&mut entry, id::CODEC_ID, b"A_PCM/INT/LIT");
        element(&mut entries, id::TRACK_ENTRY, &entry);
    }
    let mut made = plain[..head_end].to_vec();
    element(&mut made, id::SEEK_HEAD, &[0x4D, 0xBB, 0x80]);
    element(&mut made, id::TRACKS, &entries);
    let tag = |name: &str, uids: &[u64]| {
        let (mut simple, mut targets, mut tag) = (Vec::new(), Vec::new(), Vec::new());
        element(&mut simple, id::TAG_NAME, name.as_bytes());
        element(&mut simple, id::TAG_STRING, b"value");
        uids.iter().for_each(|uid| uint(&mut targets, id::TAG_TRACK_UID, *uid));
        element(&mut tag, id::TARGETS, &targets);
        element(&mut tag, id::SIMPLE_TAG, &simple);
        tag
    };
    let mut tags = Vec::new();
    for (name, uids) in [("of1", &[101][..]), ("of2", &[102]), ("of_all", &[]), ("of12", &[102, 101])] {
        element(&mut tags, id::TAG, &tag(name, uids));
    }
    element(&mut made, id::TAGS, &tags);
    made.extend(&parts.payload[parts.leading_tags.clone()]);
    element(&mut made, id::VOID, &[0; 20]);
    let block = |track: u8, data: &[u8]| [&[0x80 | track, 0, 5, 0x80][..], data].concat();
    let mut cluster = Vec::new();
    element(&mut cluster, id::CRC_32, &[1, 2, 3, 4]);
    uint(&mut cluster, id::CLUSTER_TIMESTAMP, 1_000);
    element(&mut cluster, id::SIMPLE_BLOCK, &block(1, b"one"));
    for (track, duration) in [(2, 7), (1, 9)] {
        let mut group = Vec::new();
        element(&mut group, id::BLOCK, &[&[0x80 | track, 0, 9, 0][..], b"group"].concat());
        uint(&mut group, id::BLOCK_DURATION, duration);
        element(&mut cluster, id::BLOCK_GROUP, &group);
    }
    // Two laced frames of three bytes each, in Xiph lacing.
    element(&mut cluster, id::SIMPLE_BLOCK, &[0x81, 0, 20, 0x82, 1, 3, b'a', b'b', b'c', b'd', b'e', b'f']);
    element(&mut cluster, id::SIMPLE_BLOCK, &block(2, b"two"));
    element(&mut made, id::CLUSTER, &cluster);
    made.extend([0x1F, 0x43, 0xB6, 0x75, 0xFF]);
    uint(&mut made, id::CLUSTER_TIMESTAMP, 2_000);
    element(&mut made, id::SIMPLE_BLOCK, &block(2, b"second"));
    element(&mut made, id::SIMPLE_BLOCK, &block(1, b"cluster"));
    element(&mut made, id::CUES, &[]);
    made.extend(&parts.payload[parts.trailing_tags.clone().unwrap()]);
    made
}

#[test]
fn groups_lacing_and_tags_of_tracks_stay_with_their_track() {
    let whole = split(&decorated());
    assert_eq!(whole.frames.len(), 8);
    for (number, data, names) in [
        (1, &["one", "group", "abc", "def", "cluster"][..], &["of1", "of_all", "of12"][..]),
        (2, &["group", "two", "second"], &["of2", "of_all", "of12"]),
    ] {
        let part = check(&whole, &[number]);
        let frames: Vec<&[u8]> = part.frames.iter().map(|frame| part.frame_data(frame)).collect();
        assert_eq!(frames, data.iter().map(|data| data.as_bytes()).collect::<Vec<_>>());
        let tags: Vec<_> = part.tags().map(|tag| tag.name.into_owned()).collect();
        assert_eq!(tags, names, "track {number}");
        assert_eq!((part.clusters.len(), part.clusters[1].timestamp_ns), (2, 2_000_000_000));
        assert_eq!(part.continuation_token, whole.continuation_token);
        // Checksums and positions of what has changed are gone.
        let count = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).filter(|window| *window == what).count();
        assert_eq!((count(&whole.payload, &[0xBF, 0x84]), count(&part.payload, &[0xBF, 0x84])), (2, 0));
        assert_eq!(count(&part.payload, &[0x11, 0x4D, 0x9B, 0x74]), 0);
    }
}

#[test]
fn no_track_is_an_error_and_the_headroom_is_there() {
    let whole = split(&decorated());
    assert_eq!(whole.with_tracks(0, |_| false), Err(PartError::NoTrack));
    let part = whole.with_tracks(64, |track| track.number == 1).unwrap();
    let address = part.payload.as_ptr();
    let prefixed = part.payload.clone();
    assert_eq!(part.payload.into_prefixed(&[0; 64])[64..].as_ptr(), address);
    assert_eq!(split(&prefixed).frames.len(), 5);
}

#[test]
fn a_fragment_without_its_end_can_be_cut() {
    let bytes = decorated();
    let whole = split(&bytes);
    let unterminated = Fragment { payload: bytes[..bytes.len() - 200].to_vec().into(), trailing_tags: None, ..whole };
    // Its bytes end within an element.
    assert!(matches!(unterminated.with_tracks(0, |track| track.number == 1), Err(PartError::Malformed(_))));
}
