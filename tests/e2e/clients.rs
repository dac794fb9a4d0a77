//! Independent clients of Kafka Connect, from PyPI, and a fuzzer of our OpenAPI document.

use std::path::{Path, PathBuf};
use std::process::Command;

use kvs_harness::process::{Process, command};
use kvs_harness::{Kafka, wait_for};
use kvs_simulator::{Fault, FaultKind, Pace};

use crate::rest::{bare, config, state, task_states};
use crate::stage::Stage;

/// Returns the folder with the programs of the clients' virtual environment, which `dev/sdks` creates.
fn programs() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("dev/sdks");
    let output = Command::new(script).arg("clients").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Path::new(String::from_utf8(output.stdout).unwrap().trim()).parent().unwrap().to_owned()
}

fn drive(script: &str) {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("client", 2));
    let file = stage.recording(4, 1, 100);
    for stream in ["a", "b"] {
        stage.add(stream, &file, 1, Pace::Max);
    }
    let worker = bare(&stage, kafka);
    let connector = stage.folder.path().join("cameras.json");
    std::fs::write(&connector, stage.connector(&["a", "b"]).text()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    let output = Command::new(programs().join("python"))
        .arg(script)
        .arg(format!("http://{}", worker.address()))
        .arg(&connector)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains(": done"), "{said}");
}

#[test]
fn kafka_connect_py_drives_a_connectors_life() {
    drive("drive_kafka_connect_py.py");
}

#[test]
fn kafkaconnect_drives_a_connectors_life() {
    drive("drive_kafkaconnect.py");
}

/// The watcher finds failed tasks and restarts them.
#[test]
fn kafka_connect_watcher_finds_and_restarts_a_failed_task() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("watcher", 2));
    stage.add("a", &stage.recording(4, 1, 100), 1, Pace::Max);
    let kind = FaultKind::ErrorTag { after_fragments: 2, error_id: 4502, error_code: "ON_PURPOSE".to_owned() };
    stage.simulator.add_fault(Fault::new(kind).on("a").times(1));
    let worker = bare(&stage, kafka);
    let mut settings = config(&stage, &["a"]);
    settings["errors.retry.timeout"] = "0".into();
    assert_eq!(worker.rest("PUT", "/connectors/cameras/config", Some(&settings)).0, 201);
    wait_for("the task to be FAILED", || task_states(&worker, "cameras") == ["FAILED"]);
    let port = worker.address().rsplit(':').next().unwrap().to_owned();
    let file = stage.folder.path().join("watcher.json");
    let text = serde_json::json!({
        "clusters": [{
            "name": "ours", "hostname": "127.0.0.1", "port": port.parse::<u16>().unwrap(),
            "evaluation_rules": [{ "include_regex": [".*"], "auto_correct_actions": [{ "action": "cycle" }] }],
        }],
        "watch_interval": "2s",
    });
    std::fs::write(&file, text.to_string()).unwrap();
    let log = stage.folder.path().join("watcher.log");
    let mut start = command(programs().join("kafka-connect-watcher"));
    let out = std::fs::File::create(&log).unwrap();
    start.arg("-c").arg(&file).stdout(out.try_clone().unwrap()).stderr(out);
    let _watcher = Process::start(start);
    wait_for("the watcher to have restarted it", || task_states(&worker, "cameras") == ["RUNNING"]);
    stage.expect_all(kafka, &["a"]);
    wait_for("the watcher to say so", || {
        std::fs::read_to_string(&log).unwrap().contains("Applied corrective action 'cycle' to connector cameras")
    });
}

/// A thousand requests generated from the document, valid and invalid: each response is one that the document lists,
/// none a 5xx.
#[test]
fn a_fuzzer_of_the_openapi_document_finds_nothing() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("fuzz", 2));
    stage.add("front-door", &stage.recording(2, 1, 100), 1, Pace::Max);
    let worker = bare(&stage, kafka);
    let output = Command::new(programs().join("schemathesis"))
        .arg("run")
        .arg(format!("http://{}/openapi.json", worker.address()))
        // A request that is valid by the document may still be refused: no such stream, no such topic name.
        .args(["--exclude-checks", "positive_data_acceptance", "--max-examples", "15", "--seed", "20261124"])
        .args(["--no-color", "--warnings", "off", "--request-timeout", "90"])
        .current_dir(stage.folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let cases = said.lines().find(|line| line.contains(" generated, ")).unwrap_or_default().trim().to_owned();
    println!("schemathesis: {cases}");
    // The worker is alive and works.
    assert_eq!(worker.rest("PUT", "/connectors/after/config", Some(&config(&stage, &["front-door"]))).0, 201);
    wait_for("a connector to run", || state(&worker, "after") == "RUNNING");
}
