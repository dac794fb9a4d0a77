//! Kafka that is unavailable at the start, or restarts.

use kvs_harness::{Kafka, Turn, wait_for};
use kvs_simulator::Pace;

use crate::stage::Stage;

#[test]
fn a_worker_waits_for_kafka_at_the_start_and_survives_its_restart() {
    let _turn = Turn::alone();
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
