#![allow(clippy::unwrap_used)]

use tokio::runtime::Handle;

use super::*;
use crate::kafka::{KafkaLog, KafkaSettings};
use crate::model::{Contract, ShardCount, ShardId};
use crate::shard::{OwnerContext, OwnerSettings};

/// Clients of a Kafka that nobody reaches: a shard without streams has none.
fn owners(topic: &str, count: i32) -> TopicOwners {
    let settings = KafkaSettings::of_no_cluster(topic);
    let owners = OwnerContext {
        log: Arc::new(KafkaLog::new(settings)),
        contract: Contract::of_group("g", count),
        settings: OwnerSettings::default(),
        runtime: Handle::current(),
    };
    TopicOwners { count: ShardCount::new(count).unwrap(), owners }
}

fn shards() -> Shards {
    let topics = ShardTopics::new("workers".into(), owners("workers", 3));
    let (endings, refusals) = (mpsc::channel(1).0, mpsc::channel(1).0);
    let gate = Arc::new(ConfigGate::new("configs"));
    Shards::new(topics, Arc::default(), endings, refusals, gate)
}

fn shard(topic: &str, partition: i32) -> TopicShard {
    TopicShard { topic: topic.into(), shard: ShardId(partition) }
}

/// The group need not notice that a topic was closed: what it has assigned is held whenever the topic is open.
#[tokio::test]
async fn what_the_group_has_assigned_is_held_as_long_as_its_topic_is_open() {
    let shards = shards();
    shards.assigned(&[shard("workers", 1), shard("own", 0), shard("own", 2)]);
    assert_eq!(shards.held(), BTreeSet::from([shard("workers", 1)]));
    for _ in 0..2 {
        shards.open("own".into(), owners("own", 4));
        assert_eq!(shards.held(), BTreeSet::from([shard("own", 0), shard("own", 2), shard("workers", 1)]));
        shards.close("own");
        assert_eq!(shards.held(), BTreeSet::from([shard("workers", 1)]));
    }
    // What is another's by now is not held again.
    shards.revoked(&[shard("own", 0), shard("workers", 1)], false);
    shards.open("own".into(), owners("own", 4));
    assert_eq!(shards.held(), BTreeSet::from([shard("own", 2)]));
}

#[tokio::test]
async fn streams_belong_to_the_topic_of_their_connector() {
    let shards = shards();
    let key = OffsetKey::of_stream("c", "door");
    let of_workers = shards.topics().shard_of(&key).unwrap();
    assert_eq!(&*of_workers.topic, "workers");
    shards.topics().set_homes(HashMap::from([("c".to_owned(), "own".into())]));
    // Whose topic is not open here has no shard here.
    assert_eq!(shards.topics().shard_of(&key), None);
    shards.open("own".into(), owners("own", 4));
    let of_own = shards.topics().shard_of(&key).unwrap();
    assert_eq!((&*of_own.topic, of_own.shard), ("own", ShardCount::new(4).unwrap().shard_of(&key.to_bytes())));
    // The connector's own status stays with the worker's topic.
    assert_eq!(shards.topics().workers_shard_of(&key), of_workers);
    assert_eq!(shards.topics().shard_of(&OffsetKey::of_stream("d", "door")).unwrap(), {
        let key = OffsetKey::of_stream("d", "door");
        shards.topics().workers_shard_of(&key)
    });
}

/// The group assigns every partition of a topic; those that were added to it are no shards.
#[tokio::test]
async fn partitions_that_were_added_to_a_topic_are_not_held() {
    let shards = shards();
    shards.open("own".into(), owners("own", 4));
    shards.assigned(&[shard("workers", 2), shard("workers", 3), shard("own", 3), shard("own", 4)]);
    assert_eq!(shards.held(), BTreeSet::from([shard("own", 3), shard("workers", 2)]));
    shards.revoked(&[shard("workers", 3), shard("own", 4)], false);
    assert_eq!(shards.held(), BTreeSet::from([shard("own", 3), shard("workers", 2)]));
}
