//! `make demo`: Kafka, the simulator with a real clip, and the connector on this machine. Shows the fragments as they
//! arrive, kills the connector with -9 on the way, and compares what was sent with what a read_committed consumer sees.
//!
//! The programs are started with the commands that the README and docker-compose.yml show.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod compare;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use kvs_harness::kafka::{free_port, repository};
use kvs_harness::process::{Process, command};
use kvs_harness::{Kafka, wait_for};
use serde_json::Value;

const STREAMS: [&str; 2] = ["front-door", "parking"];
const TOPIC: &str = "kvs.fragments";
/// Further topics of connectors/demo.json: the same fragments without their media, and their frames one by one.
const METADATA_TOPIC: &str = "kvs.metadata";
const FRAMES_TOPIC: &str = "kvs.frames";
/// How many frames of the frames topic are shown.
const FRAMES_SHOWN: usize = 5;
/// How often the clip is played; it has six fragments.
const PLAYS: usize = 8;
const CLIP_FRAGMENTS: usize = 6;
const FRAGMENTS_PER_SECOND: &str = "2.5";

/// Cameras to Kafka on this machine.
#[derive(Parser)]
struct Arguments {
    /// Stay up until Ctrl-C, without killing the connector and without a comparison.
    #[arg(long)]
    forever: bool,
}

struct Demo {
    folder: tempfile::TempDir,
    kafka: Kafka,
    simulator_address: String,
    listener: u16,
    _simulator: Process,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    say("starting Kafka (the first time it is fetched from Maven Central)");
    let kafka = Kafka::start();
    say(&format!("Kafka listens on {}", kafka.bootstrap()));
    let demo = Demo::start(kafka, arguments.forever);
    let mut connector = demo.start_connector();
    let tail = demo.start_tail();
    if arguments.forever {
        say("staying up; Ctrl-C ends all of it");
        loop {
            std::thread::park();
        }
    }
    let total = STREAMS.len() * PLAYS * CLIP_FRAGMENTS;
    demo.wait_for_fragments(total / 3);
    let killed = Instant::now();
    connector.kill();
    say("kill -9: the connector is gone; its session has to time out before its shards are free");
    connector = demo.start_connector();
    say("the connector is started again");
    wait_for("fragments after the kill", || demo.published() > 0.0);
    say(&format!("publishing again {:.1} s after the kill", killed.elapsed().as_secs_f64()));
    wait_for("the simulator to have sent all of it", || {
        compare::sent(&demo.simulator_address, &STREAMS).len() == total
    });
    wait_for("the last fragments", || demo.seen_all(total));
    drop((tail, connector));
    let comparison = compare::compare(
        &compare::sent(&demo.simulator_address, &STREAMS),
        &compare::seen(demo.kafka.bootstrap(), TOPIC),
    );
    println!("\n{comparison}");
    let is_complete = demo.show_other_topics(total);
    if comparison.is_good() && is_complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the folder with the programs that `make demo` has built.
fn programs() -> PathBuf {
    let here = std::env::current_exe().expect("our own path");
    here.parent().map(Path::to_owned).expect("its folder")
}

fn say(text: &str) {
    println!("demo: {text}");
}

impl Demo {
    fn start(kafka: Kafka, forever: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("kvs-connect-demo-").tempdir().expect("a temporary folder");
        let simulator_address = format!("127.0.0.1:{}", free_port());
        let clip = repository().join("dev/demo/clip.mkv");
        let plays = PLAYS.to_string();
        let mut start = command(programs().join("kvs-simulator"));
        start.args(["serve", "--listen", &simulator_address]);
        for stream in STREAMS {
            start.arg("--stream").arg(format!("{stream}={}", clip.display()));
        }
        start.args(["--repeat", if forever { "forever" } else { &plays }]);
        start.args(["--fragments-per-second", FRAGMENTS_PER_SECOND]);
        start.stdin(Stdio::null()).stdout(Stdio::null());
        let simulator = Process::start(start);
        wait_for("the simulator", || {
            kvs_harness::connector::http_get(&simulator_address, "/simulator/health").is_some()
        });
        say(&format!("the simulator serves {} streams on http://{simulator_address}", STREAMS.len()));
        Self::write_connector(folder.path(), &simulator_address);
        Self { folder, kafka, simulator_address, listener: free_port(), _simulator: simulator }
    }

    /// Writes connectors/demo.json with the address of this run's simulator.
    fn write_connector(folder: &Path, simulator_address: &str) {
        let text = std::fs::read_to_string(repository().join("connectors/demo.json")).expect("connectors/demo.json");
        let mut connector: Value = serde_json::from_str(&text).expect("JSON");
        connector["config"]["kvs.endpoint"] = format!("http://{simulator_address}").into();
        std::fs::write(folder.join("demo.json"), connector.to_string()).expect("a file");
    }

    fn start_connector(&self) -> Process {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("connector.log"));
        let mut start = command(programs().join("kvs-connect"));
        start
            .args(["run", "--worker"])
            .arg(repository().join("connectors/worker.toml"))
            .args(["--bootstrap-servers", self.kafka.bootstrap()])
            .args(["--set", &format!("listeners=http://127.0.0.1:{}", self.listener)])
            .args(["--set", "session.timeout.ms=3000"])
            .arg(self.folder.path().join("demo.json"))
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a log file"));
        let process = Process::start(start);
        wait_for("the connector to be healthy", || matches!(self.get("/health"), Some((200, _))));
        process
    }

    /// Starts the live table, which writes to this process's standard output.
    fn start_tail(&self) -> Process {
        wait_for("the topic", || kvs_harness::topic::exists(self.kafka.bootstrap(), TOPIC));
        let mut start = command(programs().join("kvs-connect"));
        start.args(["tail", "--bootstrap-servers", self.kafka.bootstrap(), "--topic", TOPIC, "--from", "beginning"]);
        start.stdin(Stdio::null());
        Process::start(start)
    }

    fn get(&self, path: &str) -> Option<(u16, String)> {
        kvs_harness::connector::http_get(&format!("127.0.0.1:{}", self.listener), path)
    }

    /// Returns how many fragments the running connector has committed.
    fn published(&self) -> f64 {
        let Some((200, metrics)) = self.get("/metrics") else { return 0.0 };
        let counts = metrics.lines().filter(|line| line.starts_with("kvs_connect_fragments_total{"));
        counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    fn wait_for_fragments(&self, count: usize) {
        wait_for("fragments", || self.published() >= count as f64);
    }

    /// Shows what the further topics have. Returns whether they have a record for each fragment, and for each of its frames.
    fn show_other_topics(&self, total: usize) -> bool {
        let metadata = self.lines(METADATA_TOPIC, &["--json"]);
        let row = |line: &String| serde_json::from_str::<Value>(line).ok();
        let expected: u64 =
            metadata.iter().filter_map(|line| Some(row(line)?["frames"].as_array()?.len() as u64)).sum();
        let frames = self.lines(FRAMES_TOPIC, &[]);
        println!(
            "\n{METADATA_TOPIC}: {} records of {total}\n{FRAMES_TOPIC}: {} records of {expected}",
            metadata.len(),
            frames.len()
        );
        frames.iter().take(FRAMES_SHOWN).for_each(|line| println!("  {line}"));
        metadata.len() == total && frames.len() as u64 == expected
    }

    /// Returns what the tail command prints of a topic, line by line.
    fn lines(&self, topic: &str, options: &[&str]) -> Vec<String> {
        let output = Command::new(programs().join("kvs-connect"))
            .args(["tail", "--bootstrap-servers", self.kafka.bootstrap(), "--topic", topic])
            .args(["--from", "beginning", "--until-end"])
            .args(options)
            .stderr(Stdio::null())
            .output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// Returns whether the topic holds at least `total` fragments, as counted with the tail command.
    fn seen_all(&self, total: usize) -> bool {
        let seen = self.lines(TOPIC, &["--json"]).len();
        std::thread::sleep(Duration::from_millis(300));
        seen >= total
    }
}
