use std::io::Cursor;

use super::*;
use crate::limits::Limits;
use crate::splitter::Splitter;
use crate::track::Track;
use crate::writer::{ChunkWriter, FrameData};

fn document(codec: &str, cluster_ns: i64, frames: &[(i64, bool, &[u8])]) -> FileSegment {
    FileSegment::read_all(&bytes(codec, cluster_ns, frames), Limits::default()).unwrap().remove(0)
}

fn bytes(codec: &str, cluster_ns: i64, frames: &[(i64, bool, &[u8])]) -> Vec<u8> {
    let writer = ChunkWriter::new("test");
    let mut track = Track::new(1, TrackKind::Video, codec);
    track.codec_private = Some(vec![1, 2, 3]);
    let frames: Vec<_> = frames
        .iter()
        .map(|(at, key, data)| FrameData { track: 1, timestamp_ns: cluster_ns + at, key: *key, data })
        .collect();
    let mut bytes = writer.head(&[track]);
    bytes.extend(writer.tags(&[("site", "north")]));
    bytes.extend(writer.cluster(cluster_ns, &frames));
    bytes
}

#[test]
fn clusters_of_several_documents_are_one_file() {
    let first = document("V_VP8", 5_000_000_000, &[(0, true, b"a"), (40_000_000, false, b"b")]);
    let second = document("V_VP8", 1_000_000_000, &[(0, false, b"c"), (40_000_000, true, b"d")]);
    let third = document("V_VP8", 0, &[(0, false, b"e")]);
    let mut joiner = FileJoiner::new(Cursor::new(Vec::new()), &first, Some(978_307_201_000_000_000)).unwrap();
    assert!(joiner.accepts(&second).unwrap());
    assert!(!joiner.accepts(&document("V_VP9", 0, &[])).unwrap());
    for (document, at_ns) in [(&first, 0), (&second, 80_000_000), (&third, 10_000_000_000)] {
        joiner.cluster(&document.clusters[0], at_ns).unwrap();
    }
    let file = joiner.finish().unwrap().into_inner();

    let read = Splitter::read_document(&file, Limits::default()).unwrap();
    let frames: Vec<_> = (0..3)
        .flat_map(|cluster| {
            read.cluster_frames(cluster)
                .map(|(frame, data)| (frame.timestamp_ns, frame.key, data.to_vec()))
                .collect::<Vec<_>>()
        })
        .collect();
    let expected = [(0, true, "a"), (40, false, "b"), (80, false, "c"), (120, true, "d"), (10_000, false, "e")];
    let expected: Vec<_> =
        expected.iter().map(|(at, key, data)| (at * 1_000_000_i64, *key, data.as_bytes().to_vec())).collect();
    assert_eq!(frames, expected);
    assert_eq!(read.tags().map(|tag| tag.name.into_owned()).collect::<Vec<_>>(), ["site"]);

    // The Segment has its size, and its places are those that the SeekHead and the Cues say.
    let ebml_end = end_of(&file, 0, header_at(&file, 0).unwrap()).unwrap();
    let segment = header_at(&file, ebml_end).unwrap();
    let content_at = ebml_end + segment.length_bytes;
    assert_eq!(segment.size_bytes, Some((file.len() - content_at) as u64));
    let mut children = Children::new(&file[content_at..], id::SEGMENT, 0);
    let (mut sought, mut cued, mut found) = (Vec::new(), Vec::new(), Vec::new());
    let mut at = 0_u64;
    while let Some(child) = children.next().unwrap() {
        found.push((child.id, at));
        if child.id == id::SEEK_HEAD {
            let mut entries = Children::new(child.content, id::SEEK_HEAD, 0);
            while let Some(entry) = entries.next().unwrap() {
                let mut parts = Children::new(entry.content, id::SEEK, 0);
                let which = ebml::read_uint(parts.next().unwrap().unwrap().content).unwrap();
                sought.push((
                    u32::try_from(which).unwrap(),
                    ebml::read_uint(parts.next().unwrap().unwrap().content).unwrap(),
                ));
            }
        }
        if child.id == id::CUES {
            let mut points = Children::new(child.content, id::CUES, 0);
            while let Some(point) = points.next().unwrap() {
                let mut parts = Children::new(point.content, id::CUE_POINT, 0);
                let time = ebml::read_uint(parts.next().unwrap().unwrap().content).unwrap();
                let place = parts.next().unwrap().unwrap();
                let mut place = Children::new(place.content, id::CUE_TRACK_POSITIONS, 0);
                assert_eq!(place.next().unwrap().unwrap().content, [1]);
                cued.push((time, ebml::read_uint(place.next().unwrap().unwrap().content).unwrap()));
            }
        }
        if child.id == id::INFO {
            assert_eq!(&child.content[child.content.len() - 8..], 10_000_f64.to_be_bytes());
        }
        at = (child.content_at + child.content.len()) as u64;
    }
    let clusters: Vec<u64> = found.iter().filter(|(which, _)| *which == id::CLUSTER).map(|(_, at)| *at).collect();
    assert_eq!(cued, [(0, clusters[0]), (80, clusters[1])]);
    for (which, position) in &sought {
        assert!(found.contains(&(*which, *position)), "{which:x} at {position}: {found:?}");
    }
    assert_eq!(sought.len(), 3);
}

#[test]
fn a_file_that_is_not_finished_can_be_read() {
    let first = document("V_VP8", 0, &[(0, true, b"a")]);
    let mut joiner = FileJoiner::new(Cursor::new(Vec::new()), &first, None).unwrap();
    joiner.cluster(&first.clusters[0], 0).unwrap();
    let file = joiner.out.into_inner();
    assert_eq!(Splitter::read_document(&file, Limits::default()).unwrap().frames.len(), 1);
}

/// The splitter reads it with the default, too.
#[test]
fn a_scale_of_zero_is_the_default() {
    let mut zero = bytes("V_VP8", 40_000_000, &[(0, true, b"a")]);
    let scale = [0x2A, 0xD7, 0xB1, 0x83, 0x0F, 0x42, 0x40];
    let at = zero.windows(scale.len()).position(|bytes| bytes == scale).unwrap();
    zero[at + 4..at + 7].fill(0);
    let zero = FileSegment::read_all(&zero, Limits::default()).unwrap().remove(0);

    let mut joiner = FileJoiner::new(Cursor::new(Vec::new()), &zero, None).unwrap();
    assert_eq!(joiner.scale_ns(), 1_000_000);
    let usual = document("V_VP8", 0, &[(0, true, b"b")]);
    assert!(joiner.accepts(&usual).unwrap());
    joiner.cluster(&zero.clusters[0], 0).unwrap();
    joiner.cluster(&usual.clusters[0], 40_000_000).unwrap();
    let file = joiner.finish().unwrap().into_inner();
    let read = Splitter::read_document(&file, Limits::default()).unwrap();
    assert_eq!(read.frames.iter().map(|frame| frame.timestamp_ns).collect::<Vec<_>>(), [0, 40_000_000]);
}
