#![allow(clippy::unwrap_used, clippy::panic)]

use kvs_mkv::{ChunkWriter, Event, FrameData, LeadingTags, Splitter, Timestamp, Track, TrackKind, TrailingTags};

use super::*;
use crate::budget::MemoryPermit;

fn number(number: u64) -> FragmentNumber {
    number.to_string().parse().unwrap()
}

/// Returns the fragment with this number, which its producer made at as many seconds.
fn pulled(of: u64, codec: &str) -> PulledFragment {
    let seconds = i64::try_from(of).unwrap();
    let leading = LeadingTags {
        number: number(of),
        server_timestamp: Timestamp::from_millis(seconds * 1_000),
        producer_timestamp: Timestamp::from_millis(seconds * 1_000),
    };
    let start_ns = seconds * 1_000_000_000;
    let frames = [FrameData { track: 1, timestamp_ns: start_ns, key: true, data: &[7] }];
    let trailing = TrailingTags { millis_behind_now: 0, continuation_token: "t".to_owned() };
    let tracks = [Track::new(1, TrackKind::Video, codec)];
    let bytes = ChunkWriter::new("tests").chunk(&tracks, &[], &leading, start_ns, &frames, &trailing);
    let Ok(Some(Event::Fragment(fragment))) = Splitter::default().push(&mut bytes.as_slice()) else { panic!() };
    PulledFragment {
        fragment,
        permit: MemoryPermit::default(),
        content_type: None,
        request_id: None,
        discontinuity: false,
        continuity: Continuity::default(),
    }
}

/// Lets a fragment follow; returns whether it is a discontinuity.
fn follows(succession: &mut Succession, of: u64) -> bool {
    let mut pulled = pulled(of, "V_VP8");
    succession.follow(&mut pulled);
    pulled.discontinuity
}

#[test]
fn the_first_fragment_of_a_stream_continues_nothing_and_the_others_do() {
    let mut succession = Succession::after(None);
    assert_eq!([1, 2, 5].map(|of| follows(&mut succession, of)), [true, false, false]);
}

/// The puller is stopped after each fragment, and another one continues from the position.
#[test]
fn a_position_says_everything_that_the_next_fragment_is_compared_with() {
    let codecs = ["V_VP8", "V_VP8", "V_VP9", "V_VP9"];
    let mut stays = Succession::after(None);
    let mut position = None;
    for (of, codec) in (1..).zip(codecs) {
        let (mut one, mut other) = (pulled(of, codec), pulled(of, codec));
        stays.follow(&mut one);
        Succession::after(position.take()).follow(&mut other);
        assert_eq!(one.discontinuity, [1, 3].contains(&of), "{of}");
        assert_eq!((one.discontinuity, one.position()), (other.discontinuity, other.position()), "{of}");
        position = Some(other.position());
    }
}

#[test]
fn what_is_repeated_after_an_interruption_does_not_end_it() {
    let mut succession = Succession::after(Some(pulled(4, "V_VP8").position()));
    succession.interrupt();
    assert_eq!([3, 4, 6, 7].map(|of| follows(&mut succession, of)), [false, false, true, false]);
}

#[test]
fn a_skipped_fragment_interrupts_also_for_a_puller_that_continues_from_it() {
    let skipped = |of| StreamPosition {
        continuity: Continuity { interrupted: true, ..Continuity::default() },
        ..pulled(of, "V_VP8").position()
    };
    let mut succession = Succession::after(None);
    follows(&mut succession, 1);
    succession.pass_over(&skipped(2));
    assert_eq!([3, 4].map(|of| follows(&mut succession, of)), [true, false]);
    let mut succession = Succession::after(Some(skipped(2)));
    assert_eq!([3, 4].map(|of| follows(&mut succession, of)), [true, false]);
}

#[test]
fn a_missing_fragment_interrupts_where_it_is_missing() {
    let mut succession = Succession::after(None);
    follows(&mut succession, 2);
    // Listed too late; never there; two in a row; arrives after all; behind everything.
    succession.miss(&[1, 4, 6, 7, 9, 20].map(number));
    let found = [3, 5, 8, 9, 10, 11].map(|of| follows(&mut succession, of));
    assert_eq!(found, [false, true, true, false, false, false]);
}

/// An archive that lists far more than it can send, before the first fragment that it sends.
#[test]
fn the_memory_for_missing_fragments_is_bounded() {
    let mut succession = Succession::after(Some(pulled(1, "V_VP8").position()));
    for first in (10..100_010).step_by(1_000) {
        succession.miss(&(first..first + 1_000).map(number).collect::<Vec<_>>());
        assert!(succession.missing.len() <= MISSING_MAX);
    }
    assert_eq!([2, 11, 12].map(|of| follows(&mut succession, of)), [false, true, false]);
    assert_eq!([100_008, 100_010, 100_011].map(|of| follows(&mut succession, of)), [true, true, false]);
}
