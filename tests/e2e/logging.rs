//! A log that cannot be written, or that nobody reads, loses lines and has no other effect; the same holds for the
//! output of a subcommand.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use kvs_harness::{Connector, Kafka, wait_for};
use kvs_simulator::Pace;

use crate::stage::{Stage, program};

const STREAMS: [&str; 4] = ["a", "b", "c", "d"];
const DROPPED: &str = "kvs_connect_log_lines_dropped_total";

/// A stage with four streams, and a worker that logs to `stderr`.
fn worker(test: &str, kafka: &Kafka, stderr: impl Into<Stdio>, level: &str) -> (Stage, Connector) {
    let stage = Stage::with_shards(test, 4);
    let file = stage.recording(10, 2, 300);
    for stream in STREAMS {
        stage.add(stream, &file, 3, Pace::FragmentsPerSecond(20.0));
    }
    let keys = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("RUST_LOG", level)];
    let connectors = [stage.connector(&STREAMS)];
    let worker = Connector::start_logging_to(Some(stderr.into()), program(), &stage.worker(kafka), &connectors, &keys);
    (stage, worker)
}

/// Expects that everything is published, the worker is healthy, and lost log lines are counted.
fn expect_all(kafka: &Kafka, stage: &Stage, worker: &mut Connector) {
    worker.wait_healthy();
    wait_for("all of the files to arrive", || STREAMS.iter().all(|stream| stage.held(stream).len() == 30));
    stage.expect_all(kafka, &STREAMS);
    assert_eq!(worker.get("/health").unwrap().0, 200);
    wait_for("lines to be dropped", || worker.metric(DROPPED) > 0.0);
}

/// Makes the worker log until lines are dropped.
fn fill(worker: &Connector) {
    let before = worker.metric(DROPPED);
    let level = serde_json::json!({ "level": "TRACE" });
    wait_for("lines to be dropped", || {
        for _ in 0..100 {
            assert_eq!(worker.rest("PUT", "/admin/loggers/kvs_connect", Some(&level)).0, 200);
        }
        worker.metric(DROPPED) > before
    });
}

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

#[test]
fn a_full_disk_only_costs_log_lines() {
    let kafka = Kafka::shared();
    let (stage, mut worker) = worker("log-full", kafka, full(), "info");
    expect_all(kafka, &stage, &mut worker);
    assert_eq!(worker.metric("kvs_connect_panics_total"), 0.0);
    assert_eq!(worker.terminate().0, 0);
}

#[test]
fn a_log_whose_reader_has_gone_stops_nothing() {
    let kafka = Kafka::shared();
    let (reader, writer) = std::io::pipe().unwrap();
    let (stage, mut worker) = worker("log-head", kafka, writer, "debug");
    let lines: Vec<String> = BufReader::new(reader).lines().take(12).map(Result::unwrap).collect();
    assert_eq!(lines.len(), 12);
    // The reader is dropped at the end of the statement.
    expect_all(kafka, &stage, &mut worker);
    assert_eq!(worker.metric("kvs_connect_panics_total"), 0.0);
    assert_eq!(worker.terminate().0, 0);
}

#[test]
fn an_unread_log_stops_nothing_and_reports_its_lost_lines_later() {
    let kafka = Kafka::shared();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let (stage, mut worker) = worker("log-stuck", kafka, writer, "trace");
    worker.wait_healthy();
    fill(&worker);
    expect_all(kafka, &stage, &mut worker);
    // The log is read again.
    let reading = std::thread::spawn(move || {
        let mut lines = BufReader::new(&mut reader).lines().map(Result::unwrap);
        let said = lines.find(|line| line.contains("log lines were dropped")).expect("the loss is reported");
        (said, reader)
    });
    wait_for("what was dropped to be said", || reading.is_finished());
    let (said, mut reader) = reading.join().unwrap();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(said["dropped"].as_u64().unwrap() > 0 && said["level"] == "WARN", "{said}");
    // And not read any more: the worker does not wait for that when it stops.
    fill(&worker);
    assert_eq!(worker.terminate().0, 0);
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
}

#[test]
fn tail_ends_quietly_without_a_reader_and_reports_output_that_cannot_be_written() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("tail-output", 2));
    // A live stream: more records arrive after the reader has gone.
    stage.add_live("a", &stage.recording(10, 2, 300), 10.0);
    let mut worker = stage.start(&stage.worker(kafka), &stage.connector(&["a"]));
    wait_for("something to be published", || worker.metric("kvs_connect_fragments_total") > 3.0);
    let tail = || {
        let mut command = Command::new(program());
        let topic = stage.topic();
        command.args(["tail", "--from", "beginning", "--topic", &topic, "--bootstrap-servers", kafka.bootstrap()]);
        command
    };

    let (reader, writer) = std::io::pipe().unwrap();
    let child = tail().stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let mut head = String::new();
    BufReader::new(reader).read_line(&mut head).unwrap();
    assert!(head.contains("STREAM"), "{head}");
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));

    let output = tail().stdout(full()).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains("standard output cannot be written") && !said.contains("panicked"), "{said}");

    // The reason cannot be written either.
    let output = tail().stdout(full()).stderr(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(69));
    let none = Command::new(program()).args(["validate", "/none.json"]).stderr(full()).output().unwrap();
    assert_eq!(none.status.code(), Some(78));
    let help = Command::new(program()).arg("--help").stdout(full()).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(help.status.code(), Some(69));
    assert_eq!(worker.terminate().0, 0);
}
