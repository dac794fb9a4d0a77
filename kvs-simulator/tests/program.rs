//! The simulator as a program, started with the command lines of the README.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/calls.rs"]
mod calls;
mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A process that is killed at the end of the test, whatever the outcome.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvs-simulator"));
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Starts the program and returns the URL it prints.
fn start(arguments: &[&str]) -> (Program, String) {
    started(&mut serve(arguments))
}

fn started(command: &mut Command) -> (Program, String) {
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url =
        line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("the program prints {line:?}")).to_owned();
    (Program(child), url)
}

#[tokio::test]
async fn faults_from_the_command_line_and_posted_faults() {
    let clip = concat!(env!("CARGO_MANIFEST_DIR"), "/../dev/demo/clip.mkv");
    let (_program, url) = start(&[
        "--stream",
        &format!("front-door={clip}"),
        "--fault",
        r#"{"api":"*","probability":0.05,"count":0,"kind":"refuse","status":500,"error_type":"InternalFailure"}"#,
        "--fault",
        r#"{"stream":"front-door","kind":"cut","at_byte":100000,"how":"reset"}"#,
    ]);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let faults = format!("{url}/simulator/faults");
    let posted = client.post(&faults).body(r#"{"kind":"end_session","after_ms":5}"#).send().await.unwrap();
    assert_eq!(posted.status(), 201);
    let refused = client.post(&faults).body(r#"{"kind":"explode"}"#).send().await.unwrap();
    assert_eq!(refused.status(), 400);
    let listed = client.get(&faults).send().await.unwrap().text().await.unwrap();
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let kinds: Vec<&str> =
        listed["faults"].as_array().unwrap().iter().map(|fault| fault["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["refuse", "cut", "end_session"]);
}

#[tokio::test]
async fn tls_with_a_generated_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem").display().to_string();
    let (_program, url) = start(&["--tls", "--tls-certificate-out", &file]);
    let certificate = reqwest::Certificate::from_pem(&std::fs::read(&file).unwrap()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([certificate]).no_proxy().build().unwrap();
    assert_eq!(client.get(format!("{url}/simulator/health")).send().await.unwrap().text().await.unwrap(), "ok");
}

#[test]
fn impossible_values_are_refused() {
    for arguments in [
        &["--fault", r#"{"api":"GetTea","kind":"delay","duration_ms":1}"#][..],
        &["--key", "no-secret"],
        &["--stream", "no-file"],
        &["--tls-key", "key.pem"],
    ] {
        assert_eq!(serve(arguments).output().unwrap().status.code(), Some(2), "{arguments:?}");
    }
    let missing = serve(&["--stream", "s=/nowhere/clip.mkv"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(69));
}

/// Colors are for terminals only.
#[test]
fn a_redirected_log_has_no_colours() {
    let clip = concat!(env!("CARGO_MANIFEST_DIR"), "/../dev/demo/clip.mkv");
    let mut command = serve(&["--stream", &format!("front-door={clip}")]);
    let mut program = Program(command.env("RUST_LOG", "info").stderr(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(program.0.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("serving") && !line.contains('\u{1b}'), "{line:?}");
}

/// The program serves, and ends on a signal, whether its output is closed, full or not read.
#[tokio::test]
async fn the_program_serves_whatever_happens_to_its_output() {
    let client = reqwest::Client::builder().no_proxy().timeout(std::time::Duration::from_secs(60)).build().unwrap();
    for output in ["/dev/full", "closed", "broken", "unread"] {
        // The program cannot print its port, so it gets one that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let redirect = match output {
            "/dev/full" => "exec \"$0\" \"$@\" >/dev/full 2>&1",
            "closed" => "exec \"$0\" \"$@\" >&- 2>&-",
            _ => "exec \"$0\" \"$@\"",
        };
        let mut command = Command::new("bash");
        command.args(["-c", redirect, env!("CARGO_BIN_EXE_kvs-simulator"), "serve", "--listen"]);
        // One line per request, so that the log fills any pipe.
        command.arg(format!("127.0.0.1:{port}")).env("RUST_LOG", "trace").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut program = Program(command.spawn().unwrap());
        if output == "broken" {
            drop((program.0.stdout.take(), program.0.stderr.take()));
        }
        let health = format!("http://127.0.0.1:{port}/simulator/health");
        until_healthy(&client, &health).await;
        // Unknown operations are logged with their paths, which makes 400 KB.
        for index in 0..400 {
            let url = format!("http://127.0.0.1:{port}/{index}/{}", "x".repeat(1_000));
            let answered = client.post(&url).body("").send().await;
            assert_eq!(answered.unwrap_or_else(|error| panic!("{output}: {error}")).status(), 404);
        }
        let pid = program.0.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().unwrap().success());
        let begun = std::time::Instant::now();
        let status = loop {
            if let Some(status) = program.0.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed().as_secs() < 60, "{output}: the program does not end");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        };
        assert_eq!(status.code(), Some(0), "{output}");
    }
}

async fn until_healthy(client: &reqwest::Client, url: &str) {
    for _ in 0..600 {
        if client.get(url).send().await.is_ok_and(|response| response.status() == 200) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the program does not serve {url}");
}

/// The program ends quickly even while a stream that is played a billion times at full pace is being read.
#[tokio::test]
async fn the_program_ends_quickly_while_an_endless_stream_is_read() {
    let clip = concat!(env!("CARGO_MANIFEST_DIR"), "/../dev/demo/clip.mkv");
    let (mut program, url) =
        start(&["--stream", &format!("a={clip}"), "--repeat", "1000000000", "--pace", "max", "--unlimited-calls"]);
    let client = reqwest::Client::builder().no_proxy().timeout(std::time::Duration::from_secs(30)).build().unwrap();
    let listed = client.get(format!("{url}/simulator/streams/a/fragments")).send().await.unwrap();
    assert!(listed.text().await.unwrap().len() < 1_000_000);
    assert!(Command::new("kill").arg(program.0.id().to_string()).status().unwrap().success());
    let begun = std::time::Instant::now();
    while program.0.try_wait().unwrap().is_none() {
        assert!(begun.elapsed().as_secs() < 10, "the program does not end");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Returns a data folder in which a stream has been saved, and the folder of that stream.
async fn kept() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let config = || kvs_simulator::SimulatorConfig {
        data: Some(folder.path().to_owned()),
        ..kvs_simulator::SimulatorConfig::default()
    };
    let simulator = common::simulator_with(config()).await;
    let create = serde_json::json!({ "StreamName": "door", "DataRetentionInHours": 1 });
    assert_eq!(calls::call(&simulator, "/createStream", &create).await.status(), 200);
    calls::put_all(&simulator, "door", common::producer_document(2)).await;
    simulator.stop().await;
    let account = folder.path().join(kvs_simulator::DEFAULT_ACCOUNT);
    let stream = std::fs::read_dir(account).unwrap().next().unwrap().unwrap().path();
    (folder, stream)
}

#[tokio::test]
async fn foreign_files_in_the_data_folder_are_left_alone() {
    let (folder, stream) = kept().await;
    let own: Vec<_> = std::fs::read_dir(&stream).unwrap().map(|entry| entry.unwrap().path()).collect();
    let fragment = own.iter().find(|path| path.extension().is_some_and(|extension| extension == "mkv")).unwrap();
    let begun = [stream.join("stream.unfinished"), fragment.with_extension("unfinished")];
    begun.iter().for_each(|file| std::fs::write(file, b"begun").unwrap());
    let foreign = ["2024-holiday.mkv", "my.unfinished", "notes.txt"].map(|name| stream.join(name));
    foreign.iter().for_each(|file| std::fs::write(file, b"mine").unwrap());
    let folders = [stream.join("2023-dir.mkv"), stream.join("x.unfinished"), folder.path().join("mine/mine")];
    folders.iter().for_each(|path| std::fs::create_dir_all(path).unwrap());
    let log = folder.path().join("log");
    let mut command = serve(&["--data", &folder.path().display().to_string()]);
    let (mut program, url) = started(command.stderr(std::fs::File::create(&log).unwrap()));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let listed = client.get(format!("{url}/simulator/streams/door/fragments")).send().await.unwrap();
    let listed: serde_json::Value = serde_json::from_str(&listed.text().await.unwrap()).unwrap();
    assert_eq!(listed["fragments"].as_array().unwrap().len(), 2);
    program.0.kill().unwrap();
    program.0.wait().unwrap();
    assert!(foreign.iter().chain(&folders).chain(&own).all(|path| path.exists()));
    assert!(!begun.iter().any(|path| path.exists()));
    let said = std::fs::read_to_string(&log).unwrap();
    for name in ["2024-holiday.mkv", "my.unfinished", "notes.txt", "2023-dir.mkv", "x.unfinished", "mine/mine"] {
        assert_eq!(said.matches(name).count(), 1, "{name}: {said}");
    }
    // Deleting the stream does not remove them either.
    let config = kvs_simulator::SimulatorConfig {
        data: Some(folder.path().to_owned()),
        ..kvs_simulator::SimulatorConfig::default()
    };
    let simulator = common::simulator_with(config).await;
    let described = calls::call(&simulator, "/describeStream", &serde_json::json!({ "StreamName": "door" })).await;
    let described: serde_json::Value = serde_json::from_str(&described.text().await.unwrap()).unwrap();
    let delete = serde_json::json!({ "StreamARN": described["StreamInfo"]["StreamARN"] });
    assert_eq!(calls::call(&simulator, "/deleteStream", &delete).await.status(), 200);
    assert!(foreign.iter().chain(&folders).all(|path| path.exists()));
    assert!(!own.iter().any(|path| path.exists()));
}

#[tokio::test]
async fn an_unreadable_saved_stream_prevents_the_start_and_is_named() {
    let (folder, stream) = kept().await;
    let record = stream.join("stream.json");
    let whole = std::fs::read(&record).unwrap();
    let refused = || {
        let output = serve(&["--data", &folder.path().display().to_string()]).stderr(Stdio::piped()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    std::fs::write(&record, &whole[..whole.len() / 2]).unwrap();
    let (code, said) = refused();
    assert!(code == Some(69) && said.contains(&format!("{}: EOF while parsing", record.display())), "{said}");
    assert!(said.contains("put the file in order, or move"), "{said}");
    // The file exists and cannot be read: root ignores permissions, but nobody can read a link to itself.
    std::fs::remove_file(&record).unwrap();
    std::os::unix::fs::symlink(&record, &record).unwrap();
    let (code, said) = refused();
    assert!(code == Some(69) && said.contains(&record.display().to_string()), "{said}");
}

/// A stream that is played from a file has no folder in the data folder.
#[tokio::test]
async fn a_played_stream_can_be_deleted_beside_saved_ones() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let simulator = common::simulator_with(kvs_simulator::SimulatorConfig {
        streams: vec![common::recorded(folder.path(), "played", 2)],
        data: Some(data.path().to_owned()),
        ..kvs_simulator::SimulatorConfig::default()
    })
    .await;
    let name = serde_json::json!({ "StreamName": "played" });
    let described = calls::call(&simulator, "/describeStream", &name).await.text().await.unwrap();
    let described: serde_json::Value = serde_json::from_str(&described).unwrap();
    let delete = serde_json::json!({ "StreamARN": described["StreamInfo"]["StreamARN"] });
    assert_eq!(calls::call(&simulator, "/deleteStream", &delete).await.status(), 200);
    assert_eq!(calls::call(&simulator, "/describeStream", &name).await.status(), 404);
}
