//! Choosing tracks of a fragment: `Fragment::with_tracks`. Real recordings are read from the folder `KVS_RECORDINGS`; without it,
//! their test prints that it is skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use kvs_mkv::{Completion, End, Event, Fragment, Frame, Payload, Tag, Track, TrackKind, TracksError};
use proptest::prelude::*;

const EBML: u32 = 0x1A45_DFA3;
const SEGMENT: u32 = 0x1853_8067;
const SEEK_HEAD: u32 = 0x114D_9B74;
const INFO: u32 = 0x1549_A966;
const TRACKS: u32 = 0x1654_AE6B;
const TRACK_ENTRY: u32 = 0xAE;
const CLUSTER: u32 = 0x1F43_B675;
const TIMESTAMP: u32 = 0xE7;
const POSITION: u32 = 0xA7;
const PREV_SIZE: u32 = 0xAB;
const SIMPLE_BLOCK: u32 = 0xA3;
const BLOCK_GROUP: u32 = 0xA0;
const BLOCK: u32 = 0xA1;
const BLOCK_DURATION: u32 = 0x9B;
const ENCRYPTED_BLOCK: u32 = 0xAF;
const CUES: u32 = 0x1C53_BB6B;
const CHAPTERS: u32 = 0x1043_A770;
const TAGS: u32 = 0x1254_C367;
const TAG: u32 = 0x7373;
const TARGETS: u32 = 0x63C0;
const TAG_TRACK_UID: u32 = 0x63C5;
const SIMPLE_TAG: u32 = 0x67C8;
const VOID: u32 = 0xEC;
const CRC_32: u32 = 0xBF;

fn master(id: u32, children: &[Vec<u8>]) -> Vec<u8> {
    element(id, &children.concat())
}

/// Returns the entry of a track, whose UID is its number plus 100.
fn entry(number: u8) -> Vec<u8> {
    master(
        TRACK_ENTRY,
        &[element(0xD7, &[number]), element(0x73C5, &[number + 100]), element(0x83, &[1]), element(0x86, b"V_TEST")],
    )
}

fn crc() -> Vec<u8> {
    element(CRC_32, &[1, 2, 3, 4])
}

fn block(track: u8, flags: u8, body: &[u8]) -> Vec<u8> {
    [&[0x80 | track, 0, track, flags], body].concat()
}

fn simple(track: u8) -> Vec<u8> {
    element(SIMPLE_BLOCK, &block(track, 0x80, &[track; 9]))
}

fn tag(uids: &[u8], name: &str) -> Vec<u8> {
    let targets: Vec<_> = uids.iter().map(|&uid| element(TAG_TRACK_UID, &[uid])).collect();
    let simple_tag = master(SIMPLE_TAG, &[element(0x45A3, name.as_bytes()), element(0x4487, b"value")]);
    if uids.is_empty() { master(TAG, &[simple_tag]) } else { master(TAG, &[master(TARGETS, &targets), simple_tag]) }
}

/// Returns a chunk with this content of its Segment, whose size is unknown.
fn document(children: &[Vec<u8>]) -> Vec<u8> {
    [element(EBML, &element(0x4282, b"matroska")), sized(SEGMENT, 8, &children.concat(), false)].concat()
}

fn number() -> Vec<u8> {
    writer().leading_tags(&leading(NUMBER))
}

fn only(fragment: &Fragment, numbers: &[u64]) -> Fragment {
    fragment.with_tracks(20, |track| numbers.contains(&track.number)).unwrap()
}

/// Returns what the payload of a chunk with these children becomes when track 1 is kept.
fn first_of(children: &[Vec<u8>]) -> Vec<u8> {
    let fragment = only_fragment(&document(children));
    let chosen = only(&fragment, &[1]);
    check(&fragment, &chosen, &[1]);
    chosen.payload.to_vec()
}

fn frame<'a>(fragment: &'a Fragment, frame: &Frame) -> (u64, i64, bool, Option<u64>, &'a [u8]) {
    (frame.track, frame.timestamp_ns, frame.key, frame.duration_ns, fragment.frame_data(frame))
}

/// Checks what holds for each choice: metadata, tracks and frames are those of the fragment, and splitting the payload gives
/// the same.
fn check(fragment: &Fragment, chosen: &Fragment, numbers: &[u64]) {
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

#[test]
fn other_tracks_go_and_everything_else_stays() {
    let info = element(INFO, &element(0x4D80, b"muxer"));
    let chapters = element(CHAPTERS, b"");
    let unknown = element(0x4DBB, b"unknown");
    let group =
        |track| master(BLOCK_GROUP, &[element(BLOCK, &block(track, 0, b"data")), element(BLOCK_DURATION, &[7])]);
    let laced = |track| element(SIMPLE_BLOCK, &block(track, 0x02, &[1, 3, 1, 2, 3, 4]));
    let time = element(TIMESTAMP, &[5]);
    let last = master(CLUSTER, &[time.clone(), crc(), simple(1), unknown.clone()]);
    let all = [
        crc(),
        element(SEEK_HEAD, &[0xEC, 0x80]),
        info.clone(),
        element(VOID, &[0; 40]),
        master(TRACKS, &[crc(), entry(1), unknown.clone(), entry(2), entry(3)]),
        master(TAGS, &[crc(), tag(&[101], "one"), tag(&[102], "two"), tag(&[], "all")]),
        master(TAGS, &[tag(&[103], "three")]),
        master(TAGS, &[crc(), tag(&[0], "every track")]),
        number(),
        chapters.clone(),
        master(
            CLUSTER,
            &[
                crc(),
                time.clone(),
                element(POSITION, &[9]),
                element(PREV_SIZE, &[9]),
                simple(1),
                simple(2),
                group(2),
                group(1),
                laced(3),
                laced(1),
                element(VOID, &[0; 9]),
                element(ENCRYPTED_BLOCK, &block(1, 0, b"secret")),
                simple(9),
                unknown.clone(),
            ],
        ),
        last.clone(),
        element(CUES, &[0xEC, 0x80]),
        end(NUMBER),
    ];
    let left = [
        info,
        master(TRACKS, &[entry(1), unknown.clone()]),
        master(TAGS, &[tag(&[101], "one"), tag(&[], "all")]),
        master(TAGS, &[crc(), tag(&[0], "every track")]),
        number(),
        chapters,
        master(CLUSTER, &[time, simple(1), group(1), laced(1), unknown]),
        // Nothing of it changes, so its checksum is right.
        last,
        end(NUMBER),
    ];
    assert_eq!(first_of(&all), document(&left));
}

#[test]
fn keeping_all_tracks_keeps_every_byte() {
    let children = [
        crc(),
        element(SEEK_HEAD, &[0xEC, 0x80]),
        master(TRACKS, &[entry(1), entry(2)]),
        number(),
        master(CLUSTER, &[element(POSITION, &[9]), simple(2), simple(7), simple(1)]),
        end("t"),
    ];
    let fragment = only_fragment(&document(&children));
    let chosen = fragment.with_tracks(0, |_| true).unwrap();
    assert_eq!(chosen, fragment);
    assert!(std::sync::Arc::ptr_eq(&chosen.tracks, &fragment.tracks));
}

#[test]
fn keeping_none_is_an_error_of_its_own() {
    let none = |bytes: &[u8]| only_fragment(bytes).with_tracks(0, |track| track.number == 7).unwrap_err();
    let tracks = [master(TRACKS, &[entry(1), entry(2)]), number(), end("t")];
    let error = none(&document(&tracks));
    assert_eq!(error, TracksError::NoneKept { available: 2 });
    assert_eq!(error.to_string(), "none of the fragment's 2 tracks is to be kept");
    assert_eq!(none(&document(&tracks[1..])), TracksError::NoneKept { available: 0 });
}

#[test]
fn the_payload_has_the_room_that_was_asked_for() {
    let fragment = only_fragment(&document(&[
        master(TRACKS, &[entry(1), entry(2)]),
        number(),
        master(CLUSTER, &[simple(1), simple(2)]),
        end("t"),
    ]));
    for numbers in [&[1][..], &[1, 2]] {
        let payload = only(&fragment, numbers).payload;
        let (start, bytes) = (payload.as_ptr(), payload.to_vec());
        let prefixed = payload.into_prefixed(&[7; 20]);
        assert_eq!(&*prefixed, [vec![7; 20], bytes].concat());
        assert_eq!(prefixed[20..].as_ptr(), start, "the payload has been moved");
    }
}

#[test]
fn a_tag_about_several_tracks_stays_for_those_that_are_kept() {
    let start = || vec![master(TRACKS, &[entry(1), entry(2), entry(3)]), number()];
    let left = || vec![master(TRACKS, &[entry(1)]), number()];
    let with = |mut start: Vec<Vec<u8>>, tags: Vec<u8>| {
        start.extend([tags, end("t")]);
        start
    };
    for (before, after) in [
        (tag(&[102, 101, 103], "some"), Some(tag(&[101], "some"))),
        (tag(&[102, 77], "unknown"), Some(tag(&[77], "unknown"))),
        (tag(&[102, 0], "all"), Some(tag(&[0], "all"))),
        (tag(&[102, 103], "others"), None),
        // The service's own tags stay, wherever they stand.
        (tag(&[102], "AWS_KINESISVIDEO_MILLIS_BEHIND_NOW"), Some(tag(&[102], "AWS_KINESISVIDEO_MILLIS_BEHIND_NOW"))),
    ] {
        let expected = after.map_or(Vec::new(), |after| master(TAGS, &[after]));
        assert_eq!(first_of(&with(start(), master(TAGS, &[before]))), document(&with(left(), expected)));
    }
}

/// A UID that a kept track has too is not another track's.
#[test]
fn tags_about_a_uid_that_two_tracks_share_stay() {
    let second = master(TRACK_ENTRY, &[element(0xD7, &[2]), element(0x73C5, &[101])]);
    let tags = master(TAGS, &[tag(&[101], "both")]);
    let all = [master(TRACKS, &[entry(1), second]), number(), tags.clone(), end("t")];
    assert_eq!(first_of(&all), document(&[master(TRACKS, &[entry(1)]), number(), tags, end("t")]));
}

#[test]
fn a_group_with_blocks_of_several_tracks_keeps_those_of_kept_tracks() {
    let blocks =
        |tracks: &[u8]| tracks.iter().map(|&track| element(BLOCK, &block(track, 0, b"data"))).collect::<Vec<_>>();
    let all = [
        master(TRACKS, &[entry(1), entry(2)]),
        number(),
        master(CLUSTER, &[master(BLOCK_GROUP, &[vec![crc()], blocks(&[2, 1, 2, 1])].concat())]),
        end("t"),
    ];
    let left =
        [master(TRACKS, &[entry(1)]), number(), master(CLUSTER, &[master(BLOCK_GROUP, &blocks(&[1, 1]))]), end("t")];
    assert_eq!(first_of(&all), document(&left));
}

/// Only the last Tracks element of a chunk counts.
#[test]
fn earlier_tracks_elements_lose_their_entries_too() {
    let all = [master(TRACKS, &[entry(2)]), master(TRACKS, &[entry(2), entry(1)]), number(), end("t")];
    assert_eq!(first_of(&all), document(&[master(TRACKS, &[entry(1)]), number(), end("t")]));
}

#[test]
fn an_unterminated_fragment_stays_one() {
    // The second cluster has been cut: it ends before its size does.
    let cut = sized(CLUSTER, 4, &[simple(1), simple(2), vec![0; 99]].concat(), true);
    let cut = &cut[..cut.len() - 99];
    let children = [master(TRACKS, &[entry(1), entry(2)]), number(), master(CLUSTER, &[simple(2)]), cut.to_vec()];
    let (mut events, _) = split(&[document(&children), chunk("8", 1, 1)].concat()).unwrap();
    let Event::Unterminated(fragment) = events.remove(0) else { panic!("{events:?}") };
    let chosen = only(&fragment, &[1]);
    assert!(!chosen.complete);
    let left = sized(CLUSTER, 4, &[simple(1), vec![0; 99]].concat(), true);
    let left = [master(TRACKS, &[entry(1)]), number(), master(CLUSTER, &[]), left[..left.len() - 99].to_vec()];
    assert_eq!(&*chosen.payload, document(&left));
    let (mut events, _) = split(&[&*chosen.payload, &chunk("8", 1, 1)].concat()).unwrap();
    assert_eq!(events.remove(0), Event::Unterminated(chosen));
}

#[test]
fn bytes_that_are_no_chunk_are_an_error() {
    let mut fragment = only_fragment(&document(&[master(TRACKS, &[entry(1), entry(2)]), number(), end("t")]));
    let whole = fragment.payload.to_vec();
    for length in 0..whole.len() {
        fragment.payload = Payload::from(whole[..length].to_vec());
        // Where an element ends, less is a chunk, too, if it has its number.
        let result = fragment.with_tracks(0, |track| track.number == 1);
        assert!(
            matches!(result, Err(TracksError::Unreadable(_))) || length >= whole.len() - end("t").len(),
            "{length}"
        );
    }
}

/// Returns the recordings' fragments.
fn recorded(name: &str) -> Option<Vec<Fragment>> {
    let Some(folder) = std::env::var_os("KVS_RECORDINGS").filter(|folder| !folder.is_empty()) else {
        println!("SKIPPED: KVS_RECORDINGS is not set, so there are no recordings to read");
        return None;
    };
    let bytes = std::fs::read(std::path::Path::new(&folder).join(name)).unwrap();
    let of_event = |event| match event {
        Event::Fragment(fragment) => fragment,
        other => panic!("{other:?}"),
    };
    Some(split(&bytes).unwrap().0.into_iter().map(of_event).collect())
}

#[test]
fn one_side_of_a_call_to_amazon_connect() {
    let Some(fragments) = recorded("connect_shape_3frag.mkv") else { return };
    for fragment in fragments {
        for track in &*fragment.tracks {
            let chosen = fragment.with_tracks(0, |one| one.name == track.name).unwrap();
            check(&fragment, &chosen, &[track.number]);
            assert_eq!(chosen.frames.len(), 16);
            // What it says of itself is what it said before.
            assert_eq!(chosen.media_type(&chosen.tracks[0]), fragment.media_type(track));
            assert!(chosen.payload.len() < fragment.payload.len() * 6 / 10);
        }
        assert_eq!(fragment.with_tracks(0, |_| true).unwrap(), fragment);
    }
}

#[test]
fn recordings_of_one_track_stay_as_they_are() {
    for name in ["output_get_media.mkv", "kinesis_video_renderer_example_output.mkv"] {
        let Some(fragments) = recorded(name) else { return };
        for fragment in fragments {
            let chosen = fragment.with_tracks(0, |track| track.kind == TrackKind::Video).unwrap();
            if fragment.tracks.len() == 1 {
                assert_eq!(chosen, fragment);
            }
            check(&fragment, &chosen, &chosen.tracks.iter().map(|track| track.number).collect::<Vec<_>>());
        }
    }
}

/// One child of a Cluster, of one of three tracks or of none.
fn cluster_child() -> impl Strategy<Value = Vec<u8>> {
    let track = 1_u8..5;
    let data = prop::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        4 => (track.clone(), data.clone()).prop_map(|(track, data)| element(SIMPLE_BLOCK, &block(track, 0x80, &data))),
        2 => (track.clone(), data.clone(), any::<bool>(), any::<bool>()).prop_map(|(track, data, refers, checked)| {
            let mut children = vec![element(BLOCK, &block(track, 0, &data)), element(BLOCK_DURATION, &[9])];
            if refers {
                children.push(element(0xFB, &[1]));
            }
            if checked {
                children.insert(0, crc());
            }
            master(BLOCK_GROUP, &children)
        }),
        1 => (track.clone(), prop::sample::select(vec![0x02_u8, 0x06]), data.clone()).prop_map(|(track, lacing, data)| {
            let first = if lacing == 0x06 { 0x83 } else { 3 };
            element(SIMPLE_BLOCK, &block(track, lacing, &[&[1, first, 1, 2, 3], &data[..]].concat()))
        }),
        1 => (track, 0_usize..5).prop_map(|(track, size)| {
            element(SIMPLE_BLOCK, &block(track, 0x04, &[vec![2], vec![7; 3 * size]].concat()))
        }),
        1 => prop::sample::select(vec![crc(), element(VOID, &[0; 5]), element(POSITION, &[1]), element(0x4DBB, b"?")]),
        1 => any::<u8>().prop_map(|time| element(TIMESTAMP, &[time])),
    ]
}

fn cluster() -> impl Strategy<Value = Vec<u8>> {
    (prop::collection::vec(cluster_child(), 0..12), prop::sample::select(vec![1_usize, 2, 4, 8]), any::<bool>())
        .prop_map(|(children, length, known)| {
            let content = children.concat();
            let fits = (content.len() as u64) < (1 << (7 * length)) - 1;
            sized(CLUSTER, if known && !fits { 8 } else { length }, &content, known)
        })
}

/// `uids` bounds how many tracks a tag is about.
fn segment_child(uids: usize) -> impl Strategy<Value = Vec<u8>> {
    let tags = prop::collection::vec((prop::collection::vec(100_u8..106, 0..=uids), "[a-c]{1,2}"), 0..4);
    prop_oneof![
        4 => cluster(),
        2 => tags.prop_map(|tags| {
            let tags: Vec<_> = tags.iter().map(|(uids, name)| tag(uids, name)).collect();
            master(TAGS, &tags)
        }),
        1 => prop::sample::select(vec![
            crc(), element(VOID, &[0; 30]), element(SEEK_HEAD, &[]), element(CUES, &[]), element(CHAPTERS, &[]),
        ]),
    ]
}

/// What the fragment's tags are once the tracks are chosen.
fn kept_tags<'a>(fragment: &'a Fragment, kept: &[&Track]) -> Vec<Tag<'a>> {
    let about_kept = |tag: &Tag<'_>| {
        let uid = tag.track_uid;
        uid.is_none_or(|uid| !(101..104).contains(&uid) || kept.iter().any(|track| track.uid == uid))
    };
    fragment.tags().filter(about_kept).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn splitting_what_was_chosen_gives_the_kept_frames(
        (children, single) in prop_oneof![
            (prop::collection::vec(segment_child(1), 0..8), Just(true)),
            (prop::collection::vec(segment_child(3), 0..8), Just(false)),
        ],
        segment in 0_usize..4, end_at in any::<prop::sample::Index>(), choice in 1_u8..8, list in any::<bool>(),
    ) {
        let tracks = master(TRACKS, &[crc(), entry(1), entry(2), entry(3)]);
        let content = [vec![tracks, number()], children, vec![end(NUMBER)]].concat().concat();
        let ebml = element(EBML, &element(0x4282, b"matroska"));
        let bytes = match segment {
            0 => [ebml, sized(SEGMENT, 8, &content, false)].concat(),
            1 => [ebml, sized(SEGMENT, 4, &content, true)].concat(),
            // A size that ends somewhere in the content, because the service has appended tags.
            2 => {
                let at = end_at.index(content.len());
                [ebml, sized(SEGMENT, 8, &content[..at], true), content[at..].to_vec()].concat()
            }
            _ => [ebml, sized(SEGMENT, 1, &content, false)].concat(),
        };
        let completion = if list { Completion::NextChunkOrEnd } else { Completion::Token };
        let (mut events, end) = split_at(&bytes, &[], completion).unwrap();
        if let End::Event(event) = end {
            events.push(event);
        }
        let Event::Fragment(fragment) = events.remove(0) else { panic!("{events:?}") };
        let numbers: Vec<u64> = (1..4).filter(|number| choice >> (number - 1) & 1 == 1).collect();
        let chosen = only(&fragment, &numbers);
        check(&fragment, &chosen, &numbers);
        let kept: Vec<_> = fragment.tracks.iter().filter(|track| numbers.contains(&track.number)).collect();
        // Of a tag about several tracks, the index has the last only.
        if single || numbers.len() == 3 {
            prop_assert_eq!(chosen.tags().collect::<Vec<_>>(), kept_tags(&fragment, &kept));
        }
        prop_assert!(chosen.payload.len() <= fragment.payload.len());
    }
}
