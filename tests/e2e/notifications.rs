//! Notifications about the life of a stream: each once per change, not once per retry.

use std::collections::HashMap;

use apache_avro::types::Value;
use kvs_harness::{Connector, Kafka, read_notifications, wait_for};
use kvs_simulator::{Fault, FaultKind, Pace};

use crate::rest::task_states;
use crate::stage::{Stage, program};

fn all(stage: &Stage, kafka: &Kafka) -> Vec<HashMap<String, Value>> {
    read_notifications(kafka.bootstrap(), &format!("{}-notifications", stage.group()))
}

fn text(notification: &HashMap<String, Value>, field: &str) -> String {
    match &notification[field] {
        Value::String(text) => text.clone(),
        other => panic!("{field}: {other:?}"),
    }
}

/// The kinds of a stream's notifications, in order.
fn kinds(stage: &Stage, kafka: &Kafka, stream: &str) -> Vec<String> {
    let of_stream = all(stage, kafka).into_iter().filter(|one| text(one, "stream_name") == stream);
    of_stream.map(|one| text(&one, "kind")).collect()
}

fn count(stage: &Stage, kafka: &Kafka, stream: &str, kind: &str) -> usize {
    kinds(stage, kafka, stream).iter().filter(|one| *one == kind).count()
}

fn refuse_get_media(stage: &Stage, stream: &str) {
    let (error_type, message) = ("InternalFailure".to_owned(), "on purpose".to_owned());
    let kind = FaultKind::Refuse { status: 500, error_type, message };
    stage.simulator.add_fault(Fault::new(kind).on(stream).api("GetMedia").times(0));
}

#[test]
fn a_stream_that_starts_is_silent_and_sends_again_is_reported_once_each() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("notified", 2));
    let file = stage.recording(50, 2, 300);
    stage.add_live("a", &file, 5.0);
    stage.add("short", &stage.recording(3, 2, 300), 1, Pace::Max);
    let connector = stage.connector(&["a", "short"]).set("kvs.silent.after.ms", "2000");
    let settings = stage.worker(kafka).set("session.timeout.ms", "1500");
    let mut worker = stage.start(&settings, &connector);
    worker.wait_healthy();
    let fragments = |worker: &Connector| worker.metric("kvs_connect_fragments_total");
    wait_for("the start", || kinds(&stage, kafka, "a") == ["STREAM_STARTED", "CAUGHT_UP"]);
    // A file that has ended, with its session open.
    wait_for("the silence", || kinds(&stage, kafka, "short") == ["STREAM_STARTED", "CAUGHT_UP", "STREAM_SILENT"]);
    let silent = all(&stage, kafka).into_iter().find(|one| text(one, "kind") == "STREAM_SILENT").unwrap();
    let message = text(&silent, "message");
    assert!(message.starts_with("no fragment has arrived for 2 s") && message.contains("producer"), "{message}");

    // A start is no change of the stream that has been published before.
    worker.kill();
    worker.restart(program());
    wait_for("it to continue", || fragments(&worker) > 10.0);
    assert_eq!(kinds(&stage, kafka, "a"), ["STREAM_STARTED", "CAUGHT_UP"]);

    // Many attempts, one silence with its cause. A session that is open is not refused any more.
    refuse_get_media(&stage, "a");
    worker.kill();
    worker.restart(program());
    wait_for("the silence", || count(&stage, kafka, "a", "STREAM_SILENT") == 1);
    let retries = || worker.log().matches("trying again").count();
    let before = retries();
    wait_for("more attempts", || retries() > before + 3);
    stage.simulator.clear_faults();
    wait_for("the return", || count(&stage, kafka, "a", "STREAM_RESUMED") == 1);
    let before = fragments(&worker);
    wait_for("more fragments", || fragments(&worker) > before + 10.0);
    assert_eq!(count(&stage, kafka, "a", "STREAM_SILENT"), 1);
    assert_eq!(count(&stage, kafka, "a", "STREAM_RESUMED"), 1);
    let silent = all(&stage, kafka)
        .into_iter()
        .rfind(|one| text(one, "stream_name") == "a" && text(one, "kind") == "STREAM_SILENT");
    let message = text(&silent.unwrap(), "message");
    assert!(message.contains("InternalFailure"), "{message}");
    assert!(stage.simulator.end_playback("a"));
    stage.expect_all(kafka, &["a", "short"]);
    assert_eq!(worker.terminate().0, 0);
}

#[test]
fn a_stream_that_fails_and_is_published_again_is_reported_once_each() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("notified-failure", 2));
    stage.add_live("a", &stage.recording(50, 2, 300), 5.0);
    let connector = stage
        .connector(&["a"])
        .set("kvs.silent.after.ms", "0")
        .set("errors.retry.delay.base.ms", "200")
        .set("errors.retry.delay.max.ms", "300");
    let mut worker = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    wait_for("fragments", || worker.metric("kvs_connect_fragments_total") > 3.0);
    let kind = FaultKind::ErrorTag { after_fragments: 0, error_id: 4502, error_code: "ON_PURPOSE".to_owned() };
    stage.simulator.add_fault(Fault::new(kind).on("a").times(0));
    worker.kill();
    worker.restart(program());
    wait_for("the failure", || count(&stage, kafka, "a", "STREAM_FAILED") == 1);
    // Status and notification are in different topics: either can be read first.
    wait_for("its task to be FAILED", || task_states(&worker, "cameras") == ["FAILED"]);
    let restarts = || worker.log().matches("restarting the failed stream").count();
    let before = restarts();
    wait_for("more restarts", || restarts() > before + 3);
    stage.simulator.clear_faults();
    wait_for("the return", || count(&stage, kafka, "a", "STREAM_RESUMED") == 1);
    let failed = all(&stage, kafka).into_iter().find(|one| text(one, "kind") == "STREAM_FAILED").unwrap();
    let message = text(&failed, "message");
    assert!(message.starts_with("the stream has failed, and its position is kept: "), "{message}");
    assert_eq!(count(&stage, kafka, "a", "STREAM_FAILED"), 1);
    assert!(stage.simulator.end_playback("a"));
    stage.expect_all(kafka, &["a"]);
    assert_eq!(count(&stage, kafka, "a", "STREAM_RESUMED"), 1);
    assert_eq!(worker.terminate().0, 0);
}

/// A camera that sends when something moves.
#[test]
fn each_of_many_silences_has_its_end() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("notified-often", 2));
    stage.add_live("slow", &stage.recording(50, 2, 300), 0.4);
    let connector = stage.connector(&["slow"]).set("kvs.silent.after.ms", "1000");
    let mut worker = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    wait_for("four silences", || count(&stage, kafka, "slow", "STREAM_SILENT") >= 4);
    assert!(stage.simulator.end_playback("slow"));
    let ends =
        kinds(&stage, kafka, "slow").into_iter().filter(|kind| kind.ends_with("SILENT") || kind.ends_with("RESUMED"));
    for (index, kind) in ends.enumerate() {
        assert_eq!(kind, if index % 2 == 0 { "STREAM_SILENT" } else { "STREAM_RESUMED" }, "{index}");
    }
    assert_eq!(worker.terminate().0, 0);
}
