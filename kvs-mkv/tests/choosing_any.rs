//! Choosing any tracks of any fragment: whatever the layout, the result is a chunk with the kept frames.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "common/tracks.rs"]
mod tracks;

use common::*;
use kvs_mkv::{Completion, End, Event, Fragment, Tag, Track};
use proptest::prelude::*;
use tracks::*;

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
