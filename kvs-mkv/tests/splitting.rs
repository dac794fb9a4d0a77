//! Splitting valid media, layout by layout.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use kvs_mkv::{Completion, End, Event, FrameData, TagValue};
use proptest::prelude::*;

#[test]
fn reads_what_the_writer_writes() {
    let bytes = chunk(NUMBER, 3, 100);
    let fragment = only_fragment(&bytes);
    assert_eq!(fragment.number.as_str(), NUMBER);
    assert_eq!(fragment.server_timestamp.unwrap().millis(), 1_511_852_109_126);
    assert_eq!(fragment.producer_timestamp.unwrap().millis(), 1_511_852_108_513);
    assert_eq!(fragment.millis_behind_now, Some(15_858));
    assert_eq!(fragment.continuation_token.as_deref(), Some(NUMBER));
    assert!(fragment.complete);
    assert_eq!(&*fragment.payload, bytes.as_slice());
    assert_eq!(&*fragment.tracks, [video_track()].as_slice());
    assert_eq!(fragment.clusters.len(), 1);
    let times: Vec<_> = fragment.frames.iter().map(|frame| frame.timestamp_ns).collect();
    assert_eq!(times, [0, 33_000_000, 66_000_000]);
    assert_eq!(fragment.duration_ns(), 99_000_000);
    let keys: Vec<_> = fragment.frames.iter().map(|frame| frame.key).collect();
    assert_eq!(keys, [true, false, false]);
    for frame in &fragment.frames {
        assert_eq!(fragment.frame_data(frame).len(), 100);
        assert!(fragment.frame_data(frame).iter().enumerate().all(|(index, &byte)| byte == index as u8));
    }
    let tags: Vec<_> = fragment.tags().map(|tag| (tag.name.into_owned(), tag.value)).collect();
    let text = |text: &'static str| TagValue::Text(text.into());
    assert_eq!(tags, [("place".to_owned(), text("gate")), ("who".to_owned(), text("nobody"))]);
}

#[test]
fn a_missing_tag_is_none_not_1970() {
    let number = [("AWS_KINESISVIDEO_FRAGMENT_NUMBER", "7")];
    let token = [("AWS_KINESISVIDEO_CONTINUATION_TOKEN", "t")];
    let fragment = only_fragment(&[head(), writer().tags(&number), writer().tags(&token)].concat());
    assert_eq!(fragment.server_timestamp, None);
    assert_eq!(fragment.producer_timestamp, None);
    assert_eq!(fragment.millis_behind_now, None);
}

#[test]
fn a_chunk_without_a_cluster_is_a_fragment_when_it_has_its_token() {
    let fragment = only_fragment(&[start("7"), end("7")].concat());
    assert!(fragment.frames.is_empty() && fragment.clusters.is_empty());
    assert_eq!(fragment.duration_ns(), 0);
}

#[test]
fn known_and_unknown_sizes_of_segment_and_cluster() {
    let frames = [FrameData { track: 1, timestamp_ns: 0, key: true, data: &[9; 50] }];
    let cluster = writer().cluster(0, &frames);
    let content = &cluster[5..];
    let info_to_tags = start("7")[head().iter().position(|&byte| byte == 0x18).unwrap() + 12..].to_vec();
    let ebml_length = head().iter().position(|&byte| byte == 0x18).unwrap();
    let ebml = &head()[..ebml_length];
    for cluster_known in [true, false] {
        for size_length in [1, 2, 8] {
            let cluster = sized(0x1F43_B675, size_length, content, cluster_known);
            let body = [info_to_tags.clone(), cluster, end("7")].concat();
            for segment in [
                sized(0x1853_8067, 8, &body, false),
                sized(0x1853_8067, 1, &body, false),
                sized(0x1853_8067, 8, &body, true),
                sized(0x1853_8067, 4, &body, true),
            ] {
                let bytes = [ebml, &segment].concat();
                assert_eq!(only_fragment(&bytes).frames.len(), 1);
                let twice = [bytes.clone(), bytes].concat();
                let (events, end) = split(&twice).unwrap();
                assert_eq!((events.len(), end), (2, End::Clean));
            }
        }
    }
}

#[test]
fn a_segment_of_known_size_is_read_to_its_end() {
    let ebml_length = head().iter().position(|&byte| byte == 0x18).unwrap();
    let body = [start("7")[ebml_length + 12..].to_vec(), end("7"), element(0xEC, &[0; 30])].concat();
    let bytes = [head()[..ebml_length].to_vec(), element(0x1853_8067, &body)].concat();
    assert_eq!(&*only_fragment(&bytes).payload, bytes.as_slice());
    // A Segment whose size ends before the tags that the service appended.
    let shorter = [head()[..ebml_length].to_vec(), element(0x1853_8067, &body[..20]), body[20..].to_vec()].concat();
    let (events, _) = split(&shorter).unwrap();
    assert!(matches!(&events[..], [Event::Fragment(fragment)] if fragment.number.as_str() == "7"));
}

#[test]
fn clusters_and_tags_in_any_order() {
    let frame = |at| FrameData { track: 1, timestamp_ns: at, key: true, data: b"\x1A\x45\xDF\xA3 magic inside" };
    let bytes = [
        writer().head(&[video_track()]),
        writer().tags(&[("a", "1")]),
        writer().leading_tags(&leading("7")),
        writer().cluster(0, &[frame(0), frame(1_000_000)]),
        writer().tags(&[("b", "2"), ("a", "3")]),
        element(0xEC, &[0; 4000]),
        writer().cluster(5_000_000_000, &[frame(5_000_000_000)]),
        element(0x1C53_BB6B, &[0xEC, 0x80]),
        element(0x4DBB, b"unknown"),
        writer().tags(&[("c", "4")]),
        end("7"),
    ]
    .concat();
    let fragment = only_fragment(&bytes);
    assert_eq!(fragment.clusters.len(), 2);
    assert_eq!(fragment.clusters[1].first_frame, 2);
    assert_eq!(fragment.clusters[1].timestamp_ns, 5_000_000_000);
    assert_eq!(fragment.frames.len(), 3);
    let tags: Vec<_> = fragment.tags().map(|tag| tag.name.into_owned()).collect();
    assert_eq!(tags, ["a", "b", "c"]);
    assert_eq!(fragment.tags().next().unwrap().value, TagValue::Text("3".into()));
}

#[test]
fn block_groups_and_lacing() {
    let block = |flags: u8, body: &[u8]| [&[0x81, 0, 10, flags], body].concat();
    let group = |children: &[Vec<u8>]| element(0xA0, &children.concat());
    let cluster = element(
        0x1F43_B675,
        &[
            element(0xE7, &[100]),
            group(&[element(0xA1, &block(0, b"key")), element(0x9B, &[20])]),
            group(&[element(0xFB, &[1]), element(0xA1, &block(0, b"delta"))]),
            element(0xA3, &block(0x80 | 0x04, &[1, 1, 2, 3, 4])),
            element(0xA3, &block(0x02, &[1, 3, 1, 2, 3, 4])),
            element(0xA3, &block(0x06, &[1, 0x83, 1, 2, 3, 4])),
        ]
        .concat(),
    );
    let fragment = only_fragment(&[start("7"), cluster, end("7")].concat());
    let seen: Vec<_> = fragment.frames.iter().map(|frame| (fragment.frame_data(frame), frame.key)).collect();
    let expected: [(&[u8], bool); 8] = [
        (b"key", true),
        (b"delta", false),
        (&[1, 2], true),
        (&[3, 4], true),
        (&[1, 2, 3], false),
        (&[4], false),
        (&[1, 2, 3], false),
        (&[4], false),
    ];
    assert_eq!(seen, expected);
    assert_eq!(fragment.frames[0].timestamp_ns, 110_000_000);
    assert_eq!(fragment.frames[0].duration_ns, Some(20_000_000));
}

#[test]
fn the_end_of_the_body_proves_nothing() {
    let whole = chunk(NUMBER, 5, 40);
    let next = chunk("8", 5, 40);
    for cut in 1..next.len() {
        let (events, end) = split(&[&whole[..], &next[..cut]].concat()).unwrap();
        assert_eq!(events.len(), 1, "cut at {cut}");
        assert!(matches!(end, End::Cut { received_bytes, .. } if received_bytes == cut), "cut at {cut}: {end:?}");
    }
}

#[test]
fn a_chunk_without_its_token_is_unterminated_when_the_next_begins() {
    let unknown_cluster = sized(0x1F43_B675, 1, &writer().cluster(0, &[])[5..], false);
    let first = [start("7"), unknown_cluster].concat();
    let (events, end) = split(&[first.clone(), chunk("8", 1, 1)].concat()).unwrap();
    assert_eq!(end, End::Clean);
    match &events[..] {
        [Event::Unterminated(unterminated), Event::Fragment(whole)] => {
            assert_eq!(&*unterminated.payload, first.as_slice());
            assert!(!unterminated.complete);
            assert_eq!(whole.number.as_str(), "8");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_error_report_is_not_a_fragment_wherever_its_tags_are() {
    let error = writer().tags(&[("AWS_KINESISVIDEO_ERROR_ID", "5000"), ("AWS_KINESISVIDEO_ERROR_CODE", "INTERNAL")]);
    let number = writer().tags(&[("AWS_KINESISVIDEO_FRAGMENT_NUMBER", "9")]);
    let cluster = writer().cluster(0, &[]);
    let layouts = [
        [head(), number.clone(), error.clone()].concat(),
        [head(), error.clone(), number.clone()].concat(),
        [head(), number.clone(), cluster.clone(), error.clone()].concat(),
        [head(), error.clone(), number.clone(), cluster.clone()].concat(),
        [start("9"), cluster, error, end("9")].concat(),
    ];
    for layout in layouts {
        let (mut events, end) = split(&[chunk("8", 1, 1), layout].concat()).unwrap();
        if let End::Event(event) = end {
            events.push(event);
        }
        match &events[..] {
            [Event::Fragment(_), Event::Error(report)] => {
                assert_eq!(report.error_id, Some(5000));
                assert_eq!(report.error_code.as_deref(), Some("INTERNAL"));
                assert_eq!(report.fragment_number.as_ref().map(|number| number.as_str()), Some("9"));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_fragment_list_has_no_tokens() {
    let bytes = [start("7"), writer().cluster(0, &[]), start("8"), writer().cluster(0, &[])].concat();
    let (events, end) = split_at(&bytes, &[], Completion::NextChunkOrEnd).unwrap();
    assert!(matches!(&events[..], [Event::Fragment(fragment)] if fragment.number.as_str() == "7"));
    assert!(matches!(end, End::Event(Event::Fragment(fragment)) if fragment.number.as_str() == "8"));
    let (events, end) = split_at(&bytes[..bytes.len() - 1], &[], Completion::NextChunkOrEnd).unwrap();
    assert_eq!(events.len(), 1);
    assert!(matches!(end, End::Cut { number: Some(number), .. } if number.as_str() == "8"));
}

#[test]
fn padding_between_chunks_is_skipped() {
    let bytes = [chunk("7", 1, 10), element(0xEC, &[0; 300]), chunk("8", 1, 10)].concat();
    for size in [1, 7, 100_000] {
        let cuts: Vec<_> = (0..bytes.len()).step_by(size).collect();
        let (events, end) = split_at(&bytes, &cuts, Completion::Token).unwrap();
        assert_eq!((events.len(), end), (2, End::Clean));
    }
}

/// Returns an unterminated chunk, which only the next header ends.
fn tokenless() -> Vec<u8> {
    let unknown_cluster = sized(0x1F43_B675, 1, &writer().cluster(0, &[])[5..], false);
    [start("5"), unknown_cluster].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn how_the_bytes_are_cut_does_not_matter(
        frames in 0_usize..6, size in 0_usize..300,
        mut cuts in prop::collection::vec(0_usize..6_000, 0..60),
        tail in 0_usize..2_000, list in any::<bool>(),
    ) {
        cuts.sort_unstable();
        let laced = element(0x1F43_B675, &[
            element(0xE7, &[1]),
            element(0xA3, &[0x81, 0, 0, 0x02, 2, 1, 2, 9, 9, 9, 9]),
            element(0xA0, &[element(0xA1, &[0x81, 0, 0, 0, 7]), element(0x9B, &[3])].concat()),
        ].concat());
        let bytes = [
            chunk("7", frames, size), element(0xEC, &[0; 40]), tokenless(),
            [start("8"), laced, end("8")].concat(), chunk("9", 2, size),
        ].concat();
        let bytes = &bytes[..bytes.len() - tail.min(bytes.len())];
        let completion = if list { Completion::NextChunkOrEnd } else { Completion::Token };
        let at_once = split_at(bytes, &[], completion);
        prop_assert_eq!(&split_at(bytes, &cuts, completion), &at_once);
        let singly: Vec<_> = (0..bytes.len()).collect();
        prop_assert_eq!(&split_at(bytes, &singly, completion), &at_once);
    }

    #[test]
    fn how_mutated_bytes_are_cut_does_not_matter(
        at in 0_usize..1_500, byte in any::<u8>(), mut cuts in prop::collection::vec(0_usize..2_000, 0..20),
    ) {
        cuts.sort_unstable();
        let mut bytes = [chunk("7", 3, 50), tokenless(), chunk("8", 1, 9)].concat();
        let at = at % bytes.len();
        bytes[at] = byte;
        prop_assert_eq!(split_at(&bytes, &cuts, Completion::Token), split_at(&bytes, &[], Completion::Token));
    }
}

/// The API reference of GetMediaForFragmentList has other names for the timestamps and for an error's id.
#[test]
fn the_archives_own_names_of_tags_are_read() {
    let writer = kvs_mkv::ChunkWriter::new("t");
    let tags = [
        ("AWS_KINESISVIDEO_FRAGMENT_NUMBER", "17"),
        ("AWS_KINESISVIDEO_SERVER_SIDE_TIMESTAMP", "1.500"),
        ("AWS_KINESISVIDEO_PRODUCER_SIDE_TIMESTAMP", "0.250"),
    ];
    let chunk = [writer.head(&[]), writer.tags(&tags), writer.cluster(0, &[])].concat();
    let mut splitter = kvs_mkv::Splitter::new(kvs_mkv::Limits::default(), Completion::NextChunkOrEnd);
    assert_eq!(splitter.push(&mut chunk.as_slice()).unwrap(), None);
    let End::Event(Event::Fragment(fragment)) = splitter.finish().unwrap() else { panic!("a fragment") };
    assert_eq!(fragment.server_timestamp.unwrap().millis(), 1_500);
    assert_eq!(fragment.producer_timestamp.unwrap().millis(), 250);
    let exception = writer.exception_chunk(&"17".parse().unwrap(), 4500, "access denied");
    assert_eq!(splitter.push(&mut exception.as_slice()).unwrap(), None);
    let End::Event(Event::Error(report)) = splitter.finish().unwrap() else { panic!("an error") };
    assert_eq!((report.error_id, report.message.as_deref()), (Some(4500), Some("access denied")));
    assert_eq!(report.fragment_number.unwrap().as_str(), "17");
}

/// A block's relative timestamp has 16 bits: a frame further away starts another cluster and keeps its time.
#[test]
fn every_frame_is_written_with_its_own_time() {
    let writer = kvs_mkv::ChunkWriter::new("t");
    let seconds = [0, 32, 33, 70, 5, 100_000, 99_980];
    let frames: Vec<_> = seconds
        .iter()
        .map(|at| kvs_mkv::FrameData { track: 1, timestamp_ns: at * 1_000_000_000, key: true, data: b"data" })
        .collect();
    let head = writer.head(&[kvs_mkv::Track::new(1, kvs_mkv::TrackKind::Video, "V_TEST")]);
    let file = [head, writer.cluster(0, &frames)].concat();
    let document = kvs_mkv::Splitter::read_document(&file, kvs_mkv::Limits::default()).unwrap();
    let times: Vec<i64> = document.frames.iter().map(|frame| frame.timestamp_ns / 1_000_000_000).collect();
    assert_eq!(times, seconds);
}

#[test]
fn the_segments_identity_is_read_if_there_is_one() {
    assert_eq!(only_fragment(&chunk(NUMBER, 1, 10)).segment_uid, None);
    // A second Info, with a SegmentUUID alone.
    let info = element(0x1549_A966, &element(0x73A4, &[9; 16]));
    let cluster = writer().cluster(0, &[FrameData { track: 1, timestamp_ns: 0, key: true, data: &[7] }]);
    let bytes = [head(), info, writer().leading_tags(&leading(NUMBER)), cluster, end("t")].concat();
    assert_eq!(only_fragment(&bytes).segment_uid.as_deref(), Some(&[9; 16][..]));
}
