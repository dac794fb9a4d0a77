#![allow(clippy::unwrap_used, clippy::panic)]

use apache_avro::Schema;
use apache_avro::headers::{HeaderBuilder, RabinFingerprintHeader};
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;

use super::*;
use crate::model::ValueFormat;

/// A value as version 0.1 wrote it until November 2026.
fn earlier() -> Vec<u8> {
    let schema = include_str!("../../schemas/earlier/fragment-4f4a67913c2b6703.avsc");
    let schema = Schema::parse_str(schema).unwrap();
    let none = || Avro::Union(0, Box::new(Avro::Null));
    let fields = [
        ("stream_name", Avro::String("door".to_owned())),
        ("stream_arn", none()),
        ("fragment_number", Avro::String("913".to_owned())),
        ("server_timestamp", none()),
        ("producer_timestamp", none()),
        ("millis_behind_now", none()),
        ("continuation_token", none()),
        ("complete", Avro::Boolean(true)),
        ("start_ns", none()),
        ("duration_ns", Avro::Long(5)),
        ("tracks", Avro::Array(Vec::new())),
        ("frames", Avro::Array(Vec::new())),
        ("tags", Avro::Array(Vec::new())),
        ("content_type", Avro::String("video/webm".to_owned())),
        ("size_bytes", Avro::Long(3)),
        ("payload", Avro::Bytes(b"mkv".to_vec())),
    ];
    let value = Avro::Record(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    let mut bytes = RabinFingerprintHeader::from_schema(&schema).build_header();
    let writer = GenericDatumWriter::builder(&schema).build().unwrap();
    writer.write_value(&mut bytes, value).unwrap();
    bytes
}

#[test]
fn what_earlier_versions_wrote_is_read() {
    let bytes = earlier();
    assert_eq!(bytes[..10], [0xC3, 0x01, 0x4f, 0x4a, 0x67, 0x91, 0x3c, 0x2b, 0x67, 0x03]);
    let Decoded { kind: Kind::Fragment(decoded), fields, .. } = Decoder::new().unwrap().decode(&bytes).unwrap() else {
        panic!("no fragment")
    };
    assert_eq!((decoded.stream.as_str(), decoded.number.as_str(), decoded.sequence), ("door", "913", None));
    assert_eq!((decoded.payload.as_deref(), decoded.size_bytes), (Some(&b"mkv"[..]), 3));
    // The names of the schema, without the media.
    assert_eq!((&fields["stream_name"], &fields["duration_ns"]), (&"door".into(), &5.into()));
    assert!(
        fields["frames"].is_array() && fields["stream_arn"].is_null() && fields.get("payload").is_none(),
        "{fields}"
    );
}

#[test]
fn what_cannot_be_read_is_said() {
    let decoder = Decoder::new().unwrap();
    let said = |bytes: &[u8]| decoder.decode(bytes).err().unwrap().to_string();
    assert!(said(&[0xC3, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 9]).contains("fingerprint 0102030405060708"));
    assert!(said(b"<x/>").contains("neither Avro, as a single object"));
    assert!(said(b"{}").contains("it has no fragment_number and no kind"));
    assert!(said(b"{").contains("it is not JSON"));
    assert!(!said(&earlier()[..20]).is_empty());
}

#[test]
fn a_notification_is_read_with_all_its_fields() {
    use crate::output::{Framing, Notification, NotificationOutput, Origin, Output, OutputTopic};
    let partitions = std::sync::Arc::new(crate::kafka::DataTopic::new("n", 1));
    let output = NotificationOutput::new(
        OutputTopic::new("n", partitions, &crate::kafka::TopicFacts::default()),
        Framing::SingleObject,
        ValueFormat::Avro,
    )
    .unwrap();
    let key = std::sync::Arc::new(crate::model::OffsetKey::of_stream("cameras", "door"));
    let (stream_name, now_ms) = ("door", 1_511_852_109_000);
    let origin = Origin::new(&key, stream_name, now_ms);
    let record = output.notify(&origin, &Notification::StreamDeleted).unwrap().unwrap();
    let decoded = Decoder::new().unwrap().decode(&record.value.unwrap()).unwrap();
    let Decoded { kind: Kind::Notification, fields, .. } = decoded else { panic!("no notification") };
    assert_eq!(
        (&fields["kind"], &fields["connector"], &fields["stream_name"], &fields["time"]),
        (&"STREAM_DELETED".into(), &"cameras".into(), &"door".into(), &1_511_852_109_000_i64.into())
    );
    assert!(fields["message"].as_str().unwrap().contains("the stream was deleted"), "{fields}");
}

#[test]
fn bytes_are_base64_as_in_records_in_json() {
    let value = Avro::Record(vec![
        ("config".to_owned(), Avro::Union(1, Box::new(Avro::Bytes(vec![1, 2, 255])))),
        ("tags".to_owned(), Avro::Array(vec![Avro::Record(vec![("name".to_owned(), Avro::String("n".to_owned()))])])),
        ("nothing".to_owned(), Avro::Union(0, Box::new(Avro::Null))),
        ("utc".to_owned(), Avro::TimestampMicros(7)),
    ]);
    let expected = serde_json::json!({"config": "AQL/", "tags": [{"name": "n"}], "nothing": null, "utc": 7});
    assert_eq!(to_json(value), expected);
}

#[test]
fn a_payload_that_is_elsewhere_is_said_to_be_there() {
    let read = |more: &str| {
        let value = format!(r#"{{"fragment_number": "7", "stream_name": "door"{more}}}"#);
        let Decoded { kind: Kind::Fragment(fragment), .. } = Decoder::new().unwrap().decode(value.as_bytes()).unwrap()
        else {
            panic!("no fragment")
        };
        fragment.elsewhere()
    };
    assert_eq!(read(""), None);
    assert_eq!(read(r#", "payload_mode": "inline""#), None);
    assert_eq!(read(r#", "payload_mode": "none""#).unwrap(), "nowhere: payload.mode is none");
    assert_eq!(read(r#", "payload_mode": "reference", "payload_uri": "s3://media/7""#).unwrap(), "s3://media/7");
    let chunks = r#", "payload_mode": "chunked", "payload_chunks": {"topic": "parts", "partition": 2, "count": 3}"#;
    assert_eq!(read(chunks).unwrap(), "3 records of topic parts, partition 2");
    assert!(read(r#", "payload_mode": "chunked""#).unwrap().contains("does not say where"));
}
