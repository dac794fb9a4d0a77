#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::*;
use crate::kafka::{DataTopic, TopicFacts};

fn topic(name: &str, partitions: i32) -> OutputTopic {
    OutputTopic::new(name, Arc::new(DataTopic::new(name, partitions)), &TopicFacts::default())
}

#[test]
fn the_last_topics_are_remembered_and_the_fixed_ones_come_first() {
    let mut partitions = StreamPartitions::new("door", None, true);
    partitions.fixed(&topic("fixed", 3)).unwrap();
    for index in 0..REMEMBERED_MAX + 5 {
        partitions.in_topic(&topic(&format!("named{index}"), 3)).unwrap();
    }
    // Written again, so it is the last one.
    partitions.in_topic(&topic("named5", 3)).unwrap();
    let stored = partitions.stored();
    let names: Vec<&str> = stored.iter().map(|kept| kept.topic.as_str()).collect();
    assert_eq!((names[0], names[1], *names.last().unwrap()), ("fixed", "named6", "named5"));
    assert_eq!(stored.len(), REMEMBERED_MAX + 1);
}

#[test]
fn a_partition_that_is_gone_is_an_error_each_time() {
    let mut partitions = StreamPartitions::new("door", None, true);
    partitions.named.push(DataPartition { topic: "named".to_owned(), partition: 7 });
    for _ in 0..2 {
        let error = partitions.in_topic(&topic("named", 3)).unwrap_err();
        assert!(matches!(error, TopicUnusable::FewerPartitions { partition: 7, count: 3, .. }), "{error}");
    }
    assert_eq!(partitions.stored().len(), 1);
}

#[test]
fn without_templates_a_topic_that_is_no_longer_named_is_forgotten() {
    let mut partitions = StreamPartitions::new("door", None, false);
    partitions.named.push(DataPartition { topic: "metadata".to_owned(), partition: 1 });
    partitions.fixed(&topic("fixed", 3)).unwrap();
    assert_eq!(partitions.stored().len(), 1);
}
