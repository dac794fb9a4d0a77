use std::sync::Arc;

use apache_avro::reader::single_object::GenericSingleObjectReader;
use apache_avro::types::Value;
use kvs_mkv::{ChunkWriter, Event, FrameData, LeadingTags, Splitter, Timestamp, TrackKind, TrailingTags};

use super::*;
use crate::model::{KeyFormat, OffsetKey, Record, RecordTimestamp, VALUE_HEADROOM_BYTES};
use crate::output::framing::{Framing, single_object_header};
use crate::output::schema::{FRAGMENT, KEY_SCHEMA, VALUE_SCHEMA};

fn fragment(producer_ms: i64) -> Fragment {
    let writer = ChunkWriter::new("tests");
    let mut track = kvs_mkv::Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC");
    track.uid = u64::MAX - 1;
    track.codec_private = Some(vec![1, 2, 3]);
    let frames = [FrameData { track: 1, timestamp_ns: 33_000_000, key: true, data: &[7; 5000] }];
    let leading = LeadingTags {
        number: "91343852333181432392682062607743920146159169392".parse().unwrap(),
        server_timestamp: Timestamp::from_millis(1_511_852_109_126),
        producer_timestamp: Timestamp::from_millis(producer_ms),
    };
    let trailing = TrailingTags { millis_behind_now: 3, continuation_token: "token".to_owned() };
    let bytes = writer.chunk(&[track], &[("place", "Tür")], &leading, 0, &frames, &trailing);
    let mut splitter = Splitter::default().with_headroom(VALUE_HEADROOM_BYTES);
    match splitter.push(&mut bytes.as_slice()) {
        Ok(Some(Event::Fragment(fragment))) => fragment,
        other => panic!("{other:?}"),
    }
}

fn policy(wanted: RecordTimestamp) -> TimestampPolicy {
    TimestampPolicy { wanted, retention_ms: Some(1_000), before_max_ms: i64::MAX, after_max_ms: 3_600_000 }
}

/// Returns the records of a fragment that was received at 9.
fn project(keys: KeyFormat, mut fragment: Fragment, content_type: &str) -> Vec<Record> {
    let partitions = Arc::new(crate::kafka::DataTopic::new("t", 6));
    let output = FragmentOutput::new(
        OutputTopic::new("t", partitions, &TopicFacts::default()),
        (RecordForm::with_keys(keys), Framing::SingleObject),
        policy(RecordTimestamp::Ingest),
    );
    let key = Arc::new(OffsetKey { connector: "c".to_owned(), stream: "s".to_owned() });
    let origin = Origin { stream_arn: Some("arn"), ..Origin::new(&key, "s", 9) };
    let mut publication = Publication::of_notifications(Arc::clone(&key), Vec::new());
    output.unwrap().project(&origin, 5, &mut fragment, content_type, &mut publication).unwrap();
    publication.records
}

/// Returns the value after the shard's owner has completed it.
fn published(record: &Record, sequence: i64) -> Vec<u8> {
    let lacking = record.sequence.as_ref().expect("the sequence is missing");
    [&lacking.prefix(sequence), record.value.as_deref().unwrap()].concat()
}

fn field<'v>(value: &'v Value, name: &str) -> &'v Value {
    let Value::Record(fields) = value else { panic!("{value:?}") };
    &fields.iter().find(|(field, _)| field == name).unwrap_or_else(|| panic!("{name}")).1
}

#[test]
fn an_independent_reading_agrees() {
    let fragment = fragment(5);
    let payload = fragment.payload.to_vec();
    let records = project(KeyFormat::Text, fragment, "video/webm");
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!(record.key, b"91343852333181432392682062607743920146159169392");
    assert_eq!((record.timestamp_ms, record.partition), (Some(9), 5));
    assert_eq!(record.output.map(|output| output.on_refused), Some(OnRefused::FailStream));
    let schema = apache_avro::Schema::parse_str(VALUE_SCHEMA).unwrap();
    // Other readers are compared in schema_tests and in tests/readers.
    let header = single_object_header(&FRAGMENT).unwrap();
    let reader = GenericSingleObjectReader::builder().schema(schema).header(header).build().unwrap();
    let bytes = published(record, 77);
    let mut bytes = bytes.as_slice();
    let value = reader.read_value(&mut bytes).unwrap();
    assert!(bytes.is_empty(), "{} bytes are left over", bytes.len());
    assert_eq!(field(&value, "sequence"), &Value::Union(1, Box::new(Value::Long(77))));
    assert_eq!(field(&value, "payload"), &Value::Bytes(payload.clone()));
    assert_eq!(field(&value, "producer_timestamp"), &Value::Union(1, Box::new(Value::TimestampMillis(5))));
    let Value::Array(tracks) = field(&value, "tracks") else { panic!() };
    assert_eq!(field(&tracks[0], "uid"), &Value::Long(-2));
    assert_eq!(field(&tracks[0], "codec_private"), &Value::Union(1, Box::new(Value::Bytes(vec![1, 2, 3]))));
    let Value::Array(frames) = field(&value, "frames") else { panic!() };
    let (Value::Long(offset), Value::Long(size)) = (field(&frames[0], "offset"), field(&frames[0], "size_bytes"))
    else {
        panic!()
    };
    assert!(payload[*offset as usize..(offset + size) as usize].iter().all(|&byte| byte == 7));
    let Value::Array(tags) = field(&value, "tags") else { panic!() };
    assert_eq!(field(&tags[0], "value"), &Value::String("Tür".to_owned()));
}

#[test]
fn the_payload_is_not_moved() {
    let fragment = fragment(5);
    let address = fragment.payload.as_ptr();
    let size = fragment.payload.len();
    let records = project(KeyFormat::Text, fragment, "video/x-matroska");
    let value = records[0].value.as_ref().unwrap();
    assert_eq!(value[value.len() - size..].as_ptr(), address);
    // The sequence does not move it either.
    let prefix = records[0].sequence.as_ref().unwrap().prefix(i64::MAX);
    let value = records.into_iter().next().unwrap().value.unwrap().into_prefixed(&prefix);
    assert_eq!(value[value.len() - size..].as_ptr(), address);
}

#[test]
fn headers_say_what_the_payload_is_and_what_the_value_is() {
    let records = project(KeyFormat::Text, fragment(5), "video/webm");
    let header = |name| {
        let found = records[0].headers.iter().find(|header| header.name == name);
        found.map(|header| std::str::from_utf8(&header.value).unwrap())
    };
    assert_eq!(header("kvs.content.type"), Some("video/webm"));
    assert_eq!(header("content-type"), Some("avro/binary"));
    assert_eq!(header("kvs.stream"), Some("s"));
}

#[test]
fn an_avro_key_is_an_avro_string() {
    let records = project(KeyFormat::Avro, fragment(5), "video/x-matroska");
    let schema = apache_avro::Schema::parse_str(KEY_SCHEMA).unwrap();
    let reader = GenericSingleObjectReader::builder().schema(schema).build().unwrap();
    let value = reader.read_value(&mut records[0].key.as_slice()).unwrap();
    assert_eq!(value, Value::String("91343852333181432392682062607743920146159169392".to_owned()));
}

#[test]
fn times_that_kafka_would_refuse_or_delete_are_replaced() {
    let now = 10_000_000;
    let chosen = |producer_ms, wanted| policy(wanted).choose(&fragment(producer_ms), now);
    let replaced = |producer_ms| chosen(producer_ms, RecordTimestamp::Producer).replaced;
    assert_eq!(chosen(now - 999, RecordTimestamp::Producer).millis, now - 999);
    assert_eq!(replaced(now - 999), None);
    assert_eq!(replaced(now - 1_000), Some("older_than_retention"));
    assert_eq!(replaced(0), Some("older_than_retention"));
    // A minute less than the broker's limit, because the broker uses its own clock and a later time.
    assert_eq!(replaced(now + 3_540_000), None);
    assert_eq!(replaced(now + 3_540_001), Some("too_far_ahead"));
    let limited = TimestampPolicy {
        wanted: RecordTimestamp::Producer,
        retention_ms: None,
        before_max_ms: 100_000,
        after_max_ms: 1_000,
    };
    assert_eq!(limited.choose(&fragment(now - 50_000), now).replaced, None);
    assert_eq!(limited.choose(&fragment(now - 50_001), now).replaced, Some("older_than_retention"));
    // Of a limit that is smaller than the margin, half is left.
    assert_eq!(limited.choose(&fragment(now + 500), now).replaced, None);
    assert_eq!(limited.choose(&fragment(now + 501), now).replaced, Some("too_far_ahead"));
    let for_ever = TimestampPolicy { before_max_ms: i64::MAX, after_max_ms: i64::MAX, ..limited };
    assert_eq!(for_ever.choose(&fragment(1), now).replaced, None);
    let mut without = fragment(5);
    without.producer_timestamp = None;
    let policy = policy(RecordTimestamp::Producer);
    assert_eq!(policy.choose(&without, now).replaced, Some("missing"));
    assert_eq!(policy.choose(&without, now).millis, now);
}
