//! A worker without trouble from outside.

use std::collections::HashSet;
use std::time::Duration;

use kvs_connect::model::{OffsetKey, ShardCount};
use kvs_harness::{Kafka, wait_for};
use kvs_simulator::{Fault, FaultKind, Pace};

use crate::stage::{Stage, program};

#[test]
fn publishes_everything_and_stops_when_told() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("basics"));
    let streams = ["front-door", "parking", "a.b_c-d"];
    for stream in streams {
        stage.add(stream, &stage.recording(7, 5, 3000), 3, Pace::Max);
    }
    let mut worker = stage.start(&stage.worker(kafka), &stage.connector(&streams));
    assert!(matches!(worker.get("/health"), None | Some((200 | 503, _))));
    worker.wait_healthy();
    stage.expect_all(kafka, &streams);

    // A shard without streams has no thread; one with streams has one, named after it.
    let shards: HashSet<i32> = streams
        .iter()
        .map(|stream| OffsetKey { connector: "cameras".to_owned(), stream: (*stream).to_owned() })
        .map(|key| ShardCount::new(12).unwrap().shard_of(&key.to_bytes()).0)
        .collect();
    let threads: HashSet<String> = worker.threads().into_iter().filter(|name| name.starts_with("shard-")).collect();
    assert_eq!(threads, shards.iter().map(|shard| format!("shard-{shard}")).collect());

    wait_for("the metrics to count every fragment", || worker.metric("kvs_connect_fragments_total") == 63.0);
    assert!(worker.metric("kvs_connect_fragment_bytes_total") > 63.0 * 15_000.0);
    assert_eq!(worker.metric("kvs_connect_duplicates_dropped_total"), 0.0);
    wait_for("their latencies", || worker.metric("kvs_connect_commit_latency_seconds_count") >= 63.0);

    let (code, took) = worker.terminate();
    assert_eq!(code, 0, "{}", worker.log());
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(worker.log().contains("\"message\":\"stopped\""));
}

#[test]
fn a_restart_continues_at_the_position() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("restart"));
    stage.add("s", &stage.recording(5, 2, 500), 20, Pace::FragmentsPerSecond(40.0));
    let mut worker = stage.start(&stage.worker(kafka), &stage.connector(&["s"]));
    worker.wait_healthy();
    wait_for("some fragments", || worker.metric("kvs_connect_fragments_total") > 5.0);
    let (code, _) = worker.terminate();
    assert_eq!(code, 0);
    worker.restart(program());
    worker.wait_healthy();
    wait_for("all of the file to arrive", || stage.held("s").len() == 100);
    stage.expect_all(kafka, &["s"]);
}

#[test]
fn a_fragment_that_is_too_large_fails_its_stream_alone() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("too-large"));
    stage.add("large", &stage.recording(2, 10, 30_000), 1, Pace::Max);
    stage.add("small", &stage.recording(4, 2, 500), 1, Pace::Max);
    let connector = stage.connector(&["large", "small"]).set("kvs.fragment.max.size.bytes", "100000");
    let mut worker = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    stage.expect_all(kafka, &["small"]);
    wait_for("the large stream to be FAILED", || worker.log().contains("the stream is FAILED"));
    let (_, health) = worker.get("/health").unwrap();
    let health: serde_json::Value = serde_json::from_str(&health).unwrap();
    let reason = health["failed_streams"][0]["reason"].as_str().unwrap();
    // The error has both the size and the limit.
    assert!(reason.contains("fragment bytes would be 300") && reason.contains("the limit is 100000"), "{reason}");
    assert!(!stage.seen(kafka).contains_key("large"));
}

#[test]
fn a_topic_with_too_small_a_record_limit_fails_its_stream_alone() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("topic-limit", 1));
    // Equal to the fragments' limit, so that it is not refused at the start; the records are a little larger.
    kafka.create_topic(&stage.topic(), 6, &[("max.message.bytes", "100000")]);
    stage.add("large", &stage.recording(2, 1, 99_200), 1, Pace::Max);
    stage.add("small", &stage.recording(4, 2, 500), 1, Pace::Max);
    let connector = stage.connector(&["large", "small"]).set("kvs.fragment.max.size.bytes", "100000");
    let mut worker = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    wait_for("the large stream to be FAILED", || worker.log().contains("is larger than topic"));
    wait_for("the small stream to continue", || stage.seen(kafka).get("small").map(Vec::len) == Some(4));
    assert!(!stage.seen(kafka).contains_key("large"));
}

#[test]
fn no_secret_is_ever_shown() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("secrets"));
    stage.add("s", &stage.recording(1, 1, 10), 1, Pace::Max);
    let secret = "a-secret-that-is-wrong-and-long";
    let connector = stage
        .connector(&["s"])
        .set("kvs.credentials.access.key.id", "test")
        .set("kvs.credentials.secret.access.key", secret)
        .set("kvs.credentials.session.token", "a-token-that-is-secret");
    let mut worker = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    wait_for("the stream to be FAILED", || worker.log().contains("the stream is FAILED"));
    let (_, health) = worker.get("/health").unwrap();
    let shown = worker.log() + &health;
    assert!(shown.contains("InvalidSignatureException"), "{shown}");
    assert!(!shown.contains(secret) && !shown.contains("a-token-that-is-secret"));
}

#[test]
fn one_stuck_stream_does_not_delay_another() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("stuck", 1));
    stage.add("stuck", &stage.recording(3, 2, 500), 1, Pace::Max);
    stage.add("free", &stage.recording(6, 2, 500), 1, Pace::Max);
    let kind = FaultKind::Stall { at_byte: 700, duration_ms: 600_000 };
    stage.simulator.add_fault(Fault::new(kind).on("stuck"));
    let connector = stage.connector(&["stuck", "free"]).set("kvs.inactivity.timeout.ms", "4000");
    let mut worker = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    wait_for("the free stream", || stage.seen(kafka).get("free").map(Vec::len) == Some(6));
    // The stuck stream continues when its silence is over.
    stage.expect_all(kafka, &["stuck", "free"]);
}
