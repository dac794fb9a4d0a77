#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::{ChunkWriter, FrameData, Track, TrackKind};

fn writer() -> ChunkWriter {
    ChunkWriter::new("test")
}

fn head() -> Vec<u8> {
    writer().head(&[Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC")])
}

/// Returns a cluster of two frames, 40 ms apart.
fn cluster(millis: i64) -> Vec<u8> {
    let frame = |millis: i64, key| FrameData { track: 1, timestamp_ns: millis * 1_000_000, key, data: b"frame" };
    writer().cluster(millis * 1_000_000, &[frame(millis, true), frame(millis + 40, false)])
}

/// Returns the cluster with an unknown size.
fn open(cluster: &[u8]) -> Vec<u8> {
    [&cluster[..4], &[0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], &cluster[5..]].concat()
}

fn written(id: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    element(&mut bytes, id, content);
    bytes
}

fn read(file: &[u8]) -> Vec<FileSegment> {
    FileSegment::read_all(file, Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn heads_and_clusters_keep_their_bytes() {
    let tags = writer().tags(&[("door", "open")]);
    let attachments = written(id::ATTACHMENTS, &[0; 500]);
    let file =
        [head(), written(id::SEEK_HEAD, &[0; 9]), attachments, cluster(0), open(&cluster(1_000)), cluster(3_000)];
    // Tags after the clusters belong to the whole file.
    let segments = read(&[file.concat(), written(id::CUES, &[0; 9]), tags.clone()].concat());
    assert_eq!(segments.len(), 1);
    assert_eq!(segments[0].head, [head(), tags].concat());
    let [first, second, third] = &segments[0].clusters[..] else { panic!("three clusters") };
    assert_eq!((&first.bytes, &third.bytes), (&cluster(0), &cluster(3_000)));
    let millis = 1_000_000;
    assert_eq!(first.span_ns, Some((0, 80 * millis)));
    assert_eq!((second.timestamp_ns, second.span_ns), (1_000 * millis, Some((1_000 * millis, 1_080 * millis))));
    // The size is known now.
    assert_eq!(second.bytes, [&cluster(0)[..4], &[1, 0, 0, 0, 0, 0, 0, 26], &cluster(1_000)[5..]].concat());
}

#[test]
fn a_file_may_hold_several_segments() {
    let second_head = writer().head(&[Track::new(1, TrackKind::Audio, "A_OPUS")]);
    let ebml_bytes = second_head.windows(4).position(|window| window == id::SEGMENT.to_be_bytes()).unwrap();
    for from in [0, ebml_bytes] {
        for last in [cluster(0), open(&cluster(0))] {
            let segments = read(&[&head(), last.as_slice(), &second_head[from..], &cluster(500)].concat());
            let heads: Vec<&[u8]> = segments.iter().map(|segment| segment.head.as_slice()).collect();
            assert_eq!(heads, [&head(), &second_head]);
            assert!(segments.iter().all(|segment| segment.clusters.len() == 1));
        }
    }
}

#[test]
fn tags_of_the_service_are_left_out_and_others_stay_as_they_are() {
    let about_a_track = |name: &str| {
        let simple_tag = [written(id::TAG_NAME, name.as_bytes()), written(id::TAG_STRING, b"x")].concat();
        let targets = written(id::TARGETS, &written(id::TAG_TRACK_UID, &[1]));
        written(id::TAG, &[targets, written(id::SIMPLE_TAG, &simple_tag)].concat())
    };
    let number = "AWS_KINESISVIDEO_FRAGMENT_NUMBER";
    let tags = written(id::TAGS, &[about_a_track("DURATION"), about_a_track(number)].concat());
    let left = written(id::TAGS, &about_a_track("DURATION"));
    assert_eq!(read(&[head(), tags, cluster(0)].concat())[0].head, [head(), left].concat());
}

#[test]
fn errors_have_the_offset_in_the_file() {
    let error = |file: &[u8]| FileSegment::read_all(file, Limits::default()).unwrap_err();
    let whole = [head(), cluster(0)].concat();
    let at = head().len() as u64;
    let cut = error(&whole[..whole.len() - 1]);
    assert_eq!((cut.kind(), cut.element(), cut.offset()), (&ErrorKind::Truncated, "Cluster", at));
    assert_eq!(error(b"").kind(), &ErrorKind::NotAChunk);
    assert_eq!(error(&cluster(0)).kind(), &ErrorKind::NotAChunk);
    // A block without a track number, after padding that the head does not keep.
    let padding = written(id::VOID, &[0; 100]);
    for open_too in [false, true] {
        let mut bad = cluster(0);
        let block = bad.windows(2).position(|window| window == [0xA3, 0x80 | 9]).unwrap();
        bad[block + 2] = 0;
        let (bad, longer) = if open_too { (open(&bad), 7) } else { (bad, 0) };
        let error = error(&[head(), padding.clone(), bad].concat());
        assert!(matches!(error.kind(), ErrorKind::BadBlock { .. }), "{error}");
        assert_eq!(error.offset(), at + padding.len() as u64 + block as u64 + longer);
    }
    let mut bad_head = [head(), padding, writer().tags(&[("a", "b")]), cluster(0)].concat();
    let tag = bad_head.windows(2).position(|window| window == [0x73, 0x73]).unwrap();
    bad_head[tag + 2] = 0xBF;
    let error = error(&bad_head);
    assert_eq!((error.element(), error.offset()), ("Tag", tag as u64), "{error}");
}
