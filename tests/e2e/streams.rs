//! A connector's streams, and what it does besides pulling them: discovery, backfills, lost positions.

use std::collections::HashMap;

use apache_avro::types::Value;
use kvs_harness::{Connector, ConnectorFile, Kafka, read_notifications, wait_for};
use kvs_simulator::{CutHow, Fault, FaultKind, Pace};

use crate::discontinuity::discontinuities;
use crate::stage::{Stage, program};

fn discovering(stage: &Stage) -> ConnectorFile {
    stage.connector(&[]).unset("kvs.streams").set("kvs.discovery.interval.ms", "1000")
}

fn status(worker: &Connector) -> HashMap<String, serde_json::Value> {
    let Some((200, body)) = worker.get("/streams") else { return HashMap::new() };
    let rows: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap();
    rows.into_iter().map(|row| (row["stream"].as_str().unwrap().to_owned(), row)).collect()
}

/// The notifications that are not about the ordinary life of a stream; `notifications.rs` has those.
fn notifications(stage: &Stage, kafka: &Kafka) -> Vec<HashMap<String, Value>> {
    const ORDINARY: [&str; 5] = ["STREAM_STARTED", "STREAM_RESUMED", "STREAM_SILENT", "CAUGHT_UP", "FALLEN_BEHIND"];
    let mut all = read_notifications(kafka.bootstrap(), &format!("{}-notifications", stage.group()));
    all.retain(|one| !ORDINARY.contains(&text(one, "kind").as_str()));
    all
}

fn text(notification: &HashMap<String, Value>, field: &str) -> String {
    match &notification[field] {
        Value::String(text) => text.clone(),
        other => panic!("{field} is {other:?}"),
    }
}

#[test]
fn a_discovery_that_is_refused_or_panics_reports_it_and_continues() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("no-discovery"));
    let file = stage.recording(4, 2, 500);
    stage.add("a", &file, 1, Pace::Max);
    let keys = [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        // The first pass is the connector's start, the second the first look.
        ("KVS_CONNECT_PANIC", "connector@3"),
    ];
    let connectors = [discovering(&stage).set("kvs.streams.regex", ".*")];
    let mut worker = Connector::start_with(program(), &stage.worker(kafka), &connectors, &keys);
    worker.wait_healthy();
    wait_for("the panic to be counted", || worker.metric("kvs_connect_panics_total") == 1.0);
    stage.expect_all(kafka, &["a"]);
    let (error_type, message) = ("AccessDeniedException".to_owned(), "not for you".to_owned());
    let refuse = FaultKind::Refuse { status: 403, error_type, message };
    stage.simulator.add_fault(Fault::new(refuse).api("ListStreams").times(0));
    let trace = || worker.rest("GET", "/connectors/cameras/status", None).1["connector"]["trace"].clone();
    wait_for("the connector to report that it finds no streams", || {
        trace().as_str().is_some_and(|trace| trace.contains("cannot be discovered") && trace.contains("not for you"))
    });
    stage.add("b", &file, 1, Pace::Max);
    stage.simulator.clear_faults();
    stage.expect_all(kafka, &["a", "b"]);
    wait_for("the report to be gone", || trace().is_null());
    assert_eq!(worker.terminate().0, 0, "{}", worker.log());
}

#[test]
fn a_discovery_that_finds_nothing_reports_why_until_it_finds_something() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("nothing-found"));
    let file = stage.recording(2, 2, 500);
    let connector = discovering(&stage).set("kvs.streams.regex", "cam-.*").set("kvs.streams.tags", "site:berlin");
    let mut worker = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    let status = || worker.rest("GET", "/connectors/cameras/status", None).1["connector"].clone();
    let said = |text: &str| {
        wait_for(text, || status()["trace"].as_str().is_some_and(|trace| trace.contains(text)));
        assert_eq!(status()["state"], "RUNNING");
    };
    said("no streams are found: the service lists no streams in this account and region");
    let url = format!("http://{}", worker.address());
    let listed = std::process::Command::new(program()).args(["connector", "list", "--url", &url]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.contains("0/0") && listed.contains("no streams are found: the service lists no streams"),
        "{listed}"
    );
    stage.add("other", &file, 1, Pace::Max);
    said("1 stream is listed, but no name matches kvs.streams.regex");
    stage.add("cam-1", &file, 1, Pace::Max);
    stage.simulator.tag_stream("cam-1", "site", "berlin");
    said("2 streams are listed, 1 of them with matching names, but none has a tag \"site:berlin\" (kvs.streams.tags)");
    // Two more looks, so that it could be reported again.
    let lists = || worker.metric("kvs_connect_api_calls_total");
    let before = lists();
    wait_for("two more looks", || lists() >= before + 4.0);
    stage.simulator.tag_stream("cam-1", "site:berlin", "");
    stage.expect_all(kafka, &["cam-1"]);
    wait_for("the report to be gone", || status()["trace"].is_null());
    // Each was reported once.
    for text in ["lists no streams", "no name matches", "but none has a tag"] {
        assert_eq!(worker.log().matches(text).count(), 1, "{text}: {}", worker.log());
    }
}

#[test]
fn a_stream_whose_tags_are_refused_affects_no_other() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("tags-refused"));
    let file = stage.recording(4, 2, 500);
    for name in ["a", "b", "c"] {
        stage.add(name, &file, 1, Pace::Max);
        stage.simulator.tag_stream(name, "site", "berlin");
    }
    let (error_type, message) = ("AccessDeniedException".to_owned(), "not for you".to_owned());
    let refuse = FaultKind::Refuse { status: 403, error_type, message };
    stage.simulator.add_fault(Fault::new(refuse).api("ListTagsForStream").on("b").times(0));
    let mut worker = stage.start(&stage.worker(kafka), &discovering(&stage).set("kvs.streams.tags", "site=berlin"));
    worker.wait_healthy();
    let trace = || worker.rest("GET", "/connectors/cameras/status", None).1["connector"]["trace"].clone();
    wait_for("the connector to name the stream", || {
        trace()
            .as_str()
            .is_some_and(|trace| trace.contains("tags of 1 of the streams") && trace.contains("not for you"))
    });
    stage.expect_all(kafka, &["a", "c"]);
    wait_for("tasks of both", || crate::rest::task_states(&worker, "cameras") == ["RUNNING", "RUNNING"]);
    stage.simulator.clear_faults();
    stage.expect_all(kafka, &["a", "b", "c"]);
    wait_for("the report to be gone", || trace().is_null());
}

#[test]
fn new_streams_are_picked_up_and_deleted_ones_end_with_a_notification() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("discovery"));
    let file = stage.recording(4, 2, 500);
    for name in ["cam-1", "cam-2", "cam-x", "other-1"] {
        stage.add(name, &file, 1, Pace::Max);
        stage.simulator.tag_stream(name, "site", "berlin");
    }
    stage.add("cam-3", &file, 1, Pace::Max);
    // A stream is listed before all servers know it, which is no reason to give it up.
    let message = "not yet".to_owned();
    let not_yet = FaultKind::Refuse { status: 404, error_type: "ResourceNotFoundException".to_owned(), message };
    stage.simulator.add_fault(Fault::new(not_yet).api("GetDataEndpoint").on("cam-2"));
    let connector = discovering(&stage)
        .set("kvs.streams.prefix", "cam-")
        .set("kvs.streams.regex", "cam-[0-9]")
        .set("kvs.streams.tags", "site=berlin");
    let mut worker = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    let streams = |worker: &Connector| {
        let mut names: Vec<String> = status(worker).into_keys().collect();
        names.sort();
        names
    };
    wait_for("the two that meet every condition", || streams(&worker) == ["cam-1", "cam-2"]);
    stage.expect_all(kafka, &["cam-1", "cam-2"]);
    // One gets its tag, one is created, and one is deleted.
    stage.simulator.tag_stream("cam-3", "site", "berlin");
    stage.add("cam-4", &file, 1, Pace::Max);
    stage.simulator.tag_stream("cam-4", "site", "berlin");
    assert!(stage.simulator.remove_stream("cam-1"));
    wait_for("what is there now", || streams(&worker) == ["cam-2", "cam-3", "cam-4"]);
    stage.expect_all(kafka, &["cam-2", "cam-3", "cam-4"]);
    wait_for("the notification", || !notifications(&stage, kafka).is_empty());
    let told = notifications(&stage, kafka);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((text(&told[0], "kind"), text(&told[0], "stream_name")), ("STREAM_DELETED".into(), "cam-1".into()));
    // The command line shows the notification.
    let mut tail = std::process::Command::new(crate::stage::program());
    tail.args(["tail", "--bootstrap-servers", kafka.bootstrap(), "--from", "beginning", "--until-end"]);
    let shown = tail.args(["--topic", &format!("{}-notifications", stage.group())]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("  STREAM_DELETED  cameras  cam-1: the stream was deleted"), "{shown}");
    assert_eq!(worker.metric("kvs_connect_streams_failed"), 0.0);
    assert!(!stage.seen(kafka).contains_key("cam-x") && !stage.seen(kafka).contains_key("other-1"));
    let (code, _) = worker.terminate();
    assert_eq!(code, 0, "{}", worker.log());
}

#[test]
fn two_workers_share_discovered_streams() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("shared-discovery"));
    let file = stage.recording(3, 2, 500);
    let names: Vec<String> = (0..24).map(|index| format!("cam-{index:02}")).collect();
    for name in &names {
        stage.add(name, &file, 1, Pace::Max);
    }
    let connector = discovering(&stage).set("kvs.streams.prefix", "cam-");
    let workers: Vec<Connector> = (0..2).map(|_| stage.start(&stage.worker(kafka), &connector)).collect();
    wait_for("every stream, each at one of the two", || {
        let mut all: Vec<String> = workers.iter().flat_map(|worker| status(worker).into_keys()).collect();
        all.sort();
        all == names && workers.iter().all(|worker| !status(worker).is_empty())
    });
    stage.expect_all(kafka, &names.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn a_backfill_publishes_its_range_once_and_in_order_through_a_kill_and_completes() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("backfill"));
    stage.add("s", &stage.recording(1_500, 2, 3_000), 1, Pace::Max);
    for kind in [
        FaultKind::Omit { fragments: 7 },
        FaultKind::Cut { at_byte: 100_000, how: CutHow::Reset },
        FaultKind::ErrorTag { after_fragments: 9, error_id: 5000, error_code: "INTERNAL".to_owned() },
    ] {
        stage.simulator.add_fault(Fault::new(kind).api("GetMediaForFragmentList"));
    }
    // The recording begins at 2017-11-28T06:55:09Z, a fragment every 2 s: from the 100th to the 1,400th.
    let begin = 1_511_852_109;
    let connector = stage
        .connector(&["s"])
        .set("kvs.backfill.from", &format!("{}", begin + 200))
        .set("kvs.backfill.to", &format!("{}", begin + 2_800));
    let mut worker = stage.start(&stage.worker(kafka).set("transaction.max.size.bytes", "50000"), &connector);
    worker.wait_healthy();
    wait_for("the job to be running", || worker.metric("kvs_connect_fragments_total") > 50.0);
    worker.restart(program());
    worker.wait_healthy();
    wait_for("the job to be done", || status(&worker).get("s").is_some_and(|row| row["state"] == "COMPLETED"));
    let row = &status(&worker)["s"];
    assert_eq!(row["backfill"]["percent"], 100.0, "{row}");
    worker.wait_logged("the backfill is done");
    let numbers = |digests: &[(String, String)]| digests.iter().map(|one| one.0.clone()).collect::<Vec<_>>();
    let held = stage.held("s");
    wait_for("the last fragment", || stage.seen(kafka).get("s").is_some_and(|seen| seen.len() >= 1_301));
    let seen = stage.seen(kafka)["s"].clone();
    assert_eq!(numbers(&seen), numbers(&held[100..=1_400]));
}

#[test]
fn a_lost_position_is_reported_with_both_positions_and_the_gap_is_filled() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("gap"));
    stage.add_live("s", &stage.recording(5, 2, 500), 25.0);
    let connector = stage.connector(&["s"]).set("kvs.position.lost", "now").set("kvs.gap.check", "true");
    let mut worker = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    wait_for("some fragments", || worker.metric("kvs_connect_fragments_total") > 20.0);
    worker.kill();
    let held = stage.held("s").len();
    wait_for("some more that nobody pulls", || stage.held("s").len() > held + 50);
    let error_code = "FRAGMENT_NOT_FOUND".to_owned();
    let gone = FaultKind::ErrorTag { after_fragments: 0, error_id: 4000, error_code };
    stage.simulator.add_fault(Fault::new(gone).times(2));
    worker.restart(program());
    worker.wait_healthy();
    // Only what arrives after the loss tells where the stream goes on.
    wait_for("the loss to be told", || !notifications(&stage, kafka).is_empty());
    assert!(stage.simulator.end_playback("s"));
    stage.expect_numbers(kafka, "s");
    // A gap that is full interrupts nothing.
    assert_eq!(discontinuities(&stage, kafka, "s"), [stage.held("s")[0].0.clone()]);
    let told = notifications(&stage, kafka);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(text(&told[0], "kind"), "POSITION_LOST");
    let (last, next) = (text(&told[0], "last_fragment_number"), text(&told[0], "next_fragment_number"));
    let held = stage.held("s");
    let index = |number: &str| held.iter().position(|one| one.0 == number).unwrap();
    assert!(index(&last) >= 20 && index(&next) > index(&last) + 1, "{last} {next}");
    let Value::Long(fetched) = told[0]["fragments_fetched"] else { panic!("{told:?}") };
    assert_eq!(fetched as usize, index(&next) - index(&last) - 1);
    assert_eq!(status(&worker)["s"]["errors"]["4000"], 2);
}

#[test]
fn the_status_reports_what_the_service_does() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("status"));
    let file = stage.recording(6, 2, 500);
    for (name, error_id) in [("retried", 5000), ("slow", 4500), ("fatal", 4502), ("fine", 0)] {
        stage.add(name, &file, 1, Pace::Max);
        if error_id > 0 {
            let kind = FaultKind::ErrorTag { after_fragments: 2, error_id, error_code: "ON_PURPOSE".to_owned() };
            stage.simulator.add_fault(Fault::new(kind).on(name).times(1));
        }
    }
    let connector = stage.connector(&["retried", "slow", "fatal", "fine"]);
    let mut worker = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    stage.expect_all(kafka, &["retried", "fine"]);
    let state = |name: &str| status(&worker).get(name).map(|row| row["state"].as_str().unwrap().to_owned());
    wait_for("the one that waits for an operator", || state("slow").as_deref() == Some("RETRYING"));
    wait_for("the one that has failed", || state("fatal").as_deref() == Some("FAILED"));
    let rows = status(&worker);
    assert_eq!((&rows["retried"]["state"], &rows["retried"]["errors"]["5000"]), (&"RUNNING".into(), &1.into()));
    assert_eq!(rows["fine"]["caught_up"], true);
    assert_eq!(rows["fine"]["millis_behind_now"], 0);
    assert!(rows["slow"]["reason"].as_str().unwrap().contains("grant kms:Decrypt"), "{}", rows["slow"]);
    assert!(rows["fatal"]["reason"].as_str().unwrap().contains("4502"), "{}", rows["fatal"]);
    assert_eq!(stage.seen(kafka)["slow"].len(), 2);
    assert!(worker.metric("kvs_connect_api_calls_total") >= 8.0);
    assert!(worker.metric("kvs_connect_api_call_duration_seconds_count") >= 8.0);
    // A failed stream is tried again after a restart, and continues at its position.
    worker.restart(program());
    worker.wait_healthy();
    stage.expect_all(kafka, &["fatal", "slow"]);
}

#[test]
fn a_backfill_from_one_fragment_to_another_has_both_once_and_in_order_through_a_kill() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("backfill-numbers"));
    stage.add("s", &stage.recording(600, 2, 3_000), 1, Pace::Max);
    let held = stage.held("s");
    let connector = stage
        .connector(&["s"])
        .set("kvs.backfill.start.fragment.number", &held[100].0)
        .set("kvs.backfill.stop.fragment.number", &held[499].0);
    let mut worker = stage.start(&stage.worker(kafka).set("transaction.max.size.bytes", "50000"), &connector);
    worker.wait_healthy();
    wait_for("the job to be running", || worker.metric("kvs_connect_fragments_total") > 50.0);
    worker.restart(program());
    worker.wait_healthy();
    wait_for("the job to be done", || status(&worker).get("s").is_some_and(|row| row["state"] == "COMPLETED"));
    assert_eq!(status(&worker)["s"]["backfill"]["percent"], 100.0);
    let numbers = |digests: &[(String, String)]| digests.iter().map(|one| one.0.clone()).collect::<Vec<_>>();
    wait_for("the last fragment", || stage.seen(kafka).get("s").is_some_and(|seen| seen.len() >= 400));
    assert_eq!(numbers(&stage.seen(kafka)["s"]), numbers(&held[100..500]));
    // The run that was killed may have ended the range already.
    let told = notifications(&stage, kafka);
    assert!(told.len() <= 2 && told.iter().all(|one| text(one, "kind") == "STREAM_ENDED"), "{told:?}");
}

#[test]
fn a_backfill_from_a_missing_fragment_reports_the_bound() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("backfill-no-bound"));
    stage.add("s", &stage.recording(20, 2, 500), 1, Pace::Max);
    let held = stage.held("s");
    let before_all = "10000000000000000000000000000000000000000000000";
    let connector = stage
        .connector(&["s"])
        .set("kvs.backfill.start.fragment.number", before_all)
        .set("kvs.backfill.stop.fragment.number", &held[9].0);
    let mut worker = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    wait_for("the job to be done", || status(&worker).get("s").is_some_and(|row| row["state"] == "COMPLETED"));
    wait_for("the notifications", || notifications(&stage, kafka).len() == 2);
    let told = notifications(&stage, kafka);
    assert_eq!(text(&told[1], "kind"), "STREAM_ENDED", "{told:?}");
    let message = text(&told[0], "message");
    assert!(message.starts_with(&format!("fragment {before_all} is named in the settings")), "{message}");
    wait_for("the last fragment", || stage.seen(kafka).get("s").is_some_and(|seen| seen.len() == 10));
}

#[test]
fn an_inclusive_start_publishes_its_fragment_once_through_kills() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("inclusive"));
    stage.add("s", &stage.recording(60, 2, 3_000), 1, Pace::Max);
    let held = stage.held("s");
    let connector = stage
        .connector(&["s"])
        .set("kvs.start.position", "FRAGMENT_NUMBER")
        .set("kvs.start.fragment.number", &held[20].0)
        .set("kvs.start.fragment.inclusive", "true");
    // The archive is unavailable at first: nothing is published, and the stream has no position when its worker is
    // killed.
    let refused =
        FaultKind::Refuse { status: 500, error_type: "InternalFailure".to_owned(), message: "not now".to_owned() };
    stage.simulator.add_fault(Fault::new(refused).api("GetMediaForFragmentList").times(3));
    let mut worker = stage.start(&stage.worker(kafka).set("transaction.max.size.bytes", "10000"), &connector);
    worker.wait_healthy();
    wait_for("the archive to have been called", || {
        status(&worker).get("s").is_some_and(|row| row["errors"]["InternalFailure"].as_u64().unwrap_or(0) > 0)
    });
    worker.restart(program());
    worker.wait_healthy();
    wait_for("the first fragments", || worker.metric("kvs_connect_fragments_total") > 0.0);
    for _ in 0..2 {
        worker.restart(program());
        worker.wait_healthy();
    }
    let numbers = |digests: &[(String, String)]| digests.iter().map(|one| one.0.clone()).collect::<Vec<_>>();
    wait_for("all of them", || stage.seen(kafka).get("s").is_some_and(|seen| seen.len() >= 40));
    assert_eq!(numbers(&stage.seen(kafka)["s"]), numbers(&held[20..]));
}
