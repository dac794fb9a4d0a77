#![allow(clippy::unwrap_used, clippy::panic)]

use super::super::fake::{FakeLog, FakeProducer};
use super::super::recover::recover;
use super::*;
use crate::model::log::LogErrorKind;
use crate::model::{OffsetReader, TransactionalProducer};

const STALL: Duration = Duration::from_secs(60);
const SHARDS: i32 = 5;
const ARN: &str = "arn:aws:kinesisvideo:us-east-1:123456789012:stream/yard/1511852109126";

fn contract() -> Contract {
    Contract::of_group("group", SHARDS)
}

fn of<'a>(log: &'a FakeLog, contract: &'a Contract) -> ShardsOfTopic<'a, FakeLog> {
    ShardsOfTopic { log, contract, count: ShardCount::new(SHARDS).unwrap(), stall_timeout: STALL }
}

fn stopped(position: i64) -> ConfigOffset {
    ConfigOffset { topic: "configs".to_owned(), position }
}

fn key(connector: &str, stream: &str) -> OffsetKey {
    OffsetKey { connector: connector.to_owned(), stream: stream.to_owned() }
}

fn offset(number: &str, sequence: i64) -> StoredOffset {
    StoredOffset {
        continuation_token: Some("token".to_owned()),
        fragment_number: number.parse().unwrap(),
        server_timestamp: None,
        producer_timestamp: None,
        sequence: Some(sequence),
        data_partitions: Vec::new(),
        continuity: kvs_mkv::Continuity::default(),
        frames: None,
    }
}

fn shard_of(key: &OffsetKey) -> ShardId {
    ShardCount::new(SHARDS).unwrap().shard_of(&key.to_bytes())
}

/// Writes as the owner of a shard does, and returns it with another transaction open.
fn publish(log: &FakeLog, key: &OffsetKey, value: Option<Vec<u8>>) -> FakeProducer {
    let shard = shard_of(key);
    let topic: std::sync::Arc<str> = log.offsets_topic().into();
    let mut owner = log.intruder(shard);
    write_transaction(&mut owner, [Record::of_log(&topic, shard, key.to_bytes(), value)]).unwrap();
    owner.begin().unwrap();
    owner
}

fn read(log: &FakeLog, shard: ShardId) -> Recovered {
    log.with_reader(|reader| recover(reader, shard, &contract(), STALL, &|| true)).unwrap()
}

/// Returns a topic's offsets of a connector: number and sequence of each stream with an offset, and other sequences.
fn said(log: &FakeLog, connector: &str) -> Vec<(String, Option<String>, Option<i64>)> {
    let mut found = BTreeMap::new();
    for shard in (0..SHARDS).map(ShardId) {
        let recovered = read(log, shard);
        for (key, offset) in &recovered.positions {
            found.insert(key.clone(), (Some(offset.fragment_number.to_string()), offset.sequence));
        }
        for (key, sequence) in recovered.sequences.iter() {
            found.entry(key.clone()).or_insert((None, Some(sequence)));
        }
        assert!(recovered.by_arn.is_empty() || connector != "c", "{:?}", recovered.by_arn);
    }
    let mine = found.into_iter().filter(|(key, _)| key.connector == connector);
    mine.map(|(key, (number, sequence))| (key.stream, number, sequence)).collect()
}

fn row(stream: &str, number: Option<&str>, sequence: i64) -> (String, Option<String>, Option<i64>) {
    (stream.to_owned(), number.map(str::to_owned), Some(sequence))
}

fn move_all(from: &FakeLog, to: &FakeLog, at: i64) -> Result<TakenOut, MoveError> {
    let contract = contract();
    let taken = of(from, &contract).take_out("c", &stopped(at), Unbegun::Empty)?;
    of(to, &contract).put_in("c", &taken, &stopped(at), Unbegun::Empty)?;
    Ok(taken)
}

#[test]
fn offsets_and_sequences_are_moved_under_the_fences_of_both_topics_and_no_other_connectors() {
    let (from, to) = (FakeLog::default(), FakeLog::default());
    let mut owner = publish(&from, &key("c", "door"), Some(offset("7", 3).to_bytes()));
    publish(&from, &key("d", "door"), Some(offset("9", 1).to_bytes()));
    publish(&from, &key("c", ARN), Some(offset("5", 2).to_bytes()));
    // A stream that was reset has only a sequence.
    let reset = key("c", "reset");
    let alone = Record::of_log(
        &"offsets".into(),
        shard_of(&reset),
        sequence::key_bytes(&reset),
        Some(sequence::value_bytes(4)),
    );
    write_transaction(&mut from.intruder(shard_of(&reset)), [alone]).unwrap();
    // The new topic still has records from earlier.
    let mut there = publish(&to, &key("c", "gone"), Some(offset("99", 50).to_bytes()));
    assert_eq!(move_all(&from, &to, 10).unwrap().streams(), 2);
    // Its sequence there continues, should the stream come again.
    let moved = [row("door", Some("7"), 3), row("gone", None, 50), row("reset", None, 4), row("yard", Some("5"), 2)];
    assert_eq!(said(&to, "c"), moved);
    // The former owners of the shards cannot write any more, in either topic.
    for owner in [&mut owner, &mut there] {
        assert_eq!(owner.commit().map_err(|error| error.kind), Err(LogErrorKind::Fenced));
    }
    // Every shard waits for the config offset, even without offsets, and has its contract.
    for log in [&from, &to] {
        for shard in (0..SHARDS).map(ShardId) {
            let recovered = read(log, shard);
            assert_eq!(recovered.config_offset.unwrap().unwrap(), stopped(10));
            assert!(recovered.has_contract);
        }
    }
    // Nothing is deleted before the move has been decided.
    assert_eq!(said(&from, "d"), [row("door", Some("9"), 1)]);
    of(&from, &contract()).forget("c", &stopped(10)).unwrap();
    assert!(said(&from, "c").iter().all(|(_, number, _)| number.is_none()));
    assert_eq!(said(&from, "d"), [row("door", Some("9"), 1)]);
}

#[test]
fn a_lease_in_the_new_topic_has_a_higher_epoch_than_any_in_the_old_one() {
    let (from, to) = (FakeLog::default(), FakeLog::default());
    for number in 0..40 {
        publish(&from, &key("c", "door"), Some(offset(&number.to_string(), number).to_bytes()));
    }
    let taken = move_all(&from, &to, 10).unwrap();
    let epoch = |log: &FakeLog, shard| read(log, shard).lease_epoch;
    assert!(taken.lease_epoch > 40);
    let there = epoch(&to, ShardId(0));
    assert!(there > taken.lease_epoch, "{there}");
    // And back again.
    let back = move_all(&to, &from, 20).unwrap();
    assert!(back.lease_epoch >= there && epoch(&from, ShardId(0)) > back.lease_epoch);
}

#[test]
fn a_move_that_was_overtaken_writes_nothing_into_the_topic_and_forgets_nothing() {
    let (from, to) = (FakeLog::default(), FakeLog::default());
    publish(&from, &key("c", "door"), Some(offset("7", 3).to_bytes()));
    let contract = contract();
    let slow = of(&from, &contract).take_out("c", &stopped(10), Unbegun::Empty).unwrap();
    // Another worker's later move is complete; the connector has published since.
    move_all(&from, &to, 20).unwrap();
    publish(&to, &key("c", "door"), Some(offset("8", 4).to_bytes()));
    let overtaken = of(&to, &contract).put_in("c", &slow, &stopped(10), Unbegun::Empty).unwrap_err();
    assert!(matches!(overtaken, MoveError::Overtaken { .. }), "{overtaken}");
    assert_eq!(said(&to, "c"), [row("door", Some("8"), 4)]);
    // The overtaken move deletes only after the offsets have come back.
    move_all(&to, &from, 30).unwrap();
    of(&from, &contract).forget("c", &stopped(20)).unwrap();
    assert_eq!(said(&from, "c"), [row("door", Some("8"), 4)]);
    // A shard never waits for less than it did.
    of(&from, &contract).take_out("c", &stopped(15), Unbegun::Lost).unwrap();
    let recovered = read(&from, ShardId(0));
    assert_eq!(recovered.config_offset.unwrap().unwrap(), stopped(30));
}

#[test]
fn offsets_that_cannot_be_read_are_not_moved() {
    let (from, to) = (FakeLog::default(), FakeLog::default());
    publish(&from, &key("c", "door"), Some(br#"{"version":9}"#.to_vec()));
    let error = move_all(&from, &to, 10).unwrap_err();
    assert!(matches!(error, MoveError::Unreadable { .. }), "{error}");
    assert!(to.written_shards().is_empty());
    // Offsets of other connectors do not matter.
    publish(&from, &key("c", "door"), Some(offset("7", 3).to_bytes()));
    publish(&from, &key("d", "door"), Some(br#"{"version":9}"#.to_vec()));
    assert_eq!(move_all(&from, &to, 11).unwrap().streams(), 1);
}

#[test]
fn a_topic_that_was_made_anew_is_not_taken_for_one_without_offsets() {
    let log = FakeLog::default();
    publish(&log, &key("c", "door"), Some(offset("7", 3).to_bytes()));
    let error = of(&log, &contract()).take_out("c", &stopped(10), Unbegun::Lost).unwrap_err();
    assert!(matches!(error, MoveError::Lost { .. }), "{error}");
    // Nothing was written to any shard that would make it look started.
    assert_eq!(log.written_shards(), [shard_of(&key("c", "door"))]);
}

#[test]
fn of_a_position_by_name_and_one_by_arn_the_higher_one_is_moved() {
    for (by_name, by_arn, expected) in [("9", "5", "9"), ("5", "9", "9")] {
        let (from, to) = (FakeLog::default(), FakeLog::default());
        publish(&from, &key("c", "yard"), Some(offset(by_name, 2).to_bytes()));
        publish(&from, &key("c", ARN), Some(offset(by_arn, 2).to_bytes()));
        move_all(&from, &to, 10).unwrap();
        assert_eq!(said(&to, "c"), [row("yard", Some(expected), 2)]);
    }
}

#[test]
fn a_topic_that_has_lost_its_offsets_or_has_something_else_in_it_is_not_begun() {
    let taken = TakenOut::default();
    let log = FakeLog::default();
    let error = of(&log, &contract()).put_in("c", &taken, &stopped(10), Unbegun::Lost).unwrap_err();
    assert!(matches!(error, MoveError::Lost { .. }), "{error}");
    assert!(log.written_shards().is_empty());
    let record = Record::of_log(&"offsets".into(), ShardId(2), b"k1".to_vec(), Some(b"v1".to_vec()));
    write_transaction(&mut log.intruder(ShardId(2)), [record]).unwrap();
    let error = of(&log, &contract()).put_in("c", &taken, &stopped(10), Unbegun::Empty).unwrap_err();
    assert!(matches!(error, MoveError::Foreign { shard: ShardId(2), .. }), "{error}");
    // One that was begun may have what a later version adds.
    let begun = FakeLog::default();
    of(&begun, &contract()).put_in("c", &taken, &stopped(10), Unbegun::Empty).unwrap();
    let record = Record::of_log(&"offsets".into(), ShardId(2), b"k1".to_vec(), Some(b"v1".to_vec()));
    write_transaction(&mut begun.intruder(ShardId(2)), [record]).unwrap();
    of(&begun, &contract()).put_in("c", &taken, &stopped(11), Unbegun::Lost).unwrap();
}

#[test]
fn whether_offsets_may_be_altered_is_asked_under_the_shards_fence_and_again_when_that_was_lost() {
    let log = FakeLog::default();
    let (contract, door) = (contract(), key("c", "door"));
    let owner = std::cell::RefCell::new(publish(&log, &door, Some(offset("7", 3).to_bytes())));
    let set = |_: &Recovered| vec![(door.to_bytes(), Some(offset("2", 3).to_bytes()))];
    let altered = of(&log, &contract).alter(
        shard_of(&door),
        || {
            // Nobody publishes between this and the write.
            let published = owner.borrow_mut().commit();
            assert_eq!(published.map_err(|error| error.kind), Err(LogErrorKind::Fenced));
            Ok::<_, &str>(stopped(10))
        },
        None,
        set,
    );
    assert_eq!(altered, Ok(Ok(())));
    assert_eq!(said(&log, "c"), [row("door", Some("2"), 3)]);
    assert_eq!(read(&log, shard_of(&door)).config_offset.unwrap().unwrap(), stopped(10));

    // The connector is started by another worker in between: its owner publishes, and keeps what it published.
    let asked = std::cell::Cell::new(0);
    let altered = of(&log, &contract).alter(
        shard_of(&door),
        || {
            asked.set(asked.get() + 1);
            if asked.get() > 1 {
                return Err("it runs");
            }
            publish(&log, &door, Some(offset("9", 4).to_bytes()));
            Ok(stopped(20))
        },
        None,
        set,
    );
    assert_eq!(altered, Ok(Err("it runs")));
    assert_eq!(said(&log, "c"), [row("door", Some("9"), 4)]);
}

/// A shard whose records were deleted has lost offsets of whatever connector: it neither gives nor takes any, and nothing but
/// setting or resetting offsets makes it look as if it had lost none.
#[test]
fn a_shard_whose_records_were_deleted_is_moved_neither_out_of_nor_into() {
    let door = key("c", "door");
    let cut = || {
        let log = FakeLog::default();
        move_all(&FakeLog::default(), &log, 5).unwrap();
        drop(publish(&log, &door, Some(offset("7", 3).to_bytes())));
        let end = log.with_reader::<_, RecoverError>(|reader| Ok(reader.bounds(shard_of(&door))?.end)).unwrap();
        log.delete_before(shard_of(&door), end as usize);
        assert_eq!(read(&log, shard_of(&door)).emptied, Some(end));
        log
    };
    let contract = contract();
    for unbegun in [Unbegun::Empty, Unbegun::Lost] {
        let log = cut();
        let error = of(&log, &contract).take_out("c", &stopped(10), unbegun).unwrap_err();
        assert!(matches!(&error, MoveError::Emptied { shard, .. } if *shard == shard_of(&door)), "{error}");
        let error = of(&log, &contract).put_in("d", &TakenOut::default(), &stopped(10), unbegun).unwrap_err();
        assert!(matches!(error, MoveError::Emptied { .. }), "{error}");
        assert!(read(&log, shard_of(&door)).emptied.is_some());
    }
    // A connector that was deleted starts over, and the shard's other streams do not.
    let log = cut();
    assert_eq!(of(&log, &contract).take_out("c", &stopped(10), Unbegun::StartsOver).unwrap().streams(), 0);
    assert!(read(&log, shard_of(&door)).emptied.is_some());
    // An alteration that is not of all streams of a connector settles nothing.
    let alter = |connector: Option<&str>| {
        let others = BTreeSet::from(["c", "d"].map(str::to_owned));
        let settled = connector.map(|connector| Settled { connector, others: &others });
        let stopped = || Ok::<_, &str>(stopped(11));
        of(&log, &contract).alter(shard_of(&door), stopped, settled.as_ref(), |_| Vec::new()).unwrap().unwrap();
        read(&log, shard_of(&door))
    };
    assert!(alter(None).emptied.is_some());
    let recovered = alter(Some("c"));
    assert!(recovered.emptied.is_none() && recovered.has_contract);
    // That of one is not that of another one, which may not be moved as if it had published nothing.
    assert_eq!(recovered.lost_by, BTreeSet::from(["d".to_owned()]));
    let take_out = |connector| of(&log, &contract).take_out(connector, &stopped(12), Unbegun::Lost);
    assert_eq!(take_out("c").unwrap().streams(), 0);
    let error = take_out("d").unwrap_err();
    assert!(matches!(error, MoveError::Emptied { .. }), "{error}");
    // What is put in is settled.
    of(&log, &contract).put_in("d", &TakenOut::default(), &stopped(13), Unbegun::Lost).unwrap();
    assert_eq!(read(&log, shard_of(&door)).lost_by, BTreeSet::new());
    take_out("d").unwrap();
}

/// A connector that was deleted begins anew elsewhere; other connectors may have lost offsets with the same topic.
#[test]
fn a_topic_that_was_lost_is_not_begun_by_a_connector_that_starts_over_elsewhere() {
    let log = FakeLog::default();
    assert_eq!(of(&log, &contract()).take_out("c", &stopped(10), Unbegun::StartsOver).unwrap().streams(), 0);
    for shard in (0..SHARDS).map(ShardId) {
        let recovered = read(&log, shard);
        assert!(!recovered.has_contract);
        assert_eq!(recovered.config_offset.unwrap().unwrap(), stopped(10));
    }
    let error = of(&log, &contract()).take_out("d", &stopped(11), Unbegun::Lost).unwrap_err();
    assert!(matches!(error, MoveError::Lost { .. }), "{error}");
}
