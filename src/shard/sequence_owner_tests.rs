//! The sequence of a stream, through resets, skipped fragments, and records that cannot be read.

use super::fake::FakeLog;
use super::gate::ConfigOffset;
use super::owner_tests::{FRAGMENTS, Run, SHARD, key, publication};
use super::recover::CONFIG_OFFSET_KEY;
use crate::model::Record;
use crate::model::log::TransactionalProducer;
use crate::model::sequence::{self, Sequences};

fn commit(log: &FakeLog, records: Vec<(Vec<u8>, Option<Vec<u8>>)>) {
    let mut producer = log.intruder(SHARD);
    producer.begin().unwrap();
    for (key, value) in records {
        producer.send(Record::of_log(&"offsets".into(), SHARD, key, value)).unwrap();
    }
    producer.commit().unwrap();
}

fn numbered(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|sequence| format!("{sequence}:0123456789")).collect()
}

fn all_published(run: &Run) -> bool {
    run.log.published().len() >= FRAGMENTS as usize
}

/// Before or after a compaction: there is a tombstone of the offset, or nothing.
#[test]
fn a_stream_whose_offset_was_reset_is_counted_on() {
    for tombstone in [true, false] {
        let log = FakeLog::default();
        let mut records = vec![(sequence::key_bytes(&key()), Some(sequence::value_bytes(41)))];
        if tombstone {
            records.push((key().to_bytes(), None));
        }
        commit(&log, records);
        let mut run = Run::start(log);
        run.wait("all to be published", all_published);
        run.release();
        assert_eq!(run.log.published_values(), numbered(42..42 + FRAGMENTS));
    }
}

/// Workers of two versions alternate during an upgrade; the earlier version writes offsets without a sequence.
#[test]
fn an_offset_of_an_earlier_version_does_not_begin_again() {
    let log = FakeLog::default();
    let offset = |sequence| {
        let mut offset = publication(5).offset.unwrap();
        offset.sequence = sequence;
        (key().to_bytes(), Some(offset.to_bytes()))
    };
    commit(&log, vec![offset(Some(4)), offset(None)]);
    let mut run = Run::start(log);
    run.wait("the rest to be published", |run| run.log.published().len() >= FRAGMENTS as usize - 5);
    run.release();
    assert_eq!(run.log.published_values(), numbered(5..FRAGMENTS));
}

#[test]
fn a_fragment_that_is_passed_over_has_no_number_and_keeps_the_last_one() {
    let mut sequences = Sequences::default();
    let mut passed_over = publication(2);
    passed_over.records.clear();
    assert!(!passed_over.has_sequence());
    assert_eq!(sequences.next(&key()), 0);
    passed_over.set_sequence(sequences.last(&key()));
    assert_eq!(passed_over.offset.unwrap().sequence, Some(0));
    assert_eq!(sequences.next(&key()), 1);
}

#[test]
fn an_unreadable_sequence_does_not_count_as_missing() {
    let log = FakeLog::default();
    commit(&log, vec![(sequence::key_bytes(&key()), Some(b"{}".to_vec()))]);
    let contract = crate::model::Contract::of_group("group", 25);
    let read = || {
        let lease = super::ShardLease::default();
        super::acquire::acquire(&log, SHARD, &contract, &lease, std::time::Duration::from_secs(1)).unwrap().recovered
    };
    assert!(read().unreadable[&key()].to_string().contains("sequence of stream s of connector c"), "{:?}", read());
    // An offset beside it changes nothing; an altered one does.
    commit(&log, vec![(key().to_bytes(), publication(3).offset.map(|offset| offset.to_bytes()))]);
    assert!(read().unreadable.contains_key(&key()));
    commit(&log, vec![(sequence::key_bytes(&key()), None)]);
    assert!(read().unreadable.is_empty());
}

/// An owner that does not know of a change could undo it: nothing is pulled, and another alteration cures that.
#[test]
fn an_unreadable_config_offset_does_not_count_as_missing() {
    let log = FakeLog::default();
    commit(&log, vec![(CONFIG_OFFSET_KEY.to_vec(), Some(br#"{"topic":7}"#.to_vec()))]);
    let run = Run::start(log.clone());
    run.wait("the shard to be acquired", |run| !run.sources.refused.lock().unwrap().is_empty());
    let reason = run.sources.refused.lock().unwrap()[0].clone().expect("a reason").to_string();
    assert!(reason.contains("cannot be read") && reason.contains("set or reset the offset"), "{reason}");
    assert!(run.log.published().is_empty());
    let config_offset = ConfigOffset { topic: "configs".to_owned(), position: 17 };
    commit(&log, vec![(CONFIG_OFFSET_KEY.to_vec(), Some(config_offset.to_bytes()))]);
    run.lease.reacquire();
    run.expect_each_once();
}
