//! The recovery read on a real Kafka never ends before it has begun.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kvs_connect::kafka::settings::GroupProtocol;
use kvs_connect::kafka::{KafkaLog, KafkaSettings};
use kvs_connect::model::log::write_transaction;
use kvs_connect::model::{
    Contract, IdScheme, OffsetKey, Record, ShardId, ShardLog, StoredOffset, TransactionalProducer,
};
use kvs_connect::shard::recover::recover;
use kvs_harness::Kafka;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

const SHARD: ShardId = ShardId(0);
const STREAMS: usize = 10;
const READS: usize = 300;

/// While this is set, each of librdkafka's log lines takes a while, which delays its main thread.
static HELD_UP: AtomicBool = AtomicBool::new(false);

struct HoldUp;

impl<S: tracing::Subscriber> Layer<S> for HoldUp {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if HELD_UP.load(Ordering::Relaxed) && event.metadata().target() == "librdkafka" {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn settings(kafka: &Kafka, topic: &str, held_up: bool) -> KafkaSettings {
    let debug = |facilities: &str| BTreeMap::from([("debug".to_owned(), facilities.to_owned())]);
    KafkaSettings {
        bootstrap_servers: kafka.bootstrap().to_owned(),
        common: BTreeMap::new(),
        producer: BTreeMap::new(),
        consumer: if held_up { debug("cgrp,consumer,topic") } else { BTreeMap::new() },
        admin: BTreeMap::new(),
        group_id: format!("{topic}-group"),
        offsets_topic: topic.to_owned(),
        session_timeout_ms: 6_000,
        group_instance_id: None,
        group_protocol: GroupProtocol::Classic,
        transaction_timeout_ms: 10_000,
        message_max_bytes: 1_000_000,
        claim: None,
    }
}

fn offset(index: usize) -> (Vec<u8>, Option<Vec<u8>>) {
    let key = OffsetKey { connector: "c".to_owned(), stream: format!("s{index}") };
    let offset = StoredOffset {
        continuation_token: None,
        fragment_number: "7".parse().unwrap(),
        server_timestamp: None,
        producer_timestamp: None,
        sequence: Some(1),
        data_partitions: Vec::new(),
        continuity: kvs_mkv::Continuity::default(),
        frames: None,
    };
    (key.to_bytes(), Some(offset.to_bytes()))
}

#[test]
fn a_reused_reader_reads_everything_again() {
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(HoldUp));
    let kafka = Kafka::shared();
    let topic = format!("recovery-{}", std::process::id());
    kafka.create_topic(&topic, 1, &[("cleanup.policy", "compact")]);
    let contract = Contract::of_group(&format!("{topic}-group"), 1);
    let name: Arc<str> = topic.as_str().into();
    {
        let log = KafkaLog::new(settings(kafka, &topic, false));
        let mut producer = log.open_producer(SHARD, IdScheme::default()).unwrap();
        producer.init().unwrap();
        let records = (0..STREAMS).map(offset).map(|(key, value)| Record::of_log(&name, SHARD, key, value));
        write_transaction(&mut producer, records).unwrap();
        // Followed by a marker, an aborted transaction, and its marker.
        producer.begin().unwrap();
        let (key, _) = offset(0);
        producer.send(Record::of_log(&name, SHARD, key, None)).unwrap();
        producer.drain().unwrap();
        drop(producer);
        let mut next = log.open_producer(SHARD, IdScheme::default()).unwrap();
        next.init().unwrap();
    }
    for held_up in [false, true] {
        let log = KafkaLog::new(settings(kafka, &topic, held_up));
        HELD_UP.store(held_up, Ordering::Relaxed);
        let mut took = Vec::new();
        for read in 0..READS {
            let began = Instant::now();
            // The same reader each time.
            let recovered =
                log.with_reader(|reader| recover(reader, SHARD, &contract, Duration::from_secs(30), &|| true)).unwrap();
            took.push(began.elapsed());
            assert_eq!(recovered.positions.len(), STREAMS, "read {read}, librdkafka held up: {held_up}");
        }
        HELD_UP.store(false, Ordering::Relaxed);
        took.sort();
        println!("held up: {held_up}; a read took {:?}, the longest {:?}", took[READS / 2], took[READS - 1]);
    }
}
