//! Invalid input and input that asks for too much: an error that names the offset, and nothing worse.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use kvs_mkv::{Completion, ErrorKind, Event, LimitKind, Limits, Splitter};

fn refused(bytes: &[u8], limits: Limits) -> kvs_mkv::Error {
    let mut splitter = Splitter::new(limits, Completion::Token);
    let mut rest = bytes;
    let error = loop {
        match splitter.push(&mut rest) {
            Ok(Some(_)) => {}
            Ok(None) => break splitter.finish().expect_err("has to be refused"),
            Err(error) => break error,
        }
    };
    // The same splitter accepts a new stream.
    let good = chunk("7", 1, 10);
    let event = Splitter::new(Limits::default(), Completion::Token).push(&mut good.as_slice()).unwrap();
    assert!(matches!(event, Some(Event::Fragment(_))));
    if limits == Limits::default() {
        assert!(matches!(splitter.push(&mut good.as_slice()), Ok(Some(Event::Fragment(_)))));
    }
    error
}

fn kind(bytes: &[u8]) -> (ErrorKind, &'static str, u64) {
    let error = refused(bytes, Limits::default());
    (error.kind().clone(), error.element(), error.offset())
}

#[test]
fn names_element_and_offset() {
    let head_size = head().len() as u64;
    assert_eq!(kind(b"\x1F\x43\xB6\x75\x80"), (ErrorKind::NotAChunk, "Cluster", 0));
    assert_eq!(kind(b"\x00\x01"), (ErrorKind::BadElementId, "unknown element", 0));
    assert_eq!(kind(b"\x1A\x45\xDF\xA3\x00"), (ErrorKind::BadElementSize, "EBML", 0));
    let unknown_tracks = sized(0x1654_AE6B, 1, &[], false);
    assert_eq!(kind(&[head(), unknown_tracks].concat()), (ErrorKind::UnknownSize, "Tracks", head_size));
    let overrun = element(0x1F43_B675, &element(0xA3, &[0x81, 0, 0, 0, 1])[..12]);
    let at = head_size + 12;
    assert_eq!(kind(&[head(), overrun].concat()), (ErrorKind::Overruns { parent: "Cluster" }, "SimpleBlock", at));
    let text = refused(b"\x1F\x43\xB6\x75\x80", Limits::default()).to_string();
    assert_eq!(text, "Cluster (id 0x1F43B675) at byte 0: a chunk has to begin with an EBML header");
}

#[test]
fn refuses_what_would_lose_media() {
    let after_token = [chunk("7", 1, 1), writer().cluster(0, &[])].concat();
    assert!(matches!(kind(&after_token).0, ErrorKind::MediaAfterToken));
    let nameless = [head(), end("7")].concat();
    assert!(matches!(kind(&nameless).0, ErrorKind::MissingFragmentNumber));
    let misnamed = [head(), writer().tags(&[("AWS_KINESISVIDEO_FRAGMENT_NUMBER", "7a")])].concat();
    assert!(matches!(kind(&misnamed).0, ErrorKind::BadFragmentNumber));
}

#[test]
fn bad_blocks() {
    for (content, reason) in [
        (&[0x81, 0][..], "it is cut"),
        (&[0x00, 0, 0, 0, 0], "its track number is not valid"),
        (&[0x81, 0, 0, 0x02], "its lacing has no frame count"),
        (&[0x81, 0, 0, 0x02, 1, 255], "its lacing is cut"),
    ] {
        let cluster = element(0x1F43_B675, &element(0xA3, content));
        assert_eq!(kind(&[start("7"), cluster].concat()).0, ErrorKind::BadBlock { reason });
    }
}

#[test]
fn every_limit_is_enforced_and_the_error_has_both_sizes() {
    let small = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        limits
    };
    let bytes = chunk("7", 5, 1000);
    let nested = element(0x67C8, &[element(0x45A3, b"a"), element(0x67C8, &element(0x45A3, b"b"))].concat());
    let nested = [head(), element(0x1254_C367, &element(0x7373, &nested))].concat();
    let cases = [
        (small(|limits| limits.fragment_size_bytes = 3000), &bytes, "fragment bytes", 3000),
        (small(|limits| limits.header_size_bytes = 100), &bytes, "bytes before the first cluster", 100),
        (small(|limits| limits.tags = 2), &bytes, "tags", 2),
        (small(|limits| limits.tracks = 0), &bytes, "tracks", 0),
        (small(|limits| limits.frames = 4), &bytes, "frames", 4),
        (small(|limits| limits.nesting = 1), &nested, "nested tags", 1),
    ];
    for (limits, bytes, expected_what, expected_limit) in cases {
        match refused(bytes, limits).kind() {
            ErrorKind::TooLarge { what, actual, limit } => {
                assert_eq!((what.to_string().as_str(), *limit), (expected_what, expected_limit));
                assert!(actual > limit);
            }
            other => panic!("{expected_what}: {other}"),
        }
    }
}

#[test]
fn a_size_field_allocates_nothing() {
    // 2^56 - 2 bytes of SimpleBlock, and a Void of the same size between chunks.
    let huge = [0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE];
    let block = [start("7"), sized(0x1F43_B675, 1, &[], false), vec![0xA3], huge.to_vec()].concat();
    assert!(matches!(kind(&block).0, ErrorKind::TooLarge { what: LimitKind::FragmentBytes, .. }));
    let void = [chunk("7", 1, 1), vec![0xEC], huge.to_vec()].concat();
    assert!(matches!(kind(&void).0, ErrorKind::TooLarge { what: LimitKind::BytesBetweenChunks, .. }));
}

/// What had arrived of a broken chunk is what was copied of it, and the rest of the piece.
#[test]
fn the_bytes_of_a_broken_chunk_are_at_hand() {
    let mut bad = chunk("7", 3, 100);
    let block = bad.windows(3).position(|three| three[0] == 0xA3 && three[2] == 0x81).unwrap();
    bad[block + 2] = 0;
    let nameless = [head(), end("7")].concat();
    for (bad, next) in [(&bad, vec![]), (&nameless, chunk("8", 1, 1))] {
        let before = chunk("6", 2, 50);
        let bytes = [before.clone(), bad.clone(), next].concat();
        for size in [1, 50, 10_000] {
            let mut splitter = Splitter::default();
            let mut at = 0;
            let rest = loop {
                let mut piece = &bytes[at..bytes.len().min(at + size)];
                at += piece.len();
                match splitter.push(&mut piece) {
                    Ok(Some(Event::Fragment(fragment))) if fragment.number.as_str() == "6" => at -= piece.len(),
                    Ok(None) => {}
                    Ok(event) => panic!("{event:?}"),
                    Err(_) => break piece,
                }
            };
            let broken = splitter.take_broken().unwrap();
            assert_eq!(broken.offset, before.len() as u64);
            let copied = &bytes[before.len()..at - rest.len()];
            assert_eq!(&*broken.payload, copied, "in pieces of {size}");
        }
    }
}
