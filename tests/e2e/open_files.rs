//! No file descriptors left, and files that never end.

use std::process::Command;
use std::time::Instant;

use kvs_harness::{Kafka, wait_for};
use serde_json::json;

use crate::stage::Stage;

/// Sets how many files a process may have open from now on.
fn limit_files(pid: u32, count: u64) {
    let limited = Command::new("prlimit").arg(format!("--pid={pid}")).arg(format!("--nofile={count}:")).status();
    assert!(limited.unwrap().success());
}

/// Returns the limit with which this many descriptors are free, as a new one takes the lowest free number.
fn limit_with_free(pid: u32, count: usize) -> u64 {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let open: std::collections::BTreeSet<u64> =
        open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    (0..).filter(|number| !open.contains(number)).nth(count).unwrap()
}

#[test]
fn a_worker_without_descriptors_reports_it_once_and_health_returns_500() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("out-of-files", 4));
    let file = stage.recording(10, 2, 300);
    let streams: Vec<String> = (0..40).map(|index| format!("s{index}")).collect();
    for stream in &streams {
        stage.add_live(stream, &file, 0.5);
    }
    let streams: Vec<&str> = streams.iter().map(String::as_str).collect();
    let mut worker = stage.start(&stage.worker(kafka), &stage.connector(&streams[..2]));
    worker.wait_healthy();
    wait_for("something to be published", || worker.metric("kvs_connect_fragments_total") > 1.0);
    assert_eq!(worker.metric("kvs_connect_out_of_files"), 0.0);

    let began = Instant::now();
    limit_files(worker.pid(), limit_with_free(worker.pid(), 10));
    let more = stage.connector(&streams);
    let (status, answer) = worker.rest("PUT", "/connectors/cameras/config", Some(&json!(more.config)));
    assert_eq!(status, 200, "{answer}");
    let mut health = (0, String::new());
    wait_for("the worker to be unhealthy for its descriptors", || {
        health = worker.get("/health").unwrap_or_default();
        health.0 == 500 && health.1.contains("No file descriptors are left")
    });
    // The worker keeps responding, one connection after the other, while streams and shards wait for every descriptor that
    // becomes free: more connections than it has reserved descriptors.
    for _ in 0..20 {
        let mut health = None;
        wait_for("a response", || {
            health = worker.get("/health");
            health.is_some()
        });
        assert_eq!(health.unwrap().0, 500);
    }
    wait_for("the metric to say so", || worker.metric("kvs_connect_out_of_files") == 1.0);
    worker.wait_logged("No file descriptors are left");
    let log = worker.log();
    let lines = log.lines().filter(|line| line.contains("No file descriptors are left")).count();
    let most = 1 + began.elapsed().as_secs() as usize / 60;
    assert!((1..=most).contains(&lines), "{lines} lines: {log}");
    let others = log.lines().filter(|line| line.contains("os error 24") || line.contains("Too many open")).count();
    assert!(others <= 4, "{others} lines about the same: {log}");

    limit_files(worker.pid(), 1_024);
    worker.wait_healthy();
    // The line appears with the next check, and /health does not wait for it.
    wait_for("the worker to say so", || worker.log().contains("file descriptors are available again"));
    for stream in &streams {
        assert!(stage.simulator.end_playback(stream));
    }
    stage.expect_all(kafka, &streams);
    assert_eq!(worker.terminate().0, 0);
}

#[test]
fn a_pipe_instead_of_a_file_is_refused_at_once_and_rest_continues() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("fifo", 2));
    let fifo = stage.folder.path().join("secret");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let folder = format!("{:?}", stage.folder.path().display().to_string());
    let settings = stage.worker(kafka).set("config.providers.file.param.allowed.paths", &folder);
    let mut worker = stage.start(&settings, &stage.connector(&["a"]));
    worker.wait_healthy();
    let path = "/connector-plugins/KinesisVideoSourceConnector/config/validate";
    // More requests than there are threads and turns for them.
    for _ in 0..20 {
        let reference = format!("${{file:{}:key}}", fifo.display());
        let of_secret = stage.connector(&["a"]).set("kvs.credentials.secret.access.key", &reference);
        let of_ca = stage.connector(&["a"]).set("kvs.tls.ca.file", "/dev/zero");
        for connector in [of_secret, of_ca] {
            let body = json!(connector.set("name", "cameras").config);
            let (status, answer) = worker.rest("PUT", &format!("{path}?connect=true"), Some(&body));
            assert_eq!(status, 200, "{answer}");
            assert!(answer.to_string().contains("a regular file was expected"), "{answer}");
        }
        assert_eq!(worker.get("/health").unwrap().0, 200);
    }
    assert_eq!(worker.terminate().0, 0);
}
