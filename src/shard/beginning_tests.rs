#![allow(clippy::unwrap_used)]

use super::super::fake::FakeLog;
use super::*;
use crate::model::log::write_transaction;
use crate::model::{Record, ShardLog};

fn count(count: i32) -> ShardCount {
    ShardCount::new(count).unwrap()
}

fn begin(log: &FakeLog, shard: i32, contract: &Contract) {
    let shard = ShardId(shard);
    let record = Record::of_log(&"offsets".into(), shard, CONTRACT_KEY.to_vec(), Some(contract.to_bytes()));
    write_transaction(&mut log.intruder(shard), [record]).unwrap();
}

fn agreed(log: &FakeLog, partitions: i32) -> Result<Option<ShardCount>, AgreedError> {
    // What this worker would have with all of the partitions.
    let ours = Contract::of_group("group", partitions);
    log.with_reader(|reader| agreed_count(reader, count(partitions), &ours))
}

#[test]
fn rule_9_partitions_that_were_added_are_no_shards() {
    let log = FakeLog::default();
    // A topic that nobody has begun.
    assert_eq!(agreed(&log, 8), Ok(None));
    for shard in 0..5 {
        begin(&log, shard, &Contract::of_group("group", 5));
    }
    assert_eq!((agreed(&log, 5), agreed(&log, 6)), (Ok(Some(count(5))), Ok(Some(count(5)))));
    // One shard that has lost its records is not asked.
    log.delete_before(ShardId(0), 2);
    assert_eq!(agreed(&log, 6), Ok(Some(count(5))));
    assert_eq!(agreed(&log, 4), Err(AgreedError::Fewer { was: 5, now: 4 }));
}

#[test]
fn another_groups_topic_says_nothing_about_this_ones_shards() {
    let log = FakeLog::default();
    begin(&log, 0, &Contract::of_group("other", 5));
    assert!(matches!(agreed(&log, 6), Err(AgreedError::Contract(ContractError::Group { .. }))));
}

#[test]
fn a_shard_whose_first_records_were_deleted_has_been_begun() {
    let log = FakeLog::default();
    let begun = |log: &FakeLog| log.with_reader(|reader| beginning(reader, ShardId(0))).unwrap().is_begun();
    assert!(!begun(&log));
    begin(&log, 0, &Contract::of_group("group", 5));
    assert!(begun(&log));
    log.delete_before(ShardId(0), 2);
    assert!(begun(&log));
    log.recreate(ShardId(0));
    log.delete_before(ShardId(0), 0);
    assert!(!begun(&log));
}
