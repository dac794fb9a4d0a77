#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;

use kvs_mkv::{ChunkWriter, Event, FrameData, LeadingTags, Splitter, Timestamp, TrackKind, TrailingTags};

use super::*;
use crate::model::{OffsetKey, Partitioning, RecordKey};

/// Returns a fragment of two audio tracks with tags.
pub(crate) fn call(number: &str, tags: &[(&str, &str)]) -> Fragment {
    let mut tracks = [1, 2].map(|number| Track::new(number, TrackKind::Audio, "A_PCM/INT/LIT"));
    tracks[0].name = Some("FROM".to_owned());
    let frame = |track| FrameData { track, timestamp_ns: 1_000_000, key: true, data: &[1, 2] };
    let leading = LeadingTags {
        number: number.parse().unwrap(),
        server_timestamp: Timestamp::from_millis(1_511_852_109_126),
        producer_timestamp: Timestamp::from_millis(1_511_852_108_000),
    };
    let trailing = TrailingTags { millis_behind_now: 0, continuation_token: "token".to_owned() };
    let writer = ChunkWriter::new("tests");
    let bytes = writer.chunk(&tracks, tags, &leading, 0, &[frame(1), frame(2)], &trailing);
    match Splitter::default().push(&mut bytes.as_slice()) {
        Ok(Some(Event::Fragment(fragment))) => fragment,
        other => panic!("{other:?}"),
    }
}

fn form() -> RecordForm {
    let header = |name: &str, text| (name.to_owned(), Template::parse(text).unwrap());
    RecordForm {
        key: RecordKey::Fragment,
        partitioning: Partitioning::Stream,
        headers: vec![
            header("where", "${connector}/${stream}: ${tag:site}"),
            header("who", "${tag:nobody}"),
            header("channel", "${track}"),
        ],
        cloudevents: true,
        traceparent: true,
        ..RecordForm::default()
    }
}

fn headers(
    form: RecordForm,
    origin: &Origin<'_>,
    fragment: &Fragment,
    index: Option<usize>,
) -> BTreeMap<String, String> {
    let writer = HeaderWriter::new(form, OutputId::FRAMES, "kvs.connect.StreamFrame", "avro/binary");
    let frame = index.map(|index| RecordFrame {
        index,
        track: &fragment.tracks[index],
        utc_micros: Some(1_511_852_108_000_123),
    });
    let made = writer.of_fragment(origin, fragment, Some("video/webm")).of_record(frame);
    let count = made.len();
    let text = |header: Header| (header.name.into_owned(), String::from_utf8(header.value).unwrap());
    let made: BTreeMap<String, String> = made.into_iter().map(text).collect();
    assert_eq!(made.len(), count, "a header comes twice");
    made
}

#[test]
fn headers_are_made_of_settings_stream_track_and_tags() {
    let key = Arc::new(OffsetKey::of_stream("c", "door"));
    let origin = Origin { stream_arn: Some("arn:aws:kinesisvideo:x"), ..Origin::new(&key, "door", 9) };
    let fragment = call("12", &[("site", "Köln")]);
    let of_fragment = headers(form(), &origin, &fragment, None);
    let expected = [
        ("ce_id", "12"),
        ("ce_source", "arn:aws:kinesisvideo:x"),
        ("ce_specversion", "1.0"),
        ("ce_subject", "door/12"),
        ("ce_time", "2017-11-28T06:55:08.000Z"),
        ("ce_type", "kvs.connect.StreamFrame"),
        ("content-type", "avro/binary"),
        ("kvs.content.type", "video/webm"),
        ("kvs.fragment.number", "12"),
        ("kvs.stream", "door"),
        // Variables without a value: who, channel.
        ("where", "c/door: Köln"),
    ];
    let mut others = of_fragment.clone();
    let traceparent = others.remove("traceparent").unwrap();
    assert_eq!(others, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let of_frame = headers(form(), &origin, &fragment, Some(1));
    assert_eq!((&*of_frame["ce_id"], &*of_frame["channel"]), ("12/1", "2"));
    assert_eq!(headers(form(), &origin, &fragment, Some(0))["channel"], "FROM");
    let of_part = headers(form(), &Origin { track: Some("FROM"), ..origin }, &fragment, None);
    assert_eq!((&*of_part["ce_id"], &*of_part["channel"]), ("12/FROM", "FROM"));
    let placement = crate::output::Placement::in_object("s3://media/door/12.mkv".to_owned(), None);
    let referring = headers(form(), &Origin { placement: &placement, ..origin }, &fragment, None);
    assert_eq!(referring["ce_dataref"], "s3://media/door/12.mkv");
    // One trace, a span for each record, and the same again.
    let parts: Vec<&str> = traceparent.split('-').collect();
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [2, 32, 16, 2], "{traceparent}");
    assert!(of_frame["traceparent"].starts_with(&traceparent[..35]) && of_frame["traceparent"] != traceparent);
    assert_eq!(headers(form(), &origin, &fragment, None), of_fragment);
}

#[test]
fn only_what_is_configured_is_added() {
    let key = Arc::new(OffsetKey::of_stream("c", "door"));
    let origin = Origin::new(&key, "door", 9);
    let plain = headers(RecordForm::default(), &origin, &call("12", &[]), Some(0));
    assert_eq!(
        plain.keys().collect::<Vec<_>>(),
        ["content-type", "kvs.content.type", "kvs.fragment.number", "kvs.stream"]
    );
}

#[test]
fn an_identifier_is_never_zero_and_depends_on_where_parts_end() {
    assert_ne!(identifier(&[b"ab", b"c"], 8), identifier(&[b"a", b"bc"], 8));
    assert_eq!(identifier(&[b"a"], 8).len(), 16);
}
