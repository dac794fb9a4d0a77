//! Resident memory with 100 streams that all arrive at full speed, over TLS as the service sends them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kvs_harness::{Connector, Kafka, wait_for};

use crate::media;
use crate::processes::{Simulator, connector, connector_program, status_mb, unique, worker};
use crate::table::Table;

const STREAMS: usize = 100;
const BUDGET_BYTES: usize = 128 << 20;
const LOADED: Duration = Duration::from_secs(15);
const SAMPLED_EVERY: Duration = Duration::from_millis(100);

/// All topics that a connector may write.
const ALL_OUTPUTS: [(&str, &str); 2] = [("metadata.topic", "{}-metadata"), ("frames.topic", "{}-frames")];

pub fn run(table: &mut Table) {
    let kafka = Kafka::start();
    let folder = tempfile::tempdir().unwrap();
    let (file, certificate) = (folder.path().join("video.mkv"), folder.path().join("ca.pem"));
    std::fs::write(&file, (0..4).flat_map(|index| media::video(index, 500_000)).collect::<Vec<u8>>()).unwrap();
    let streams: Vec<_> = (0..STREAMS).map(|index| (format!("s{index}"), file.clone())).collect();
    let measure = |table: &mut Table, what, outputs| measure(table, &kafka, (&streams, &certificate), what, outputs);
    measure(table, "100 streams at full speed", &[]);
    measure(table, "100 streams at full speed, with metadata and frames", &ALL_OUTPUTS);
}

fn measure(
    table: &mut Table,
    kafka: &Kafka,
    (streams, certificate): (&[(String, PathBuf)], &Path),
    what: &str,
    outputs: &[(&str, &str)],
) {
    let simulator = Simulator::start_tls(streams, &["--repeat", "forever", "--pace", "max"], certificate);
    let name = unique("memory");
    let settings = worker(kafka.bootstrap(), &name)
        .set("offset.storage.partitions", "25")
        .set("memory.budget.size.bytes", &BUDGET_BYTES.to_string());
    let retention = connector(&name, &simulator.url, streams)
        .set("kvs.tls.ca.file", &certificate.display().to_string())
        .set("topic.creation.default.retention.bytes", "200000000");
    let file = outputs.iter().fold(retention, |file, (key, value)| file.set(key, &value.replace("{}", &name)));
    let mut worker = Connector::start(connector_program(), &settings, &[file]);
    worker.wait_healthy();
    wait_for("all streams", || worker.metric("kvs_connect_fragments_total") > 300.0);
    let began = Instant::now();
    let mut samples = Vec::new();
    while began.elapsed() < LOADED {
        std::thread::sleep(SAMPLED_EVERY);
        samples.push(status_mb(worker.pid(), "VmRSS"));
    }
    samples.sort_by(f64::total_cmp);
    let median = samples[samples.len() / 2];
    let peak = status_mb(worker.pid(), "VmHWM");
    let threads = worker.threads().len() as f64;
    let budget = BUDGET_BYTES as f64 / 1e6;
    table.against(format!("{what}: resident memory, median"), median, "MB", "memory budget", budget);
    table.row("  above the budget", median - budget, "MB");
    table.row("  peak", peak, "MB");
    table.row("  threads", threads, "threads");
    table.row("  fragments published", worker.metric("kvs_connect_fragments_total"), "fragments");
}
