#![allow(clippy::unwrap_used, clippy::panic)]

use apache_avro::reader::single_object::GenericSingleObjectReader;
use apache_avro::types::Value;

use apache_avro::Schema;
use kvs_client::{Continuity, FragmentNumber, StreamPosition, Timestamp};

use super::*;
use crate::model::OffsetKey;
use crate::output::framing::{Framing, single_object_header};
use crate::output::notification::NUMBERS_MAX;

fn position(number: &str, millis: i64) -> StreamPosition {
    StreamPosition {
        fragment_number: number.parse().unwrap(),
        continuation_token: None,
        server_timestamp: Some(Timestamp::from_millis(millis)),
        producer_timestamp: None,
        continuity: Continuity::default(),
    }
}

fn read(notification: &Notification<'_>) -> (Record, Vec<(String, Value)>) {
    let partitions = Arc::new(crate::kafka::DataTopic::new("notifications", 3));
    let output = NotificationOutput::new(
        OutputTopic::new("notifications", partitions, &crate::kafka::TopicFacts::default()),
        Framing::SingleObject,
        ValueFormat::Avro,
    )
    .unwrap();
    let key = Arc::new(OffsetKey { connector: "cameras".to_owned(), stream: "door".to_owned() });
    let (stream_name, stream_arn, now_ms) = ("door", Some("arn"), 1_700_000_000_123);
    let origin = Origin { stream_arn, ..Origin::new(&key, stream_name, now_ms) };
    let record = output.notify(&origin, notification).unwrap().unwrap();
    let schema = Schema::parse_str(NOTIFICATION.text).unwrap();
    let header = single_object_header(&NOTIFICATION).unwrap();
    let reader = GenericSingleObjectReader::builder().schema(schema).header(header).build().unwrap();
    let bytes = record.value.as_ref().unwrap().to_vec();
    let Value::Record(fields) = reader.read_value(&mut bytes.as_slice()).unwrap() else { panic!("no record") };
    (record, fields)
}

fn field<'a>(fields: &'a [(String, Value)], name: &str) -> &'a Value {
    let value = &fields.iter().find(|(field, _)| field == name).unwrap().1;
    if let Value::Union(_, inner) = value { inner } else { value }
}

#[test]
fn a_lost_position_has_both() {
    let (before, after) = (position("11", 1_000), position("99", 9_000));
    let lost = Notification::PositionLost { before: &before, after: &after, fetched: Some(4), missing: 1 };
    let (record, fields) = read(&lost);
    assert_eq!((record.key.as_slice(), &*record.topic), (&b"door"[..], "notifications"));
    assert_eq!(field(&fields, "kind"), &Value::String("POSITION_LOST".to_owned()));
    assert_eq!(field(&fields, "last_fragment_number"), &Value::String("11".to_owned()));
    assert_eq!(field(&fields, "next_fragment_number"), &Value::String("99".to_owned()));
    assert_eq!(field(&fields, "next_server_timestamp"), &Value::TimestampMillis(9_000));
    assert_eq!(field(&fields, "fragments_fetched"), &Value::Long(4));
    assert_eq!(field(&fields, "fragments_missing"), &Value::Long(1));
}

#[test]
fn a_fragment_that_is_passed_over_is_named_with_what_is_wrong() {
    let (record, fields) = read(&Notification::FragmentPassedOver {
        position: &position("11", 5),
        reason: "byte 670: cut",
        dead_letter_topic: None,
    });
    assert_eq!(record.headers[1].value, b"FRAGMENT_PASSED_OVER");
    assert_eq!(field(&fields, "fragment_numbers"), &Value::Array(vec![Value::String("11".to_owned())]));
    let Value::String(message) = field(&fields, "message") else { panic!("no text") };
    assert!(message.contains("fragment 11") && message.contains("byte 670: cut"), "{message}");
}

#[test]
fn missing_fragments_are_named() {
    let numbers: Vec<FragmentNumber> = (0..1_200).map(|number| number.to_string().parse().unwrap()).collect();
    let (_, fields) = read(&Notification::FragmentsMissing { numbers: &numbers, bounds: false });
    assert_eq!(field(&fields, "fragments_missing"), &Value::Long(1_200));
    assert!(matches!(field(&fields, "fragment_numbers"), Value::Array(named) if named.len() == NUMBERS_MAX));
    assert_eq!(field(&fields, "last_fragment_number"), &Value::Null);
    let (record, _) = read(&Notification::StreamDeleted);
    assert_eq!(record.headers[1].value, b"STREAM_DELETED");
}

#[test]
fn a_bound_that_the_archive_has_not_got_is_not_said_to_have_been_listed() {
    let numbers: Vec<FragmentNumber> = ["11", "99"].iter().map(|number| number.parse().unwrap()).collect();
    let said = |numbers: &[FragmentNumber], bounds| Notification::FragmentsMissing { numbers, bounds }.message();
    let one = said(&numbers[..1], true);
    assert!(
        one.starts_with("fragment 11 is named in the settings (kvs.backfill.*) and not in the stream's archive"),
        "{one}"
    );
    assert!(said(&numbers, true).starts_with("fragments 11 and 99 are named in the settings"));
    assert!(
        said(&numbers[..1], false)
            .starts_with("1 fragment that the archive had listed cannot be fetched: its retention")
    );
    assert!(
        said(&numbers, false).starts_with("2 fragments that the archive had listed cannot be fetched: their retention")
    );
    assert!(!one.contains("had listed"), "{one}");
    // They are counted and named like the others.
    let (_, fields) = read(&Notification::FragmentsMissing { numbers: &numbers, bounds: true });
    assert_eq!(field(&fields, "kind"), &Value::String("FRAGMENTS_MISSING".to_owned()));
    assert_eq!(field(&fields, "fragments_missing"), &Value::Long(2));
    assert!(matches!(field(&fields, "fragment_numbers"), Value::Array(named) if named.len() == 2));
}
