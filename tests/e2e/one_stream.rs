//! No stream affects another: memory, unparsable and missing fragments, refused timestamps and sizes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use apache_avro::types::Value;
use kvs_harness::{Connector, Kafka, read_notifications, wait_for, wait_for_within};
use kvs_simulator::{ErrorTagNames, Fault, FaultKind, Pace};

use crate::stage::{Stage, configure};

fn rows(worker: &Connector) -> HashMap<String, serde_json::Value> {
    let Some((200, body)) = worker.get("/streams") else { return HashMap::new() };
    let rows: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap();
    rows.into_iter().map(|row| (row["stream"].as_str().unwrap().to_owned(), row)).collect()
}

fn state(worker: &Connector, stream: &str) -> String {
    rows(worker).get(stream).map_or(String::new(), |row| row["state"].as_str().unwrap().to_owned())
}

fn numbers(digests: &[(String, String)]) -> Vec<String> {
    digests.iter().map(|one| one.0.clone()).collect()
}

fn told(stage: &Stage, kafka: &Kafka, kind: &str) -> Vec<HashMap<String, Value>> {
    let mut all = read_notifications(kafka.bootstrap(), &format!("{}-notifications", stage.group()));
    all.retain(|one| one["kind"] == Value::String(kind.to_owned()));
    all
}

fn named(notification: &HashMap<String, Value>) -> Vec<String> {
    let Value::Array(numbers) = &notification["fragment_numbers"] else { panic!("{notification:?}") };
    let text = |value: &Value| if let Value::String(text) = value { text.clone() } else { panic!("{value:?}") };
    numbers.iter().map(text).collect()
}

#[test]
fn streams_that_stall_within_a_fragment_starve_nobody() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("starving"));
    let (large, healthy, small) =
        (stage.recording(2, 3, 500_000), stage.recording(60, 2, 200_000), stage.recording(61, 2, 20_000));
    let stalled: Vec<String> = (0..24).map(|index| format!("stalled-{index:02}")).collect();
    for name in &stalled {
        stage.add(name, &large, 1, Pace::Max);
        stage
            .simulator
            .add_fault(Fault::new(FaultKind::Stall { at_byte: 900_000, duration_ms: 600_000 }).on(name).times(0));
    }
    for (name, file) in [("h-0", &healthy), ("h-1", &healthy), ("h-2", &small), ("h-3", &small)] {
        stage.add(name, file, 1, Pace::Max);
    }
    let listed: Vec<&str> = stalled.iter().map(String::as_str).chain(["h-0", "h-1", "h-2", "h-3"]).collect();
    let connector = stage.connector(&listed).set("kvs.fragment.max.size.bytes", "4000000");
    let worker = stage.worker(kafka).set("memory.budget.size.bytes", "16777216");
    let mut worker = stage.start(&worker, &connector);
    worker.wait_healthy();
    let mut waited = false;
    wait_for_within(Duration::from_secs(240), "all of the healthy streams", || {
        waited |= rows(&worker).values().any(|row| row["state"] == "WAITING_FOR_MEMORY");
        worker.metric("kvs_connect_fragments_total") >= 242.0
    });
    stage.expect_all(kafka, &["h-0", "h-1", "h-2", "h-3"]);
    wait_for("a stream to say that it waits for memory", || {
        waited |= rows(&worker).values().any(|row| row["state"] == "WAITING_FOR_MEMORY");
        waited
    });
    worker.wait_logged("gives its memory to waiting streams");
    assert!(!stage.seen(kafka).keys().any(|stream| stream.starts_with("stalled")));
}

#[test]
fn an_unknown_arn_does_not_prevent_pulling() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("no-arn"));
    let file = stage.recording(5, 2, 500);
    for name in ["a", "b"] {
        stage.add(name, &file, 1, Pace::Max);
    }
    for (name, status, error_type) in [("a", 500, "InternalFailure"), ("b", 403, "AccessDeniedException")] {
        let refuse = FaultKind::Refuse { status, error_type: error_type.to_owned(), message: String::new() };
        stage.simulator.add_fault(Fault::new(refuse).on(name).api("DescribeStream").times(0));
    }
    let mut worker = stage.start(&stage.worker(kafka), &stage.connector(&["a", "b"]));
    worker.wait_healthy();
    stage.expect_all(kafka, &["a", "b"]);
    worker.wait_logged("the stream's ARN is not known yet");
}

#[test]
fn a_stream_that_is_refused_repeatedly_says_so_in_its_tasks_trace_until_it_recovers() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("refused"));
    stage.add("a", &stage.recording(5, 2, 500), 1, Pace::Max);
    let (error_type, message) = ("ServiceUnavailableException".to_owned(), "come back later".to_owned());
    let refuse = FaultKind::Refuse { status: 503, error_type, message };
    stage.simulator.add_fault(Fault::new(refuse).on("a").api("GetMedia").times(0));
    let mut worker = stage.start(&stage.worker(kafka), &stage.connector(&["a"]));
    worker.wait_healthy();
    let task = || worker.rest("GET", "/connectors/cameras/tasks/0/status", None).1;
    wait_for("the task to say why it makes no progress", || {
        task()["trace"].as_str().is_some_and(|trace| trace.contains("come back later"))
    });
    assert_eq!(task()["state"], "UNASSIGNED", "nothing has been received from the service yet");
    stage.simulator.clear_faults();
    stage.expect_all(kafka, &["a"]);
    wait_for("the task to run without a trace", || task()["state"] == "RUNNING" && task()["trace"].is_null());
}

#[test]
fn a_stream_whose_fragments_all_count_as_published_says_so() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("ahead"));
    stage.add_live("a", &stage.recording(5, 2, 500), 5.0);
    let mut worker = stage.start(&stage.worker(kafka), &stage.connector(&["a"]));
    worker.wait_healthy();
    let status = || worker.rest("GET", "/connectors/cameras/status", None).1;
    let set = |offset: serde_json::Value| {
        assert_eq!(worker.rest("PUT", "/connectors/cameras/stop", None).0, 204);
        wait_for("the connector to be stopped", || status()["connector"]["state"] == "STOPPED");
        let set = serde_json::json!({ "offsets": [{ "partition": { "stream": "a" }, "offset": offset }] });
        let (code, answer) = worker.rest("PATCH", "/connectors/cameras/offsets", Some(&set));
        assert_eq!(code, 200, "{answer}");
        worker.rest("PUT", "/connectors/cameras/resume", None);
    };
    set(serde_json::json!({ "fragmentNumber": "9".repeat(74) }));
    wait_for("the task to say that nothing is published", || {
        let status = status();
        status["tasks"][0]["trace"].as_str().is_some_and(|trace| trace.contains("counts as published"))
    });
    worker.wait_logged("nothing of the stream is published");
    set(serde_json::Value::Null);
    wait_for("the task to continue", || {
        status()["tasks"][0]["trace"].is_null() && status()["tasks"][0]["state"] == "RUNNING"
    });
    wait_for("fragments", || worker.metric("kvs_connect_fragments_total") > 5.0);
}

fn poison(name: &str) -> Option<Vec<u8>> {
    let Some(folder) = std::env::var_os("KVS_RECORDINGS").filter(|folder| !folder.is_empty()) else {
        println!("SKIPPED: KVS_RECORDINGS is not set, so there are no chunks that cannot be parsed");
        return None;
    };
    Some(std::fs::read(PathBuf::from(folder).join("../odd/chunks").join(name)).unwrap())
}

#[test]
fn a_fragment_that_cannot_be_parsed_fails_its_stream_or_is_skipped_in_a_transaction() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("poison"));
    let Some(chunks) = ["poison.bin", "poison-lacing.bin"].map(poison).into_iter().collect::<Option<Vec<_>>>() else {
        return;
    };
    let file = stage.recording(5, 2, 500);
    for (name, bytes) in ["a", "b"].into_iter().zip(&chunks) {
        stage.add(name, &file, 1, Pace::Max);
        let fragment = stage.held(name)[2].0.clone();
        let fault = Fault::new(FaultKind::Replace { fragment, bytes: bytes.clone() });
        stage.simulator.add_fault(fault.on(name).api("GetMedia").times(0));
    }
    stage.add("fine", &file, 1, Pace::Max);
    let connector = stage.connector(&["a", "b", "fine"]);
    let mut worker = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    wait_for("both streams to be FAILED", || ["a", "b"].iter().all(|name| state(&worker, name) == "FAILED"));
    let mut status = serde_json::Value::Null;
    wait_for("their tasks to be FAILED", || {
        status = worker.rest("GET", "/connectors/cameras/status", None).1;
        (0..2).all(|task| status["tasks"][task]["state"] == "FAILED")
    });
    for (name, task) in ["a", "b"].iter().zip(status["tasks"].as_array().unwrap()) {
        let trace = task["trace"].as_str().unwrap_or_default();
        let fragment = &stage.held(name)[2].0;
        for part in [fragment.as_str(), "at byte", "3 times in a row", "errors.tolerance"] {
            assert!(trace.contains(part), "{part:?}: {status}");
        }
    }
    stage.expect_all(kafka, &["fine"]);
    assert_eq!(stage.seen(kafka)["a"].len(), 2);

    let config = serde_json::json!({ "errors.tolerance": "all" });
    let (code, body) = worker.rest("PATCH", "/connectors/cameras/config", Some(&config));
    assert_eq!(code, 200, "{body}");
    for name in ["a", "b"] {
        wait_for("the rest of the stream", || stage.seen(kafka)[name].len() >= 4);
        let mut expected = numbers(&stage.held(name));
        let passed_over = expected.remove(2);
        assert_eq!(numbers(&stage.seen(kafka)[name]), expected);
        let told = told(&stage, kafka, "FRAGMENT_PASSED_OVER");
        let mine: Vec<_> =
            told.iter().filter(|one| one["stream_name"] == Value::String(name.to_owned())).map(named).collect();
        assert_eq!(mine, [vec![passed_over]]);
    }
    // Consumers read a transaction before the worker knows of its end.
    wait_for("the count of both", || worker.metric("kvs_connect_passed_over_fragments_total") == 2.0);
    // Skipped fragments do not count as published.
    wait_for("the count of the others", || worker.metric("kvs_connect_fragments_total") == 4.0 + 5.0 + 4.0);
}

#[test]
fn a_backfill_continues_without_fragments_that_the_archive_does_not_find() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("gone"));
    stage.add("s", &stage.recording(30, 2, 500), 1, Pace::Max);
    let held = numbers(&stage.held("s"));
    let gone = FaultKind::FragmentError {
        fragments: vec![held[4].clone(), held[17].clone()],
        error_id: 3000,
        error_code: "FRAGMENT_NOT_FOUND".to_owned(),
        tag_names: ErrorTagNames::Seen,
        goes_on: false,
    };
    stage.simulator.add_fault(Fault::new(gone).on("s").api("GetMediaForFragmentList").times(0));
    let connector = stage.connector(&["s"]).set("kvs.backfill.from", "1511852109").set("kvs.backfill.to", "1511852200");
    let mut worker = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    wait_for_within(Duration::from_secs(120), "the job to be done", || state(&worker, "s") == "COMPLETED");
    let expected: Vec<String> = held.iter().filter(|one| **one != held[4] && **one != held[17]).cloned().collect();
    wait_for("the last fragment", || stage.seen(kafka).get("s").is_some_and(|seen| seen.len() >= 28));
    assert_eq!(numbers(&stage.seen(kafka)["s"]), expected);
    let named: Vec<String> = told(&stage, kafka, "FRAGMENTS_MISSING").iter().flat_map(named).collect();
    assert_eq!(named, [held[4].clone(), held[17].clone()]);
}

#[test]
fn a_refused_timestamp_costs_the_shard_once_and_the_record_gets_ingest_time() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("refused-time"));
    kafka.create_topic(&stage.topic(), 1, &[("retention.ms", "-1"), ("max.message.bytes", "70000000")]);
    stage.add_live("s", &stage.recording(40, 2, 500), 4.0);
    let connector = stage.connector(&["s"]).set("record.timestamp", "producer");
    let mut worker = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    wait_for("some fragments with the producer's time", || worker.metric("kvs_connect_fragments_total") >= 3.0);
    // The worker has read the topic's configuration before.
    let settings =
        [("retention.ms", "-1"), ("max.message.bytes", "70000000"), ("message.timestamp.before.max.ms", "3600000")];
    configure(kafka, &stage.topic(), &settings);
    worker.wait_logged("the broker refuses the timestamp");
    let refused_at = stage.held("s").len();
    wait_for("more with ingest time", || stage.held("s").len() > refused_at + 10);
    assert!(stage.simulator.end_playback("s"));
    stage.expect_all(kafka, &["s"]);
    let log = worker.log();
    assert_eq!(log.matches("the broker refuses the timestamp").count(), 1, "{log}");
    assert_eq!(rows(&worker)["s"]["state"], "RUNNING");
}

#[test]
fn a_stream_with_a_too_large_record_continues_when_its_topic_accepts_more() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("too-large"));
    kafka.create_topic(&stage.topic(), 6, &[("max.message.bytes", "70000000")]);
    // Still sending when the topic accepts less, and when it accepts more again, however long that takes.
    stage.add_live("s", &stage.recording(3, 2, 100_000), 1.0);
    stage.add("small", &stage.recording(30, 2, 500), 1, Pace::FragmentsPerSecond(4.0));
    let connector = stage
        .connector(&["s", "small"])
        .set("errors.retry.delay.base.ms", "500")
        .set("errors.retry.delay.max.ms", "4000");
    let mut worker = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    wait_for("the first fragment", || stage.seen(kafka).contains_key("s"));
    configure(kafka, &stage.topic(), &[("max.message.bytes", "50000")]);
    wait_for("the stream to be FAILED", || state(&worker, "s") == "FAILED");
    assert!(rows(&worker)["s"]["reason"].as_str().unwrap().contains("larger than topic"));
    wait_for("it to be started again", || worker.log().matches("restarting the failed stream").count() >= 2);
    configure(kafka, &stage.topic(), &[("max.message.bytes", "70000000")]);
    wait_for("the stream to be RUNNING", || state(&worker, "s") == "RUNNING");
    assert!(stage.simulator.end_playback("s"));
    wait_for("all of the file to arrive", || stage.held("small").len() == 30);
    stage.expect_all(kafka, &["s", "small"]);
}
