//! Topics in the framing of a schema registry, for its readers. Records of aborted transactions come first in each partition.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use kvs_harness::connector::http_call;
use kvs_harness::topic::read_raw;
use kvs_harness::{Kafka, Registry, wait_for};
use kvs_simulator::Pace;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};

use crate::stage::Stage;

/// How many fragments each generated stream has.
const FRAGMENTS: usize = 30;
const LIMIT: Duration = Duration::from_secs(60);

/// Names of topics.
pub struct Topics {
    pub fragments: String,
    pub metadata: String,
    pub notifications: String,
}

/// What the readers are to find.
pub struct Published {
    pub topics: Topics,
    /// Of each stream: its fragments in order, as readers print them.
    pub fragments: BTreeMap<String, Vec<Value>>,
}

impl Published {
    /// Returns what readers print of a topic with fragments.
    pub fn rows(&self, topic: &str) -> BTreeMap<String, Vec<Value>> {
        let mut streams = self.fragments.clone();
        for row in streams.values_mut().flatten() {
            row["topic"] = topic.into();
            if topic != self.topics.fragments {
                row.as_object_mut().unwrap().remove("payload_sha256");
            }
        }
        streams
    }

    /// Returns what readers print of the notifications.
    pub fn notifications(&self) -> BTreeMap<String, Vec<Value>> {
        let row = json!({
            "topic": self.topics.notifications, "key": "reg-gone", "kind": "STREAM_DELETED", "connector": "cameras",
            "stream_name": "reg-gone",
        });
        BTreeMap::from([("reg-gone".to_owned(), vec![row])])
    }
}

/// Publishes, once for all tests of this process.
/// Has a registry count contents, whose ids records have, further than versions, whose ids Apicurio's readers expect unless they
/// are told otherwise: it does when several register a schema at the same moment.
fn part_ids(registry: &Registry) {
    for round in 0..100 {
        let subject = format!("unrelated-{}-{round}", std::process::id());
        let schema = json!({ "schema": json!({"type": "fixed", "name": format!("R{round}"), "size": 1}).to_string() });
        let path = format!("/subjects/{subject}/versions");
        std::thread::scope(|scope| {
            (0..8).for_each(|_| _ = scope.spawn(|| registry.call("POST", &path, Some(&schema))));
        });
        let path = format!("/apis/registry/v2/groups/default/artifacts/{subject}/meta");
        let (_, meta) = http_call(registry.address(), "GET", &path, None).unwrap();
        let meta: Value = serde_json::from_str(&meta).unwrap();
        if meta["contentId"] != meta["globalId"] {
            return;
        }
    }
    panic!("the registry's ids of contents and of versions stay the same");
}

pub fn published() -> &'static Published {
    static PUBLISHED: OnceLock<Published> = OnceLock::new();
    PUBLISHED.get_or_init(|| {
        let (kafka, stage) = (Kafka::shared(), Stage::with_shards("registry", 2));
        let name = |kind: &str| format!("{}-framed-{kind}", stage.name);
        let topics =
            Topics { fragments: name("fragments"), metadata: name("metadata"), notifications: name("notifications") };
        for topic in [&topics.fragments, &topics.metadata, &topics.notifications] {
            kafka.create_topic(topic, 2, &[]);
            abort(kafka, topic);
        }
        let file = stage.recording(FRAGMENTS, 3, 2_000);
        let mut streams = vec!["reg-a", "reg-b", "reg-gone"];
        for stream in &streams {
            stage.add(stream, &file, 1, Pace::Max);
        }
        if let Some(folder) = std::env::var_os("KVS_RECORDINGS").filter(|folder| !folder.is_empty()) {
            stage.add("reg-real", &Path::new(&folder).join("output_get_media.mkv"), 1, Pace::Max);
            streams.push("reg-real");
        } else {
            println!("SKIPPED in part: KVS_RECORDINGS is not set, so no real recording is read");
        }
        part_ids(Registry::shared());
        let mut fragments = BTreeMap::new();
        publish(&stage, kafka, Registry::shared(), &topics, &streams, || {
            fragments = streams.iter().map(|stream| ((*stream).to_owned(), expected(&stage, stream))).collect();
        });
        Published { topics, fragments }
    })
}

/// Writes records that are nothing to each partition, in a transaction that is aborted.
fn abort(kafka: &Kafka, topic: &str) {
    let producer = transactional(kafka, &format!("{topic}-aborted"));
    for partition in 0..2 {
        let record = BaseRecord::to(topic).partition(partition).key("aborted").payload("aborted");
        producer.send(record).unwrap();
    }
    producer.flush(LIMIT).unwrap();
    producer.abort_transaction(LIMIT).unwrap();
}

/// Returns a producer that has begun a transaction.
fn transactional(kafka: &Kafka, id: &str) -> BaseProducer {
    let mut config = rdkafka::ClientConfig::new();
    config.set("bootstrap.servers", kafka.bootstrap()).set("transactional.id", id);
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(LIMIT).unwrap();
    producer.begin_transaction().unwrap();
    producer
}

/// Returns what the simulator holds of a stream, as readers print it.
fn expected(stage: &Stage, stream: &str) -> Vec<Value> {
    let address = stage.simulator.address().to_string();
    let path = format!("/simulator/streams/{stream}/fragments");
    let (_, body) = kvs_harness::connector::http_get(&address, &path).unwrap();
    let listed: Value = serde_json::from_str(&body).unwrap();
    let rows = listed["fragments"].as_array().unwrap();
    assert!(!rows.is_empty(), "{stream} has no fragments");
    let row = |(sequence, row): (usize, &Value)| {
        json!({
            "key": row["fragmentNumber"], "stream_name": stream, "fragment_number": row["fragmentNumber"],
            "sequence": sequence, "size_bytes": row["sizeBytes"], "payload_sha256": row["sha256"],
            "server_timestamp": row["serverTimestampMs"], "producer_timestamp": row["producerTimestampMs"],
        })
    };
    rows.iter().enumerate().map(row).collect()
}

/// Publishes by the connector. `complete` is called when all fragments are published, before the last of the streams is
/// deleted.
fn publish(
    stage: &Stage,
    kafka: &Kafka,
    registry: &Registry,
    topics: &Topics,
    streams: &[&str],
    complete: impl FnOnce(),
) {
    let connector = stage
        .connector(&[])
        .unset("kvs.streams")
        .set("kvs.streams.prefix", "reg-")
        .set("kvs.discovery.interval.ms", "1000")
        .set("topic", &topics.fragments)
        .set("metadata.topic", &topics.metadata)
        .set("key.converter", "avro");
    let settings = stage
        .worker(kafka)
        .set("notifications.topic", &format!("\"{}\"", topics.notifications))
        // Of the worker, whose topic that is, and so of its connectors.
        .set("schema.registry.url", &format!("\"{}\"", registry.url()));
    let mut worker = stage.start(&settings, &connector);
    worker.wait_healthy();
    stage.wait_all_published(kafka, streams);
    complete();
    assert!(stage.simulator.remove_stream("reg-gone"));
    let is_deletion = |value: &[u8]| value.windows(14).any(|part| part == b"STREAM_DELETED");
    wait_for("the notification", || {
        read_raw(kafka.bootstrap(), &topics.notifications).iter().any(|(_, value)| is_deletion(value))
    });
    worker.terminate();
}
