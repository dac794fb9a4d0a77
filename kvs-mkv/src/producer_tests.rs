#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::{ChunkWriter, FrameData, Track, TrackKind};

fn cluster(millis: i64, open: bool) -> Vec<u8> {
    let frames = [
        FrameData { track: 1, timestamp_ns: millis * 1_000_000, key: true, data: b"one" },
        FrameData { track: 1, timestamp_ns: (millis + 40) * 1_000_000, key: false, data: b"two" },
    ];
    let written = ChunkWriter::new("test").cluster(millis * 1_000_000, &frames);
    if !open {
        return written;
    }
    // Replaces the size field's one byte with an unknown size.
    [&written[..4], &[0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], &written[5..]].concat()
}

fn document(open: bool) -> Vec<u8> {
    let writer = ChunkWriter::new("test");
    let head = writer.head(&[Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC")]);
    [head, cluster(0, open), writer.tags(&[("door", "open")]), cluster(1000, open), cluster(2000, open)].concat()
}

fn split(bytes: &[u8], piece: usize) -> Result<Vec<ProducedFragment>, Error> {
    let mut splitter = ProducerSplitter::new(Limits::default());
    let mut fragments = Vec::new();
    for piece in bytes.chunks(piece) {
        splitter.push(piece);
        while let Some(fragment) = splitter.next()? {
            fragments.push(fragment);
        }
    }
    while let Some(fragment) = splitter.finish()? {
        fragments.push(fragment);
    }
    Ok(fragments)
}

#[test]
fn each_cluster_is_a_fragment_however_the_bytes_are_cut() {
    for open in [false, true] {
        for piece in [1, 3, 7, 64, 100_000] {
            let fragments = split(&document(open), piece).unwrap();
            let starts: Vec<i64> = fragments.iter().map(|one| one.document.clusters[0].timestamp_ns).collect();
            assert_eq!(starts, [0, 1_000_000_000, 2_000_000_000], "open {open}, pieces of {piece}");
            assert!(fragments.iter().all(|one| one.document.frames.len() == 2));
            let tagged: Vec<usize> = fragments.iter().map(|one| one.document.tags().count()).collect();
            assert_eq!(tagged, [0, 1, 0]);
        }
    }
}

#[test]
fn a_cluster_of_known_size_is_returned_with_its_last_byte() {
    let bytes = document(false);
    let first_end =
        bytes.len() - cluster(1000, false).len() * 2 - ChunkWriter::new("t").tags(&[("door", "open")]).len();
    let mut splitter = ProducerSplitter::new(Limits::default());
    splitter.push(&bytes[..first_end - 1]);
    assert!(splitter.next().unwrap().is_none());
    assert!(splitter.in_cluster());
    splitter.push(&bytes[first_end - 1..first_end]);
    assert!(splitter.next().unwrap().is_some());
}

#[test]
fn invalid_documents_are_refused() {
    let twice = [document(false), document(false)].concat();
    assert!(split(&twice, 100).is_err());
    assert!(split(b"this is no MKV at all", 4).is_err());
    let cut = document(false);
    assert!(matches!(split(&cut[..cut.len() - 1], 50).unwrap_err().kind(), ErrorKind::Truncated));
    let mut small = ProducerSplitter::new(Limits::default().with_fragment_size_bytes(20));
    small.push(&document(true));
    assert!(matches!(small.next().unwrap_err().kind(), ErrorKind::TooLarge { .. }));
}
