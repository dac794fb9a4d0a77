#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn a_partition_is_available_as_long_as_the_topic_is_there_and_it_has_a_leader() {
    let topic = DataTopic::new("fragments", 3);
    assert_eq!((topic.count(), topic.available(2)), (Ok(3), Ok(())));
    // A leader is being elected.
    topic.hear(Some(vec![true, false, true, true]));
    assert_eq!(topic.available(1), Ok(()));
    topic.hear(Some(vec![true, true, true, true]));
    topic.hear(Some(vec![true, false, true, true]));
    assert_eq!(topic.available(1), Ok(()));
    assert_eq!(topic.offline(), 0);
    topic.hear(Some(vec![true, false, true, true]));
    assert_eq!((topic.count(), topic.available(3)), (Ok(4), Ok(())));
    assert!(topic.available(1).unwrap_err().to_string().contains("partition 1 of topic fragments is offline"));
    assert_eq!(topic.offline(), 1);
    // A broker that has just started may not know of it yet.
    topic.hear(None);
    assert_eq!(topic.count(), Ok(4));
    topic.hear(None);
    assert!(topic.count().unwrap_err().to_string().contains("topic fragments no longer exists"));
    assert!(topic.available(0).unwrap_err().to_string().contains("topic fragments no longer exists"));
    // Recreated, smaller than before.
    topic.hear(Some(vec![true]));
    let reason = topic.available(3).unwrap_err().to_string();
    assert!(reason.contains("has 1 partitions") && reason.contains("give it at least 4"), "{reason}");
    assert_eq!(topic.available(0), Ok(()));
}

#[test]
fn a_partition_number_that_no_topic_has_takes_no_memory() {
    let found = [(2, 1), (0, 1), (i32::MAX, 1), (i32::MIN, 1), (-1, 1)];
    let kept = leaders(found.into_iter());
    // Only the beginning, because all of it would be 2 GiB if this broke.
    assert_eq!((kept.len(), kept.iter().take(3).copied().collect::<Vec<_>>()), (3, vec![true, false, true]));
    assert_eq!(leaders([(0, -1), (1, 0)].into_iter()), [false, true]);
    assert!(leaders(std::iter::empty()).is_empty());
}
