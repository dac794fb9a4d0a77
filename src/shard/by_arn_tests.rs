#![allow(clippy::unwrap_used, clippy::panic)]

use super::super::fake::{FakeLog, FakeProducer};
use crate::model::StoredOffset;

use super::*;
use crate::model::log::{LogErrorKind, OffsetReader, TransactionalProducer};

const STALL: Duration = Duration::from_secs(60);
const ARN: &str = "arn:aws:kinesisvideo:us-east-1:123456789012:stream/door/1511852109126";

fn shards() -> ShardCount {
    ShardCount::new(7).unwrap()
}

fn contract() -> Contract {
    Contract::of_group("group", 7)
}

fn by_arn() -> OffsetKey {
    OffsetKey { connector: "c".to_owned(), stream: ARN.to_owned() }
}

fn shard() -> ShardId {
    shards().shard_of(&by_arn().to_bytes())
}

fn offset(number: &str) -> StoredOffset {
    StoredOffset {
        continuation_token: Some("token".to_owned()),
        fragment_number: number.parse().unwrap(),
        server_timestamp: None,
        producer_timestamp: None,
        sequence: None,
        data_partitions: Vec::new(),
        continuity: kvs_mkv::Continuity::default(),
        frames: None,
    }
}

fn send(producer: &mut FakeProducer, number: &str) {
    let value = offset(number).to_bytes();
    producer.send(Record::of_log(&"offsets".into(), shard(), by_arn().to_bytes(), Some(value))).unwrap();
}

/// Returns an owner of an earlier version that publishes the stream under its ARN, and has a transaction open.
fn publishing(log: &FakeLog) -> FakeProducer {
    let mut owner = log.intruder(shard());
    owner.begin().unwrap();
    send(&mut owner, "7");
    owner.commit().unwrap();
    owner.begin().unwrap();
    send(&mut owner, "8");
    owner
}

#[test]
fn a_streams_key_is_by_name_however_it_is_configured() {
    let name = OffsetKey { connector: "c".to_owned(), stream: "door".to_owned() };
    assert_eq!(OffsetKey::of_stream("c", ARN), name);
    assert_eq!(OffsetKey::of_stream("c", "door"), name);
    assert_eq!((by_arn().by_name(), name.by_name()), (Some(name.clone()), None));
    assert_ne!(shards().shard_of(&name.to_bytes()), shard(), "the test is about two shards");
}

#[test]
fn a_position_is_moved_under_the_fence_of_its_shard() {
    let log = FakeLog::default();
    let mut earlier = publishing(&log);
    let name = OffsetKey::of_stream("c", ARN);
    move_positions(&log, &contract(), shard(), STALL).unwrap();
    // The owner that published under the ARN is fenced, and what it did not commit does not count.
    assert_eq!(earlier.commit().map_err(|error| error.kind), Err(LogErrorKind::Fenced));
    let found = || {
        let found = find(&log, &contract(), shards(), STALL).unwrap().remove(&name).unwrap();
        found.into_iter().map(|(key, shard, position)| (key, shard, position.unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(found(), [(by_arn(), shard(), PositionByArn { offset: offset("7"), moved: true })]);
    // Only its owner writes the shard of the name.
    assert_eq!(log.written_shards(), [shard()]);
    // Moving it again changes and writes nothing.
    let before = log.did();
    move_positions(&log, &contract(), shard(), STALL).unwrap();
    assert!(!log.did()[before.len()..].contains(&super::super::fake::Did::Begin));
    assert_eq!(found(), [(by_arn(), shard(), PositionByArn { offset: offset("7"), moved: true })]);
}

/// An earlier version that acquires the shard again refuses the stream instead of publishing it a second time.
#[test]
fn an_earlier_version_does_not_read_a_moved_position_as_an_offset() {
    let bytes = moved_bytes(&offset("7"), "door");
    assert!(StoredOffset::from_bytes(&bytes).unwrap_err().to_string().contains("run a newer worker"));
    assert_eq!(PositionByArn::from_bytes(&bytes).unwrap(), PositionByArn { offset: offset("7"), moved: true });
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with(r#"{"version":2,"movedTo":"door""#), "{text}");
}

#[test]
fn an_unreadable_position_is_found_as_such() {
    let log = FakeLog::default();
    let mut owner = log.intruder(shard());
    owner.begin().unwrap();
    for value in [&b"{}"[..], br#"{"version":3}"#] {
        let record = Record::of_log(&"offsets".into(), shard(), by_arn().to_bytes(), Some(value.to_vec()));
        owner.send(record).unwrap();
    }
    owner.commit().unwrap();
    let found = find(&log, &contract(), shards(), STALL).unwrap();
    assert!(matches!(&found[&OffsetKey::of_stream("c", ARN)][..], [(_, _, Err(_))]), "{found:?}");
}

/// Offsets by name may be gone with the shard's first records: they must not be taken for none because this one was moved.
#[test]
fn moving_a_position_does_not_make_a_shard_whose_records_were_deleted_look_whole() {
    let log = FakeLog::default();
    drop(publishing(&log));
    let deleted = log.with_reader::<_, RecoverError>(|reader| Ok(reader.bounds(shard())?.end)).unwrap();
    drop(publishing(&log));
    log.delete_before(shard(), deleted as usize);
    move_positions(&log, &contract(), shard(), STALL).unwrap();
    let recovered = log.with_reader(|reader| recover(reader, shard(), &contract(), STALL, &|| true)).unwrap();
    assert_eq!(recovered.emptied, Some(deleted));
    assert!(recovered.by_arn[&by_arn()].moved);
}
