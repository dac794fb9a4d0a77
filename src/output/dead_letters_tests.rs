#![allow(clippy::unwrap_used)]

use kvs_client::Timestamp;

use super::*;
use crate::kafka::DataTopic;
use crate::model::OffsetKey;

fn record(bytes: &[u8], size_bytes: Option<u64>, reason: &str) -> Record {
    let facts = TopicFacts::default();
    let topic = OutputTopic::new("dead", Arc::new(DataTopic::new("dead", 1)), &facts);
    let output = DeadLetterOutput { topic, value_max_bytes: 10 };
    let key = Arc::new(OffsetKey::of_stream("c", "door"));
    let number = "17".parse().unwrap();
    let letter = DeadLetter {
        stage: "encode",
        reason,
        number: &number,
        server_timestamp: Some(Timestamp::from_millis(5)),
        producer_timestamp: None,
        bytes,
        size_bytes,
        content_type: "video/webm",
    };
    output.dead_letter(&Origin::new(&key, "door", 9), 0, &letter).unwrap()
}

fn header<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    let found = record.headers.iter().find(|header| header.name == name)?;
    Some(std::str::from_utf8(&found.value).unwrap())
}

#[test]
fn a_dead_letter_has_the_bytes_and_says_where_they_belong() {
    let whole = record(b"0123456789", Some(10), "why");
    assert_eq!((whole.value.as_deref(), &whole.key[..]), (Some(&b"0123456789"[..]), &b"door"[..]));
    for (name, value) in [
        ("__connect.errors.connector.name", "c"),
        ("__connect.errors.stage", "encode"),
        ("__connect.errors.exception.message", "why"),
        ("kvs.stream", "door"),
        ("kvs.fragment.number", "17"),
        ("kvs.content.type", "video/webm"),
        ("kvs.size.bytes", "10"),
        ("kvs.truncated", "false"),
        ("kvs.server.timestamp", "5"),
    ] {
        assert_eq!(header(&whole, name), Some(value), "{name}");
    }
    assert_eq!(header(&whole, "kvs.producer.timestamp"), None);
    assert!(whole.sequence.is_none(), "a dead letter has no sequence: the next fragment gets it");
}

#[test]
fn bytes_and_reason_are_bounded() {
    let cut = record(b"0123456789ab", Some(12), &"ü".repeat(REASON_MAX_BYTES));
    assert_eq!(cut.value.as_deref(), Some(&b"0123456789"[..]));
    assert_eq!((header(&cut, "kvs.size.bytes"), header(&cut, "kvs.truncated")), (Some("12"), Some("true")));
    let reason = header(&cut, "__connect.errors.exception.message").unwrap();
    assert_eq!((reason.len(), reason.chars().all(|one| one == 'ü')), (REASON_MAX_BYTES, true));
    let unknown = record(b"0123", None, "why");
    assert_eq!((header(&unknown, "kvs.size.bytes"), header(&unknown, "kvs.truncated")), (None, Some("true")));
    // The beginning was all that is known.
    let beginning = record(b"0123", Some(65_000_000), "why");
    assert_eq!(
        (header(&beginning, "kvs.size.bytes"), header(&beginning, "kvs.truncated")),
        (Some("65000000"), Some("true"))
    );
}
