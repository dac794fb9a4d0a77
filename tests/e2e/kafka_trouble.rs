//! Kafka that is unavailable at the start, or restarts.

use std::time::Duration;

use kvs_harness::{Kafka, Turn, wait_for};
use kvs_simulator::Pace;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::rest::task_states;
use crate::stage::{Stage, program};

#[test]
fn a_worker_waits_for_kafka_at_the_start_and_survives_its_restart() {
    let _turn = Turn::heavy();
    let mut kafka = Kafka::prepare();
    let stage = Stage::new("outage");
    let streams = ["a", "b", "c"];
    let file = stage.recording(10, 5, 1_000);
    for stream in streams {
        stage.add(stream, &file, 40, Pace::FragmentsPerSecond(20.0));
    }
    let mut worker = stage.start(&stage.worker(&kafka), &stage.connector(&streams));
    wait_for("the worker to say what it waits for", || {
        worker.log().contains("Kafka cannot be reached; waiting for it")
    });
    assert_eq!(worker.get("/health").map(|(status, _)| status), Some(503));
    kafka.up();
    worker.wait_healthy();
    wait_for("the worker to publish", || worker.metric("kvs_connect_fragments_total") > 30.0);
    let before = worker.metric("kvs_connect_fragments_total");
    kafka.down();
    kafka.up();
    wait_for("the worker to publish again", || worker.metric("kvs_connect_fragments_total") > before + 30.0);
    // The worker has remained a member, and does not report the opposite for ever.
    if worker.log().contains("the group cannot be reached at the moment") {
        wait_for("the group to be reached again", || worker.log().contains("the group is reached again"));
    }
    wait_for("all of the files to arrive", || streams.iter().all(|stream| stage.held(stream).len() == 400));
    stage.expect_all(&kafka, &streams);
    let (code, _) = worker.terminate();
    assert_eq!(code, 0);
}

/// Whoever reads that is not sent to look for other members of the group.
#[test]
fn a_task_whose_shard_is_being_acquired_says_so() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("acquiring", 1));
    stage.add("a", &stage.recording(3, 1, 100), 1, Pace::Max);
    let mut worker = stage.start(&stage.worker(kafka), &stage.connector(&["a"]));
    worker.wait_healthy();
    stage.expect_all(kafka, &["a"]);
    assert_eq!(worker.terminate().0, 0, "{}", worker.log());
    // A transaction of another program keeps the shard from being read to its end.
    let timeout = Duration::from_secs(30);
    let other: BaseProducer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap())
        .set("transactional.id", format!("{}-other", stage.name))
        .set("transaction.timeout.ms", "600000")
        .create()
        .unwrap();
    other.init_transactions(timeout).unwrap();
    other.begin_transaction().unwrap();
    let offsets = format!("{}-offsets", stage.group());
    other.send(BaseRecord::to(&offsets).partition(0).key("other").payload("other")).unwrap();
    other.flush(timeout).unwrap();
    worker.restart(program());
    worker.wait_healthy();
    let tasks = || worker.rest("GET", "/connectors/cameras/status", None).1["tasks"].to_string();
    wait_for("the task to say what it waits for", || {
        tasks().contains("UNASSIGNED") && tasks().contains("this worker has its shard and is about to begin")
    });
    other.abort_transaction(timeout).unwrap();
    wait_for("the task to run", || task_states(&worker, "cameras") == ["RUNNING"]);
    assert_eq!(worker.terminate().0, 0, "{}", worker.log());
}
