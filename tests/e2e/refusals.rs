//! Settings and topics that are refused at the start, by name, with exit code 78.

use kvs_harness::{Kafka, WorkerFile, wait_for};
use kvs_simulator::Pace;

use crate::stage::Stage;

fn refused(stage: &Stage, worker: &WorkerFile, expected: &[&str]) {
    let mut worker = stage.start(worker, &stage.connector(&["s"]));
    let code = worker.wait_exit();
    let log = worker.log();
    assert_eq!(code, 78, "{log}");
    for text in expected {
        assert!(log.contains(text), "{text:?} is not in the log: {log}");
    }
}

#[test]
fn an_offsets_topic_that_is_not_compacted() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("not-compacted"));
    let topic = format!("{}-offsets", stage.group());
    kafka.create_topic(&topic, 12, &[("cleanup.policy", "delete")]);
    refused(&stage, &stage.worker(kafka), &[&topic, "cleanup.policy is \"delete\""]);
}

#[test]
fn another_number_of_partitions_than_the_topic_has() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("partitions"));
    let topic = format!("{}-offsets", stage.group());
    kafka.create_topic(&topic, 5, &[("cleanup.policy", "compact")]);
    refused(&stage, &stage.worker(kafka), &[&topic, "has 5 partitions and offset.storage.partitions is 12"]);
}

#[test]
fn more_replicas_than_there_are_brokers() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("replicas"));
    let topic = format!("{}-offsets", stage.group());
    let worker = stage.worker(kafka).set("offset.storage.replication.factor", "3");
    let said =
        "offset.storage.replication.factor: a replication factor of 3 was requested, but the cluster has 1 broker";
    refused(&stage, &worker, &[&topic, said]);
}

#[test]
fn a_data_topic_with_too_small_a_record_limit() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("small-topic"));
    kafka.create_topic(&stage.topic(), 6, &[("max.message.bytes", "1000000")]);
    // A connector that cannot run does not end its worker, because others may be able to.
    let mut worker = stage.start(&stage.worker(kafka), &stage.connector(&["s"]));
    worker.wait_healthy();
    let mut status = serde_json::Value::Null;
    wait_for("the connector to be FAILED", || {
        status = worker.rest("GET", "/connectors/cameras/status", None).1;
        status["connector"]["state"] == "FAILED" && status["tasks"][0]["state"] == "FAILED"
    });
    let trace = status["tasks"][0]["trace"].as_str().unwrap();
    for text in [stage.topic().as_str(), "max.message.bytes is 1000000", "67108864"] {
        assert!(trace.contains(text), "{trace}");
    }
}

#[test]
fn a_topic_of_another_group_or_with_another_number_of_shards() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("contract"));
    stage.add("s", &stage.recording(2, 1, 100), 1, Pace::Max);
    let mut owner = stage.start(&stage.worker(kafka), &stage.connector(&["s"]));
    owner.wait_healthy();
    stage.expect_all(kafka, &["s"]);
    let other_group = stage.worker(kafka).set("group.id", "\"somebody-else\"");
    refused(&stage, &other_group, &["it belongs to the group", "somebody-else"]);
    let other_offsets = other_group.set("offset.storage.topic", &format!("{:?}", format!("{}-others", stage.group())));
    refused(&stage, &other_offsets, &["-configs", "it belongs to the group", "somebody-else"]);
    let (code, _) = owner.terminate();
    assert_eq!(code, 0);

    // Enlarged since: the topic and the settings agree, but the stored contract differs.
    kafka.add_partitions(&format!("{}-offsets", stage.group()), 20);
    let worker = stage.worker(kafka).set("offset.storage.partitions", "20");
    refused(&stage, &worker, &["was created with 12 partitions and this worker has 20"]);
}

#[test]
fn an_unreachable_service_is_not_a_wrong_setting() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("listener"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let worker = stage.worker(kafka);
    let mut first = stage.start(&worker, &stage.connector(&["s"]));
    first.wait_healthy();
    drop(taken);
    wait_for("a stream that nobody knows to be FAILED", || first.log().contains("ResourceNotFoundException"));
    assert_eq!(first.get("/health").map(|(status, _)| status), Some(200));
}
