//! Elements of chunks with several tracks, and what holds for each choice of them.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use kvs_mkv::{End, Event, Fragment, Frame};

use crate::common::*;

pub const EBML: u32 = 0x1A45_DFA3;
pub const SEGMENT: u32 = 0x1853_8067;
pub const SEEK_HEAD: u32 = 0x114D_9B74;
pub const INFO: u32 = 0x1549_A966;
pub const TRACKS: u32 = 0x1654_AE6B;
pub const TRACK_ENTRY: u32 = 0xAE;
pub const CLUSTER: u32 = 0x1F43_B675;
pub const TIMESTAMP: u32 = 0xE7;
pub const POSITION: u32 = 0xA7;
pub const PREV_SIZE: u32 = 0xAB;
pub const SIMPLE_BLOCK: u32 = 0xA3;
pub const BLOCK_GROUP: u32 = 0xA0;
pub const BLOCK: u32 = 0xA1;
pub const BLOCK_DURATION: u32 = 0x9B;
pub const ENCRYPTED_BLOCK: u32 = 0xAF;
pub const CUES: u32 = 0x1C53_BB6B;
pub const CHAPTERS: u32 = 0x1043_A770;
pub const TAGS: u32 = 0x1254_C367;
pub const TAG: u32 = 0x7373;
pub const TARGETS: u32 = 0x63C0;
pub const TAG_TRACK_UID: u32 = 0x63C5;
pub const SIMPLE_TAG: u32 = 0x67C8;
pub const VOID: u32 = 0xEC;
pub const CRC_32: u32 = 0xBF;

pub fn master(id: u32, children: &[Vec<u8>]) -> Vec<u8> {
    element(id, &children.concat())
}

/// Returns the entry of a track, whose UID is its number plus 100.
pub fn entry(number: u8) -> Vec<u8> {
    master(
        TRACK_ENTRY,
        &[element(0xD7, &[number]), element(0x73C5, &[number + 100]), element(0x83, &[1]), element(0x86, b"V_TEST")],
    )
}

pub fn crc() -> Vec<u8> {
    element(CRC_32, &[1, 2, 3, 4])
}

pub fn block(track: u8, flags: u8, body: &[u8]) -> Vec<u8> {
    [&[0x80 | track, 0, track, flags], body].concat()
}

pub fn simple(track: u8) -> Vec<u8> {
    element(SIMPLE_BLOCK, &block(track, 0x80, &[track; 9]))
}

pub fn tag(uids: &[u8], name: &str) -> Vec<u8> {
    let targets: Vec<_> = uids.iter().map(|&uid| element(TAG_TRACK_UID, &[uid])).collect();
    let simple_tag = master(SIMPLE_TAG, &[element(0x45A3, name.as_bytes()), element(0x4487, b"value")]);
    if uids.is_empty() { master(TAG, &[simple_tag]) } else { master(TAG, &[master(TARGETS, &targets), simple_tag]) }
}

/// Returns a chunk with this content of its Segment, whose size is unknown.
pub fn document(children: &[Vec<u8>]) -> Vec<u8> {
    [element(EBML, &element(0x4282, b"matroska")), sized(SEGMENT, 8, &children.concat(), false)].concat()
}

pub fn number() -> Vec<u8> {
    writer().leading_tags(&leading(NUMBER))
}

pub fn only(fragment: &Fragment, numbers: &[u64]) -> Fragment {
    fragment.with_tracks(20, |track| numbers.contains(&track.number)).unwrap()
}

pub fn frame<'a>(fragment: &'a Fragment, frame: &Frame) -> (u64, i64, bool, Option<u64>, &'a [u8]) {
    (frame.track, frame.timestamp_ns, frame.key, frame.duration_ns, fragment.frame_data(frame))
}

/// Checks what holds for each choice: metadata, tracks and frames are those of the fragment, and splitting the payload gives
/// the same.
pub fn check(fragment: &Fragment, chosen: &Fragment, numbers: &[u64]) {
    // If all tracks are kept, so are blocks of tracks that have no entry.
    let all = fragment.tracks.iter().all(|track| numbers.contains(&track.number));
    let kept = |number: u64| all || numbers.contains(&number);
    let tracks: Vec<_> = fragment.tracks.iter().filter(|track| kept(track.number)).collect();
    assert_eq!(chosen.tracks.iter().collect::<Vec<_>>(), tracks);
    let expected: Vec<_> = fragment.frames.iter().filter(|one| kept(one.track)).collect();
    assert_eq!(chosen.frames.len(), expected.len());
    for (one, expected) in chosen.frames.iter().zip(expected) {
        assert_eq!(frame(chosen, one), frame(fragment, expected));
    }
    let times = |fragment: &Fragment| fragment.clusters.iter().map(|one| one.timestamp_ns).collect::<Vec<_>>();
    assert_eq!(times(chosen), times(fragment));
    assert_eq!(split(&chosen.payload).unwrap(), (vec![Event::Fragment(chosen.clone())], End::Clean));
    let metadata = |fragment: &Fragment| {
        (fragment.number.clone(), fragment.server_timestamp, fragment.producer_timestamp, fragment.millis_behind_now)
    };
    assert_eq!(metadata(chosen), metadata(fragment));
    assert_eq!(chosen.continuation_token, fragment.continuation_token);
    assert_eq!(&chosen.payload[chosen.leading_tags.clone()], &fragment.payload[fragment.leading_tags.clone()]);
    // A second time, nothing is left out.
    assert_eq!(only(chosen, numbers), *chosen);
}
