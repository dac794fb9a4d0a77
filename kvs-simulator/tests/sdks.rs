//! AWS's own clients against the simulator; those for Python, JavaScript and Java run as processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/calls.rs"]
mod calls;
mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::{numbers_of, recorded, simulator_with};
use kvs_simulator::{AccessKey, Limits, Pace, Repeat, SimulatorConfig, Tls};

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdks").join(name)
}

/// Returns what `dev/sdks LANGUAGE` prints, after it has fetched the SDK if it is missing.
fn sdk(language: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dev/sdks");
    let output = Command::new(script).arg(language).output().expect("dev/sdks can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the SDK for {language} cannot be had: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Runs a client and returns what it prints.
async fn run(mut command: Command) -> String {
    command.env_remove("HTTP_PROXY").env_remove("HTTPS_PROXY").env_remove("http_proxy").env_remove("https_proxy");
    #[expect(clippy::disallowed_methods, reason = "a panic fails the test")]
    let output = tokio::task::spawn_blocking(move || command.output().expect("the client can be run")).await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    out.into_owned()
}

fn limits() -> Limits {
    Limits { idle_timeout: Duration::from_millis(150), ..Limits::default() }
}

async fn boto3(tls: bool) {
    let folder = tempfile::tempdir().unwrap();
    let certificate = folder.path().join("ca.pem");
    let keys = vec![
        AccessKey::new("test", "test", kvs_simulator::DEFAULT_ACCOUNT),
        AccessKey::new("other", "other-secret", "999999999999"),
    ];
    let generated = Tls::Generated { names: Vec::new(), certificate_file: Some(certificate.clone()) };
    let mut live = recorded(folder.path(), "live", 5);
    (live.repeat, live.pace) = (Repeat::Forever, Pace::FragmentsPerSecond(20.0));
    let config = SimulatorConfig {
        keys,
        limits: limits(),
        tls: tls.then_some(generated),
        streams: vec![live],
        ..SimulatorConfig::default()
    };
    let simulator = simulator_with(config).await;
    let media = folder.path().join("producer.mkv");
    std::fs::write(&media, common::producer_document(4)).unwrap();
    let mut command = Command::new(sdk("python"));
    command.arg(here("python/operations.py")).arg(simulator.url()).arg(media).arg("live");
    command.arg(if tls { certificate.as_os_str() } else { "-".as_ref() });
    let printed = run(command).await;
    assert_eq!(printed.lines().filter(|line| line.starts_with("ok ")).count(), 16, "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_every_operation() {
    boto3(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_every_operation_over_tls() {
    boto3(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn javascript_get_media() {
    let folder = tempfile::tempdir().unwrap();
    let streams = vec![recorded(folder.path(), "recorded", 7)];
    let simulator = simulator_with(SimulatorConfig { limits: limits(), streams, ..SimulatorConfig::default() }).await;
    let mut command = Command::new("node");
    command.arg(here("node/get_media.mjs")).arg(sdk("node")).arg(simulator.url()).arg("recorded");
    let printed = run(command).await;
    assert_eq!(printed.lines().collect::<Vec<_>>(), numbers_of(7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_parser_library_for_java() {
    let folder = tempfile::tempdir().unwrap();
    let streams = vec![recorded(folder.path(), "recorded", 9)];
    let simulator = simulator_with(SimulatorConfig { limits: limits(), streams, ..SimulatorConfig::default() }).await;
    let jars = format!("{}/*", sdk("java"));
    let mut command = Command::new("java");
    command.args(["-cp", &jars]).arg(here("java/ReadStream.java")).arg(simulator.url()).arg("recorded");
    let printed = run(command).await;
    assert_eq!(printed.lines().filter(|line| !line.contains(' ')).collect::<Vec<_>>(), numbers_of(9), "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_producer_of_the_sdk_for_java() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator_with(SimulatorConfig { limits: limits(), ..SimulatorConfig::default() }).await;
    let stream = serde_json::json!({ "StreamName": "s", "DataRetentionInHours": 1 });
    assert_eq!(calls::call(&simulator, "/createStream", &stream).await.status(), 200);
    let jars = format!("{}/*", sdk("java"));
    let put = async |document: &[u8]| {
        let media = folder.path().join("producer.mkv");
        std::fs::write(&media, document).unwrap();
        let mut command = Command::new("java");
        command.args(["-cp", &jars]).arg(here("java/PutStream.java")).arg(simulator.url()).arg("s").arg(media);
        let printed = run(command).await;
        printed
            .lines()
            .filter(|line| line.chars().next().is_some_and(|first| first.is_ascii_uppercase()))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let printed = put(&common::producer_document(3)).await;
    let kinds: Vec<&str> = printed.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(kinds, ["BUFFERING", "RECEIVED", "PERSISTED"].repeat(3), "{printed:?}");
    let printed = put(b"this is no MKV, however long it goes on").await;
    assert_eq!(printed.last().map(String::as_str), Some("ERROR INVALID_MKV_DATA"), "{printed:?}");
}
