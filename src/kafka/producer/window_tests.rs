use super::*;
use crate::model::{Header, ShardId};

const LIMITS: BatchLimits = BatchLimits { size_bytes: 1_000_000, records: 10_000 };

fn record(size_bytes: usize) -> Record {
    Record::of_log(&Arc::from("t"), ShardId(0), Vec::new(), Some(vec![0; size_bytes]))
}

/// Hands over what the window has room for, and returns the indexes.
fn hand_over(held: &mut Held, window: &mut Window, partition: usize) -> Vec<usize> {
    let mut indexes = Vec::new();
    while let Some((index, record)) = held.take(partition, window) {
        window.add(index, partition, size_bytes(&record));
        indexes.push(index);
    }
    indexes
}

fn with_records(count: usize, record_bytes: usize) -> (Held, Window) {
    let mut held = Held::default();
    let partition = held.partition(&Arc::from("t"), 0);
    for index in 0..count {
        held.push(partition, index, record(record_bytes));
    }
    (held, Window::new(LIMITS))
}

#[test]
fn of_large_records_librdkafka_has_no_more_than_it_sends_at_once() {
    let (mut held, mut window) = with_records(9, 500_000);
    assert_eq!(hand_over(&mut held, &mut window, 0), [0, 1, 2, 3, 4]);
    assert!(!held.may_go_on(&window));
    window.remove(0);
    assert!(held.may_go_on(&window));
    assert_eq!(hand_over(&mut held, &mut window, 0), [5]);
    for index in 1..=5 {
        window.remove(index);
    }
    assert_eq!(hand_over(&mut held, &mut window, 0), [6, 7, 8]);
    assert!(held.is_empty());
}

#[test]
fn of_small_records_librdkafka_has_one_batch() {
    let (mut held, mut window) = with_records(100, 34_000);
    let first = hand_over(&mut held, &mut window, 0);
    assert_eq!(first, (0..29).collect::<Vec<_>>());
    // The reports of one batch come one by one; what follows is a batch again.
    for index in 0..24 {
        window.remove(index);
        assert!(!held.may_go_on(&window), "after the report of record {index}");
    }
    window.remove(24);
    assert_eq!(hand_over(&mut held, &mut window, 0), (29..54).collect::<Vec<_>>());
}

#[test]
fn a_batch_holds_no_more_records_than_it_may() {
    let (mut held, _) = with_records(100, 10);
    let mut window = Window::new(BatchLimits { records: 7, ..LIMITS });
    assert_eq!(hand_over(&mut held, &mut window, 0).len(), 7);
}

#[test]
fn partitions_do_not_wait_for_each_other() {
    let (mut held, mut window) = with_records(6, 500_000);
    let (topic, other): (Arc<str>, Arc<str>) = (Arc::from("t"), Arc::from("u"));
    let (second, third) = (held.partition(&topic, 1), held.partition(&other, 0));
    assert_eq!((held.partition(&topic, 0), second, third, held.partition_count()), (0, 1, 2, 3));
    held.push(second, 6, record(500_000));
    held.push(third, 7, record(500_000));
    assert_eq!(hand_over(&mut held, &mut window, 0).len(), 5);
    assert_eq!(hand_over(&mut held, &mut window, second), [6]);
    assert_eq!(hand_over(&mut held, &mut window, third), [7]);
    // Only the first partition holds a record, and a report of another one does not help it.
    window.remove(6);
    assert!(!held.may_go_on(&window) && !held.is_empty());
}

#[test]
fn keys_and_headers_count() {
    let mut small = record(10);
    let plain = size_bytes(&small);
    small.key = vec![0; 100];
    small.headers = vec![Header::new("name", "value")];
    assert!(size_bytes(&small) >= plain + 100 + 9);
    small.value = None;
    assert!(size_bytes(&small) >= 109);
}

#[test]
fn reports_of_what_is_not_known_change_nothing() {
    let (mut held, mut window) = with_records(6, 500_000);
    assert_eq!(hand_over(&mut held, &mut window, 0).len(), 5);
    window.remove(77);
    assert!(!held.may_go_on(&window));
    window.clear();
    held.clear();
    window.remove(0);
    assert!(held.is_empty() && window.has_room(0, usize::MAX));
}

/// Returns the indexes that are handed over with each of as many records of this size, as [`ShardProducer`](super::super) sends
/// them, and those at the end.
fn sent(count: usize, record_bytes: usize) -> (Vec<Vec<usize>>, Vec<usize>) {
    let (mut held, mut window) = with_records(0, 0);
    let mut send = |index| {
        held.push(0, index, record(record_bytes));
        if held.is_due(0, &window) { hand_over(&mut held, &mut window, 0) } else { Vec::new() }
    };
    let during = (0..count).map(&mut send).collect();
    (during, hand_over(&mut held, &mut window, 0))
}

#[test]
fn small_records_go_as_batches_but_for_the_first_one() {
    let (during, at_the_end) = sent(40, 1_000);
    assert_eq!(during[0], [0]);
    assert!(during[1..].iter().all(Vec::is_empty), "{during:?}");
    assert_eq!(at_the_end, (1..40).collect::<Vec<_>>());
    // A whole batch is not held back.
    let (during, _) = sent(40, 34_000);
    let batch = during.iter().skip(1).find(|indexes| !indexes.is_empty()).unwrap();
    assert_eq!((batch.first(), batch.last()), (Some(&1), Some(&28)));
}

#[test]
fn large_records_are_not_held_back_for_a_batch() {
    let (during, at_the_end) = sent(5, 500_000);
    assert_eq!(during, [[0], [1], [2], [3], [4]]);
    assert!(at_the_end.is_empty());
}

#[test]
fn a_topics_batches_are_no_larger_than_it_accepts() {
    let (mut held, mut window) = with_records(12, 1_000);
    window.limit(0, Some(5_300));
    // Five of them fit, each with what it takes in a batch.
    assert_eq!(hand_over(&mut held, &mut window, 0), [0, 1, 2, 3, 4]);
    assert_eq!(window.unacknowledged(3), Unacknowledged { records: 5, size_bytes: 5 * 1_032, batch_max_bytes: 5_300 });
    // Reports come one by one; a batch follows a batch.
    for index in 0..4 {
        window.remove(index);
        assert!(!held.may_go_on(&window), "after the report of record {index}");
    }
    window.remove(4);
    assert_eq!(hand_over(&mut held, &mut window, 0), [5, 6, 7, 8, 9]);
    // What is larger goes alone: the broker says whether it accepts that.
    for index in 5..10 {
        window.remove(index);
    }
    held.push(0, 12, record(9_000));
    held.push(0, 13, record(9_000));
    assert_eq!(hand_over(&mut held, &mut window, 0), [10, 11]);
    (10..12).for_each(|index| window.remove(index));
    assert_eq!(hand_over(&mut held, &mut window, 0), [12]);
    window.remove(12);
    assert_eq!(hand_over(&mut held, &mut window, 0), [13]);
    // A limit above the producer's own changes nothing, and neither does one that is not known.
    for most in [Some(2_000_000), None] {
        let (mut held, mut window) = with_records(9, 500_000);
        window.limit(0, most);
        assert_eq!(hand_over(&mut held, &mut window, 0).len(), 5);
    }
}

#[test]
fn of_a_topic_with_small_batches_a_whole_one_is_not_held_back() {
    let (mut held, mut window) = with_records(0, 0);
    window.limit(0, Some(5_300));
    let mut sent = Vec::new();
    for index in 0..7 {
        held.push(0, index, record(1_000));
        let now = if held.is_due(0, &window) { hand_over(&mut held, &mut window, 0) } else { Vec::new() };
        now.iter().for_each(|index| window.remove(*index));
        sent.push(now);
    }
    assert_eq!(sent, [vec![0], vec![], vec![], vec![], vec![], vec![], vec![1, 2, 3, 4, 5]]);
}
