#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn what_grows_and_is_compacted_is_the_same_topic() {
    let mut known = Known::default();
    for (end, first) in [(5, (0, Some(100))), (9, (0, Some(100))), (9, (4, Some(130))), (50, (30, Some(900)))] {
        assert_eq!((known.end(0, end), known.first(0, first)), (Ok(()), Ok(())));
    }
    assert_eq!((known.partitions(3), known.partitions(5)), (Ok(()), Ok(())));
}

#[test]
fn what_ends_earlier_or_begins_otherwise_is_another_one() {
    let mut known = Known::default();
    known.end(0, 50).unwrap();
    known.first(0, (7, Some(100))).unwrap();
    known.partitions(12).unwrap();
    assert_eq!(known.end(0, 49), Err(TopicTrouble::MovedBack { partition: 0, was: 50, now: 49 }));
    // Recreated, and grown beyond its previous size in the meantime.
    assert_eq!(known.end(0, 80), Ok(()));
    assert!(matches!(known.first(0, (0, Some(900))), Err(TopicTrouble::MadeAnew { .. })));
    assert!(matches!(known.first(0, (7, Some(900))), Err(TopicTrouble::MadeAnew { .. })));
    assert_eq!(known.partitions(1), Err(TopicTrouble::Partitions { was: 12, now: 1 }));
    // It remains a different topic.
    assert!(known.first(0, (0, Some(900))).is_err());
}

#[test]
fn a_partition_that_begins_later_than_it_did_has_had_records_deleted_and_says_so_once() {
    let mut known = Known::default();
    let mut look = |starts: [i64; 2]| {
        starts.into_iter().zip(0..).for_each(|(start, partition)| known.start(partition, start));
        let mut deleted = known.deleted();
        deleted.sort_by_key(|deleted| deleted.partition);
        deleted
    };
    // One that begins late when it is first looked at was begun again by somebody.
    assert_eq!((look([0, 30]), look([0, 30])), (vec![], vec![]));
    // A broker that has just started says it once.
    assert_eq!((look([17, 30]), look([0, 30]), look([17, 30])), (vec![], vec![], vec![]));
    assert_eq!(look([18, 31]), []);
    let first = Deleted { partition: 0, was: 0, now: 18 };
    assert_eq!((look([18, 31]), look([18, 31])), (vec![first], vec![Deleted { partition: 1, was: 30, now: 31 }]));
    assert_eq!((look([18, 31]), look([18, 31]), look([18, 31])), (vec![], vec![], vec![]));
    // Again.
    assert_eq!((look([40, 31]), look([40, 31])), (vec![], vec![]));
    assert_eq!(look([40, 31]), [Deleted { partition: 0, was: 18, now: 40 }]);
}
