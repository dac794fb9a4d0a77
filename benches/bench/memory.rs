//! Resident memory with 100 streams that all arrive at full speed, over TLS as the service sends them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kvs_harness::{Connector, Kafka, wait_for};

use crate::media;
use crate::processes::{Simulator, connector, connector_program, status_mb, unique, worker};
use crate::table::Table;

const STREAMS: usize = 100;
const BUDGET_BYTES: usize = 128 << 20;
const LOADED: Duration = Duration::from_secs(10);
const SAMPLED_EVERY: Duration = Duration::from_millis(100);

/// Every way in which a connector may write media, with its settings; `{}` is the connector's name, `{folder}` a folder.
const MODES: [(&str, &[(&str, &str)]); 5] = [
    ("fragments", &[]),
    ("fragments, metadata and frames", &[("metadata.topic", "{}-metadata"), ("frames.topic", "{}-frames")]),
    ("frames alone", &[("payload.mode", "none"), ("frames.topic", "{}-frames")]),
    ("fragments in chunks", &[("payload.mode", "chunked"), ("payload.chunk.topic", "{}-chunks")]),
    ("fragments in files", &[("payload.mode", "reference"), ("payload.store.url", "file://{folder}")]),
];

pub fn run(table: &mut Table) {
    let kafka = Kafka::start();
    let folder = tempfile::tempdir().unwrap();
    let (file, certificate) = (folder.path().join("video.mkv"), folder.path().join("ca.pem"));
    std::fs::write(&file, (0..4).flat_map(|index| media::video(index, 500_000)).collect::<Vec<u8>>()).unwrap();
    let streams: Vec<_> = (0..STREAMS).map(|index| (format!("s{index}"), file.clone())).collect();
    for (what, settings) in MODES {
        let store = tempfile::tempdir().unwrap();
        measure(table, &kafka, (&streams, &certificate), what, settings, store.path());
    }
}

fn measure(
    table: &mut Table,
    kafka: &Kafka,
    (streams, certificate): (&[(String, PathBuf)], &Path),
    what: &str,
    settings: &[(&str, &str)],
    store: &Path,
) {
    let simulator = Simulator::start_tls(streams, &["--repeat", "forever", "--pace", "max"], certificate);
    let name = unique("memory");
    let worker_file = worker(kafka.bootstrap(), &name)
        .set("offset.storage.partitions", "25")
        .set("memory.budget.size.bytes", &BUDGET_BYTES.to_string());
    let retention = connector(&name, &simulator.url, streams)
        .set("kvs.tls.ca.file", &certificate.display().to_string())
        .set("topic.creation.default.retention.bytes", "200000000");
    let value = |value: &str| value.replace("{}", &name).replace("{folder}", &store.display().to_string());
    let file = settings.iter().fold(retention, |file, (key, text)| file.set(key, &value(text)));
    let mut worker = Connector::start(connector_program(), &worker_file, &[file]);
    worker.wait_healthy();
    wait_for("all streams", || worker.metric("kvs_connect_fragments_total") > 300.0);
    let began = Instant::now();
    let (mut samples, mut used_max) = (Vec::new(), 0.0_f64);
    while began.elapsed() < LOADED {
        std::thread::sleep(SAMPLED_EVERY);
        samples.push(status_mb(worker.pid(), "VmRSS"));
        used_max = used_max.max(worker.metric("kvs_connect_memory_budget_used_bytes") / 1e6);
    }
    samples.sort_by(f64::total_cmp);
    let median = samples[samples.len() / 2];
    let peak = status_mb(worker.pid(), "VmHWM");
    let threads = worker.threads().len() as f64;
    let budget = BUDGET_BYTES as f64 / 1e6;
    let what = format!("100 streams at full speed, {what}");
    table.against(format!("{what}: of the budget, peak"), used_max, "MB", "memory budget", budget);
    table.against("  resident memory, median", median, "MB", "memory budget", budget);
    table.row("  peak", peak, "MB");
    table.row("  peak above the budget", peak - budget, "MB");
    table.row("  threads", threads, "threads");
    table.row("  fragments published", worker.metric("kvs_connect_fragments_total"), "fragments");
}
