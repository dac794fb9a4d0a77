#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;

use apache_avro::reader::single_object::GenericSingleObjectReader;
use apache_avro::types::Value;
use kvs_mkv::{ChunkWriter, Event, FrameData, LeadingTags, Splitter, Timestamp, Track, TrackKind, TrailingTags};
use serde_json::{Value as Json, json};

use super::*;
use crate::model::{OffsetKey, Record, RecordTimestamp, VALUE_HEADROOM_BYTES};
use crate::output::{FragmentOutput, metadata_schemas, value_schemas};

const NUMBER: &str = "91343852333181432392682062607743920146159169392";

fn fragment() -> Fragment {
    let mut track = Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC");
    track.codec_private = Some(vec![1, 2, 255]);
    let frames = [FrameData { track: 1, timestamp_ns: 33_000_000, key: true, data: &[7; 5000] }];
    let leading = LeadingTags {
        number: NUMBER.parse().unwrap(),
        server_timestamp: Timestamp::from_millis(1_511_852_109_126),
        producer_timestamp: Timestamp::from_millis(1_511_852_108_000),
    };
    let trailing = TrailingTags { millis_behind_now: 3, continuation_token: "token".to_owned() };
    let bytes = ChunkWriter::new("tests").chunk(&[track], &[("place", "Tür")], &leading, 0, &frames, &trailing);
    match Splitter::default().with_headroom(VALUE_HEADROOM_BYTES).push(&mut bytes.as_slice()) {
        Ok(Some(Event::Fragment(fragment))) => fragment,
        other => panic!("{other:?}"),
    }
}

/// Returns what a connector with both topics publishes of the fragment: its metadata, and the fragment.
fn published(format: ValueFormat) -> [Record; 2] {
    let timestamps = TimestampPolicy {
        wanted: RecordTimestamp::Producer,
        retention_ms: None,
        before_max_ms: i64::MAX,
        after_max_ms: i64::MAX,
    };
    let topic =
        |name: &str| OutputTopic::new(name, Arc::new(crate::kafka::DataTopic::new(name, 1)), &TopicFacts::default());
    let metadata =
        MetadataOutput::new(topic("m"), (RecordForm::default(), Framing::SingleObject), format, timestamps).unwrap();
    let fragments =
        FragmentOutput::new(topic("f"), (RecordForm::default(), Framing::SingleObject), timestamps).unwrap();
    let key = Arc::new(OffsetKey { connector: "c".to_owned(), stream: "door".to_owned() });
    let origin = Origin { stream_arn: Some("arn"), discontinuity: true, ..Origin::new(&key, "door", 9) };
    let mut publication = Publication::of_notifications(Arc::clone(&key), Vec::new());
    let mut fragment = fragment();
    metadata.project(&origin, 3, &mut fragment, "video/webm", &mut publication).unwrap();
    fragments.project(&origin, 5, &mut fragment, "video/webm", &mut publication).unwrap();
    publication.set_sequence(Some(300));
    publication.records.try_into().unwrap()
}

fn read((header, schema): (Vec<u8>, apache_avro::Schema), record: &Record) -> Vec<(String, Value)> {
    let reader = GenericSingleObjectReader::builder().schema(schema).header(header).build().unwrap();
    let mut bytes = record.value.as_deref().unwrap();
    let Value::Record(fields) = reader.read_value(&mut bytes).unwrap() else { panic!("no record") };
    assert!(bytes.is_empty(), "{} bytes are left over", bytes.len());
    fields
}

#[test]
fn metadata_is_the_fragments_record_without_its_payload() {
    let [metadata, fragment] = published(ValueFormat::Avro);
    let fields = read(metadata_schemas().unwrap().swap_remove(0), &metadata);
    let mut whole = read(value_schemas().unwrap().swap_remove(0), &fragment);
    assert_eq!(whole.pop().map(|(name, _)| name).as_deref(), Some("payload"));
    assert_eq!(fields, whole);
    assert_eq!((&metadata.key, metadata.timestamp_ms), (&fragment.key, fragment.timestamp_ms));
    assert_eq!((metadata.headers, metadata.partition), (fragment.headers, 3));
    assert!(metadata.value.unwrap().len() < 1_000);
}

#[test]
fn json_has_the_schemas_fields_with_bytes_in_base64() {
    let [metadata, _] = published(ValueFormat::Json);
    let text = std::str::from_utf8(metadata.value.as_deref().unwrap()).unwrap();
    let value: Json = serde_json::from_str(text).unwrap();
    let schema: Json = serde_json::from_str(METADATA.text).unwrap();
    let names: BTreeSet<&str> =
        schema["fields"].as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap()).collect();
    assert_eq!(value.as_object().unwrap().keys().map(String::as_str).collect::<BTreeSet<_>>(), names);
    assert!(text.starts_with("{\"sequence\":300,\"stream_name\":"), "{text}");
    assert_eq!((&value["sequence"], &value["fragment_number"]), (&json!(300), &json!(NUMBER)));
    assert_eq!((&value["server_timestamp"], &value["stream_arn"]), (&json!(1_511_852_109_126_i64), &json!("arn")));
    assert_eq!((&value["random_access"], &value["discontinuity"]), (&json!(true), &json!(true)));
    assert_eq!(value["first_frame_utc"], json!(1_511_852_108_000_000_i64));
    assert_eq!(value["tracks"][0]["codec_private"], json!("AQL/"));
    assert_eq!((&value["tags"][0]["value"], &value["tags"][0]["binary"]), (&json!("Tür"), &json!(null)));
    let content_type = metadata.headers.iter().find(|header| header.name == "content-type").unwrap();
    assert_eq!(content_type.value, b"application/json");
}
