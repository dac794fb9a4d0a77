//! Acquiring a shard: rules 1, 2, 8, 9, 11.

use std::time::Duration;

use super::acquire::{Acquired, acquire, contend};
use super::fake::{Did, FakeLog};
use super::recover::RecoverError;
use super::{ShardLease, UnreadableRecord};
use crate::model::Record;
use crate::model::ShardId;
use crate::model::contract::{Contract, ContractError};
use crate::model::log::{LogError, LogErrorKind, ShardLog, TransactionalProducer};
use crate::model::{OffsetError, OffsetKey, StoredOffset};

const SHARD: ShardId = ShardId(3);
/// The timeout where a stall is expected.
const STALL: Duration = Duration::from_millis(30);
/// The timeout where none is expected, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn contract() -> Contract {
    Contract::of_group("group", 25)
}

fn key(stream: &str) -> OffsetKey {
    OffsetKey { connector: "c".to_owned(), stream: stream.to_owned() }
}

fn offset(number: &str) -> StoredOffset {
    StoredOffset {
        continuation_token: None,
        fragment_number: number.parse().unwrap(),
        server_timestamp: None,
        producer_timestamp: None,
        sequence: None,
        data_partitions: Vec::new(),
        continuity: kvs_mkv::Continuity::default(),
        frames: None,
    }
}

fn record(key: Vec<u8>, value: Option<Vec<u8>>) -> Record {
    Record {
        output: None,
        topic: "offsets".into(),
        partition: SHARD.0,
        key,
        value: value.map(Into::into),
        headers: vec![],
        timestamp_ms: None,
        sequence: None,
    }
}

fn commit(log: &FakeLog, stream: &str, number: &str) {
    let mut producer = log.intruder(SHARD);
    producer.begin().unwrap();
    producer.send(record(key(stream).to_bytes(), Some(offset(number).to_bytes()))).unwrap();
    producer.commit().unwrap();
}

fn taken(log: &FakeLog, lease: &ShardLease) -> Result<Acquired<<FakeLog as ShardLog>::Producer>, RecoverError> {
    acquire(log, SHARD, &contract(), lease, PATIENCE)
}

fn refused(log: &FakeLog) -> RecoverError {
    acquire(log, SHARD, &contract(), &ShardLease::default(), STALL).err().expect("must be refused")
}

#[test]
fn rule_1_nothing_is_read_before_init() {
    let log = FakeLog::default();
    commit(&log, "s", "7");
    let before = log.did().len();
    let taken = taken(&log, &ShardLease::default()).unwrap();
    assert_eq!(log.did()[before..], [Did::Open, Did::Init, Did::Bounds, Did::Seek]);
    assert_eq!(taken.recovered.positions[&key("s")], offset("7"));
}

#[test]
fn rule_1_what_a_predecessor_commits_until_init_is_seen() {
    let log = FakeLog::default();
    commit(&log, "s", "7");
    let mut predecessor = log.intruder(SHARD);
    predecessor.begin().unwrap();
    predecessor.send(record(key("s").to_bytes(), Some(offset("8").to_bytes()))).unwrap();
    // Its transaction is open when the shard is acquired: init decides it.
    let successor = taken(&log, &ShardLease::default()).unwrap();
    assert_eq!(successor.recovered.positions[&key("s")], offset("7"));
    assert_eq!(predecessor.commit().unwrap_err().kind, LogErrorKind::Fenced);
}

#[test]
fn rule_1_a_shard_that_is_released_during_init_is_not_read() {
    let log = FakeLog::default();
    commit(&log, "s", "7");
    let lease = ShardLease::default();
    let released = lease.clone();
    let before = log.did().len();
    log.after_init(move || released.release());
    assert_eq!(taken(&log, &lease).err(), Some(RecoverError::Released));
    assert_eq!(log.did()[before..], [Did::Open, Did::Init, Did::DropProducer]);
}

#[test]
fn rules_2_and_8_the_target_is_the_end_and_not_the_last_stable_offset() {
    let log = FakeLog::default();
    commit(&log, "s", "7");
    // Below an open transaction, a read_committed end would mean that there is nothing more to read.
    log.hang_foreign_transaction(SHARD);
    commit(&log, "s", "8");
    match refused(&log) {
        RecoverError::HangingTransaction { position: 2, target: 5, .. } => {}
        other => panic!("{other:?}"),
    }
    assert!(refused(&log).to_string().contains("find-hanging"));
}

#[test]
fn rule_8_a_truncated_log_is_told_from_a_hanging_transaction() {
    let log = FakeLog::default();
    commit(&log, "s", "7");
    commit(&log, "s", "8");
    log.truncate_to(1);
    match refused(&log) {
        RecoverError::Truncated { end: 1, target: 4, .. } => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn rule_9_another_group_or_count_is_refused() {
    let with = |value: &[u8]| {
        let log = FakeLog::default();
        let mut producer = log.intruder(SHARD);
        producer.begin().unwrap();
        producer.send(record(crate::model::contract::CONTRACT_KEY.to_vec(), Some(value.to_vec()))).unwrap();
        producer.commit().unwrap();
        taken(&log, &ShardLease::default())
    };
    assert!(with(&contract().to_bytes()).unwrap().recovered.has_contract);
    let other = Contract { group_id: "other".to_owned(), ..contract() };
    assert!(matches!(with(&other.to_bytes()).err(), Some(RecoverError::Contract(ContractError::Group { .. }))));
    let other = Contract { partitions: Some(50), ..contract() };
    assert!(matches!(with(&other.to_bytes()).err(), Some(RecoverError::Contract(ContractError::Partitions { .. }))));
    assert!(matches!(with(b"{").err(), Some(RecoverError::Contract(ContractError::Unreadable { .. }))));
}

#[test]
fn rule_11_markers_at_the_end_are_passed_over() {
    let log = FakeLog::default();
    commit(&log, "s", "7");
    // An aborted transaction: a record that nobody gets, and a marker after it. A reader that waited for a record would
    // hang.
    let mut aborted = log.intruder(SHARD);
    aborted.begin().unwrap();
    aborted.send(record(key("s").to_bytes(), Some(offset("8").to_bytes()))).unwrap();
    drop(log.intruder(SHARD));
    let taken = taken(&log, &ShardLease::default()).unwrap();
    assert_eq!(taken.recovered.positions[&key("s")], offset("7"));
}

#[test]
fn the_last_offset_wins_and_a_tombstone_removes() {
    let log = FakeLog::default();
    commit(&log, "a", "7");
    commit(&log, "a", "8");
    commit(&log, "b", "1");
    let mut producer = log.intruder(SHARD);
    producer.begin().unwrap();
    producer.send(record(key("b").to_bytes(), None)).unwrap();
    producer.send(record(b"[\"somebody's\"]".to_vec(), Some(b"else".to_vec()))).unwrap();
    producer.commit().unwrap();
    let recovered = taken(&log, &ShardLease::default()).unwrap().recovered;
    assert_eq!(recovered.positions.len(), 1);
    assert_eq!(recovered.positions[&key("a")], offset("8"));
}

#[test]
fn an_unreadable_offset_does_not_count_as_missing() {
    let log = FakeLog::default();
    let mut producer = log.intruder(SHARD);
    producer.begin().unwrap();
    producer.send(record(key("a").to_bytes(), Some(b"{}".to_vec()))).unwrap();
    producer.commit().unwrap();
    let recovered = taken(&log, &ShardLease::default()).unwrap().recovered;
    assert!(recovered.positions.is_empty());
    assert!(recovered.unreadable[&key("a")].to_string().contains(r#"["c",{"stream":"a"}]"#), "{recovered:?}");
}

#[test]
fn an_offset_of_a_later_version_is_refused_and_another_stream_goes_on() {
    let log = FakeLog::default();
    commit(&log, "b", "1");
    let mut producer = log.intruder(SHARD);
    producer.begin().unwrap();
    producer.send(record(key("a").to_bytes(), Some(br#"{"version":2,"place":"elsewhere"}"#.to_vec()))).unwrap();
    producer.commit().unwrap();
    let recovered = taken(&log, &ShardLease::default()).unwrap().recovered;
    assert_eq!(recovered.positions[&key("b")], offset("1"));
    let unreadable = &recovered.unreadable[&key("a")];
    assert!(unreadable.to_string().contains("version 2"), "{unreadable}");
    let is_of_version_2 = |source: &OffsetError| matches!(source, OffsetError::Version { found: 2, .. });
    assert!(matches!(unreadable, UnreadableRecord::Offset { source, .. } if is_of_version_2(source)), "{unreadable:?}");
}

/// The position of an earlier read is already at the end of this one: if it were used, nothing would be read.
#[test]
fn a_position_of_the_read_before_is_not_believed() {
    let log = FakeLog::default();
    commit(&log, "s", "7");
    log.stale_positions(2, 20);
    let taken = taken(&log, &ShardLease::default()).unwrap();
    assert_eq!(taken.recovered.positions[&key("s")], offset("7"));
    // A position that never changes is an error.
    log.stale_positions(2, usize::MAX);
    assert!(refused(&log).to_string().contains("the previous read"), "{}", refused(&log));
}

#[test]
fn a_shard_is_contended_for_unless_another_attempt_would_not_help() {
    let failing = |kind: LogErrorKind, times: usize| {
        let mut attempts = 0;
        let done = contend(|| {
            attempts += 1;
            let error = LogError { kind: kind.clone(), doing: "a test", text: String::new() };
            if attempts <= times { Err(RecoverError::Log(error)) } else { Ok(()) }
        });
        (done.is_ok(), attempts)
    };
    assert_eq!(failing(LogErrorKind::Fenced, 3), (true, 4));
    assert_eq!(failing(LogErrorKind::Fenced, 100), (false, 10));
    assert_eq!(failing(LogErrorKind::NotAuthorized, 100), (false, 1));
}
