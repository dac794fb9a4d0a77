//! The same streams published by the connector and by a pipeline in Java: AWS's parser library and KafkaProducer.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kvs_harness::Kafka;
use kvs_harness::kafka::repository;

use crate::load::{self, Load};
use crate::media;
use crate::peer::Figures;
use crate::processes::unique;
use crate::splitter::median;
use crate::table::Table;

const ROUNDS: usize = 3;
const STREAMS: usize = 4;
const VIDEO_BYTES: usize = 1_200_000_000;
/// Fewer, because small fragments are slower.
const CONNECT_BYTES: usize = 500_000_000;

pub fn run(table: &mut Table) {
    let Some(pipeline) = compile() else {
        eprintln!("bench: java: SKIPPED, because Java, Maven or the libraries are missing (see above)");
        table.missing("the connector and a pipeline in Java: SKIPPED, Java is missing");
        return;
    };
    let kafka = Kafka::start();
    let video: Vec<_> = (0..10).map(|index| media::video(index, 500_000)).collect();
    let connect: Vec<_> = (0..60).map(media::connect).collect();
    for (shape, load) in
        [("0.5 MB", Load::new(STREAMS, &video, VIDEO_BYTES)), ("34 KB", Load::new(STREAMS, &connect, CONNECT_BYTES))]
    {
        let (mut rates, mut cpus) = (Vec::new(), Vec::new());
        let (mut their_rates, mut their_cpus) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let ours = load::run(&kafka, &load, &[]);
            let theirs = pipeline.run(&kafka, &load, ours.per_transaction.round() as usize);
            rates.push(ours.mb_per_second);
            cpus.push(ours.cpu_seconds_per_gb);
            their_rates.push(theirs.mb_per_second);
            their_cpus.push(theirs.cpu_seconds_per_gb);
        }
        let peer = "parser library and KafkaProducer";
        table.against(
            format!("4 streams of {shape} fragments, to Kafka"),
            median(rates),
            "MB/s",
            peer,
            median(their_rates),
        );
        table.against("  processor time", median(cpus), "s/GB", peer, median(their_cpus));
    }
}

/// The compiled pipeline.
struct Pipeline {
    class_path: String,
    _folder: tempfile::TempDir,
}

/// Compiles the pipeline; returns `None`, having printed why, if that cannot be done.
fn compile() -> Option<Pipeline> {
    let source = repository().join("benches/java/Pipeline.java");
    let output = Command::new(repository().join("dev/sdks"))
        .arg("bench-java")
        .stderr(Stdio::inherit())
        .output()
        .inspect_err(|error| eprintln!("bench: dev/sdks: {error}"))
        .ok()?;
    if !output.status.success() {
        return None;
    }
    let jars = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    let folder = tempfile::tempdir().unwrap();
    let libraries = jars.join("*");
    let compiled = Command::new("javac")
        .args([Path::new("-cp"), &libraries, Path::new("-d"), folder.path(), &source])
        .status()
        .inspect_err(|error| eprintln!("bench: javac: {error}"))
        .ok()?;
    // The source is ours: that it does not compile is no reason to skip it.
    assert!(compiled.success(), "{} does not compile", source.display());
    let class_path = format!("{}:{}", folder.path().display(), libraries.display());
    Some(Pipeline { class_path, _folder: folder })
}

impl Pipeline {
    fn run(&self, kafka: &Kafka, load: &Load, per_transaction: usize) -> Figures {
        let topic = unique("java");
        kafka.create_topic(&topic, load.streams.len() as i32, &[("max.message.bytes", "75497472")]);
        kafka.create_topic(&format!("{topic}-offsets"), 1, &[]);
        let simulator = load.simulator();
        let output = Command::new("java")
            .args(["-Xms1g", "-Xmx2g", "-cp", &self.class_path, "Pipeline"])
            .args([&simulator.url, kafka.bootstrap(), &topic])
            .args([load.fragments().to_string(), per_transaction.to_string()])
            .args(load.streams.iter().map(|(name, _)| name))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let figures = text.lines().rev().find_map(|line| {
            let (rate, cpu) = line.split_once(' ')?;
            Some(Figures { mb_per_second: rate.parse().ok()?, cpu_seconds_per_gb: cpu.parse().ok()? })
        });
        figures.unwrap_or_else(|| panic!("no figures: {text}\n{}", String::from_utf8_lossy(&output.stderr)))
    }
}
