//! The producer with a real Kafka.

use std::collections::BTreeMap;

use kvs_harness::{Kafka, wait_for};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::*;
use crate::kafka::client_config;
use crate::kafka::settings::GroupProtocol;

const RECORDS: usize = 12;
const RECORD_BYTES: usize = 500_000;

fn settings(bootstrap: &str, topic: &str) -> KafkaSettings {
    KafkaSettings {
        bootstrap_servers: bootstrap.to_owned(),
        common: BTreeMap::new(),
        producer: BTreeMap::new(),
        consumer: BTreeMap::new(),
        admin: BTreeMap::new(),
        group_id: topic.to_owned(),
        offsets_topic: topic.to_owned(),
        session_timeout_ms: 10_000,
        group_instance_id: None,
        group_protocol: GroupProtocol::Classic,
        transaction_timeout_ms: 60_000,
        message_max_bytes: 1 << 20,
        claim: None,
    }
}

/// Returns the keys of a partition's committed records, in their order.
fn committed_keys(bootstrap: &str, topic: &str, count: usize) -> Vec<Vec<u8>> {
    let mut config = client_config();
    config.set("bootstrap.servers", bootstrap).set("group.id", topic).set("isolation.level", "read_committed");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&partitions).unwrap();
    let mut keys = Vec::new();
    wait_for("the committed records", || {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            keys.push(message.unwrap().key().unwrap().to_vec());
        }
        keys.len() == count
    });
    keys
}

#[test]
fn librdkafka_has_no_record_that_it_may_not_send_and_the_order_is_kept() {
    let kafka = Kafka::shared();
    let topic = format!("producer-window-{}", std::process::id());
    kafka.create_topic(&topic, 1, &[]);
    let mut producer = ShardProducer::new(&settings(kafka.bootstrap(), &topic), ShardId(0), IdScheme::Colons).unwrap();
    producer.init().unwrap();
    let name: Arc<str> = Arc::from(topic.as_str());
    for transaction in 0..2 {
        producer.begin().unwrap();
        for index in 0..RECORDS {
            let key = format!("{transaction}-{index:02}").into_bytes();
            producer.send(Record::of_log(&name, ShardId(0), key, Some(vec![7; RECORD_BYTES]))).unwrap();
            let unacknowledged = producer.deliveries.lock().outstanding;
            assert!(unacknowledged <= 5, "{unacknowledged} records of the partition at once");
        }
        producer.drain().unwrap();
        assert!(producer.held.is_empty());
        assert_eq!(producer.deliveries.lock().outstanding, 0);
        producer.commit().unwrap();
    }
    let expected: Vec<_> = (0..2)
        .flat_map(|transaction| (0..RECORDS).map(move |index| format!("{transaction}-{index:02}").into_bytes()))
        .collect();
    assert_eq!(committed_keys(kafka.bootstrap(), &topic, expected.len()), expected);
}
