//! Choosing tracks of a fragment: `Fragment::with_tracks`. Real recordings are read from the folder `KVS_RECORDINGS`; without it,
//! their test prints that it is skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "common/tracks.rs"]
mod tracks;

use common::*;
use kvs_mkv::{Event, Fragment, Payload, TrackKind, TracksError};
use tracks::*;

/// Returns what the payload of a chunk with these children becomes when track 1 is kept.
fn first_of(children: &[Vec<u8>]) -> Vec<u8> {
    let fragment = only_fragment(&document(children));
    let chosen = only(&fragment, &[1]);
    check(&fragment, &chosen, &[1]);
    chosen.payload.to_vec()
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
