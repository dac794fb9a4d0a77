//! The producer with a real Kafka.

use std::collections::BTreeMap;

use kvs_harness::{Kafka, wait_for};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers;
use rdkafka::{Offset, TopicPartitionList};

use super::*;
use crate::kafka::client_config;
use crate::kafka::settings::GroupProtocol;
use crate::model::Header;

const RECORDS: usize = 12;
const RECORD_BYTES: usize = 500_000;
const TIMESTAMP_MS: i64 = 1_700_000_000_000;

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

/// Returns a partition's committed records, in their order, as key, header and value.
fn committed(bootstrap: &str, topic: &str, count: usize) -> Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> {
    let mut config = client_config();
    config.set("bootstrap.servers", bootstrap).set("group.id", topic).set("isolation.level", "read_committed");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&partitions).unwrap();
    let mut records = Vec::new();
    wait_for("the committed records", || {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            let message = message.unwrap();
            assert_eq!(message.timestamp().to_millis(), Some(TIMESTAMP_MS));
            let header = message.headers().unwrap().get(0).value.unwrap().to_vec();
            records.push((message.key().unwrap().to_vec(), header, message.payload().unwrap().to_vec()));
        }
        records.len() == count
    });
    records
}

/// The record of an index: large ones are lent to librdkafka, small ones copied.
fn record(topic: &Arc<str>, transaction: usize, index: usize) -> Record {
    let byte = u8::try_from(transaction * RECORDS + index).unwrap();
    let size_bytes = if index % 4 == 3 { 100 } else { RECORD_BYTES };
    let key = format!("{transaction}-{index:02}").into_bytes();
    Record {
        headers: vec![Header { name: "at".into(), value: key.clone() }],
        timestamp_ms: Some(TIMESTAMP_MS),
        ..Record::of_log(topic, ShardId(0), key, Some(vec![byte; size_bytes]))
    }
}

#[test]
fn librdkafka_has_no_record_that_it_may_not_send_and_the_order_is_kept() {
    let kafka = Kafka::shared();
    let topic = format!("producer-window-{}", std::process::id());
    kafka.create_topic(&topic, 1, &[]);
    let mut producer =
        ShardProducer::new(&settings(kafka.bootstrap(), &topic), ShardId(0), IdScheme::Colons, None).unwrap();
    producer.init().unwrap();
    let name: Arc<str> = Arc::from(topic.as_str());
    for transaction in 0..2 {
        producer.begin().unwrap();
        for index in 0..RECORDS {
            producer.send(record(&name, transaction, index)).unwrap();
            let unacknowledged = producer.deliveries.lock().outstanding;
            assert!(unacknowledged <= 5, "{unacknowledged} records of the partition at once");
        }
        producer.drain().unwrap();
        assert!(producer.held.is_empty());
        assert_eq!(producer.deliveries.lock().outstanding, 0);
        producer.commit().unwrap();
    }
    let all = (0..2).flat_map(|transaction| (0..RECORDS).map(move |index| (transaction, index)));
    let expected: Vec<_> = all
        .map(|(transaction, index)| {
            let record = record(&name, transaction, index);
            (record.key.clone(), record.key, record.value.unwrap().to_vec())
        })
        .collect();
    // Compared piece by piece: the whole would be megabytes of text.
    for (found, expected) in committed(kafka.bootstrap(), &topic, expected.len()).iter().zip(&expected) {
        assert!(found == expected, "{:?} is not {:?}", found.0, expected.0);
    }
}

/// Publishes 200 small records in one transaction.
fn publish_small(
    kafka: &Kafka,
    topic: &Arc<str>,
    transaction: usize,
    topics: &Arc<DataTopics>,
) -> Result<(), LogError> {
    let settings = settings(kafka.bootstrap(), topic);
    let mut producer = ShardProducer::new(&settings, ShardId(0), IdScheme::Colons, Some(Arc::clone(topics)))?;
    producer.init()?;
    producer.begin()?;
    for index in 0..200 {
        let key = format!("{transaction}-{index:03}").into_bytes();
        let header = vec![Header { name: "at".into(), value: key.clone() }];
        let timestamp_ms = Some(TIMESTAMP_MS);
        let record = Record::of_log(topic, ShardId(0), key, Some(vec![7; 500]));
        producer.send(Record { headers: header, timestamp_ms, ..record })?;
    }
    producer.drain()?;
    producer.commit()
}

#[test]
fn a_batch_that_its_topic_refuses_is_made_smaller_and_a_limit_that_is_known_is_kept_from_the_beginning() {
    let kafka = Kafka::shared();
    let topic: Arc<str> = Arc::from(format!("producer-batches-{}", std::process::id()));
    kafka.create_topic(&topic, 1, &[("max.message.bytes", "20000")]);
    let topics = Arc::new(DataTopics::new(&settings(kafka.bootstrap(), &topic)).unwrap());
    // Lowered while the connector runs: what the worker knows is larger.
    let _known = topics.topic(&topic, 1, Some(1_048_588));
    let mut refused = Vec::new();
    while let Err(error) = publish_small(kafka, &topic, 0, &topics) {
        assert!(error.kind == LogErrorKind::Other && error.text.contains(&*topic), "{error}");
        refused.push(error.to_string());
        assert!(refused.len() < 10, "{refused:?}");
    }
    assert!(!refused.is_empty());
    let _known = topics.topic(&topic, 1, Some(20_000));
    publish_small(kafka, &topic, 1, &topics).unwrap();
    let keys: Vec<_> = committed(kafka.bootstrap(), &topic, 400).into_iter().map(|(key, ..)| key).collect();
    let all =
        (0..2).flat_map(|transaction| (0..200).map(move |index| format!("{transaction}-{index:03}").into_bytes()));
    assert_eq!(keys, all.collect::<Vec<_>>());
}

/// The broker may refuse a record while the transaction's next ones are on their way: what cannot be sent any more is not what is wrong.
#[test]
fn a_record_that_is_refused_is_named_whenever_the_refusal_is_noticed() {
    let kafka = Kafka::shared();
    let topic: Arc<str> = Arc::from(format!("producer-refusals-{}", std::process::id()));
    kafka.create_topic(&topic, 1, &[("max.message.bytes", "20000"), ("message.timestamp.before.max.ms", "3600000")]);
    let (now, week_ago) = (None, Some(TIMESTAMP_MS));
    let too_large = LogErrorKind::RecordTooLarge { index: 0, size_bytes: 90_000, limit_bytes: None };
    for (refused, kind) in [((90_000, now), too_large), ((1, week_ago), LogErrorKind::TimestampRefused { index: 0 })] {
        let mut producer =
            ShardProducer::new(&settings(kafka.bootstrap(), &topic), ShardId(0), IdScheme::Colons, None).unwrap();
        producer.init().unwrap();
        producer.begin().unwrap();
        let (size_bytes, timestamp_ms) = refused;
        let record = Record::of_log(&topic, ShardId(0), Vec::new(), Some(vec![7; size_bytes]));
        producer.send(Record { timestamp_ms, ..record }).unwrap();
        wait_for("the refusal", || producer.deliveries.lock().failed.is_some());
        // The transaction ends a moment after the report.
        let mut error = None;
        wait_for("the transaction to accept no more", || {
            error = producer.send(Record::of_log(&topic, ShardId(0), Vec::new(), Some(vec![7; 10_000]))).err();
            error.is_some()
        });
        let error = error.unwrap();
        assert_eq!(error.kind, kind, "{error}");
    }
}
