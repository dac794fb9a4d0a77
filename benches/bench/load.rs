//! A connector that publishes streams from the simulator at full speed: throughput and processor time, between start and end.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kvs_harness::{Connector, Kafka};
use tempfile::TempDir;

use crate::processes::{Simulator, connector, connector_program, cpu_seconds, unique, worker};

/// The longest wait for all of a load.
const LIMIT: Duration = Duration::from_secs(180);

/// What streams contain, and how much of it.
pub struct Load {
    /// The streams and the file that all of them repeat.
    pub streams: Vec<(String, PathBuf)>,
    pub fragments_per_stream: usize,
    chunks: usize,
    _folder: TempDir,
}

impl Load {
    /// Returns a load of this number of streams, which each repeat the chunks until they have sent about `bytes` in all.
    pub fn new(streams: usize, chunks: &[Vec<u8>], bytes: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("media.mkv");
        std::fs::write(&file, chunks.concat()).unwrap();
        let fragment_bytes = chunks.iter().map(Vec::len).sum::<usize>() / chunks.len();
        let repeats = (bytes / streams / (fragment_bytes * chunks.len())).max(1);
        Self {
            streams: (0..streams).map(|index| (format!("s{index}"), file.clone())).collect(),
            fragments_per_stream: repeats * chunks.len(),
            chunks: chunks.len(),
            _folder: folder,
        }
    }

    /// Returns the number of fragments of all streams.
    pub fn fragments(&self) -> usize {
        self.streams.len() * self.fragments_per_stream
    }

    /// Starts a simulator that sends the load once, as fast as it is read.
    pub fn simulator(&self) -> Simulator {
        let repeat = (self.fragments_per_stream / self.chunks).to_string();
        Simulator::start(&self.streams, &["--repeat", &repeat, "--pace", "max"])
    }
}

/// The figures of a run.
pub struct Run {
    /// Media committed.
    pub mb_per_second: f64,
    pub fragments_per_second: f64,
    /// Processor time of the connector's process.
    pub cpu_seconds_per_gb: f64,
    pub per_transaction: f64,
}

/// Publishes a load with a new worker of default settings and a connector with these settings besides. `{}` in a value is
/// replaced by a name of this run's own.
pub fn run(kafka: &Kafka, load: &Load, settings: &[(&str, &str)]) -> Run {
    let simulator = load.simulator();
    let name = unique("load");
    let file = settings.iter().fold(connector(&name, &simulator.url, &load.streams), |file, (key, value)| {
        file.set(key, &value.replace("{}", &name))
    });
    let worker_file = worker(kafka.bootstrap(), &name).set("offset.storage.partitions", "25");
    let mut worker = Connector::start(connector_program(), &worker_file, &[file]);
    worker.wait_healthy();
    let total = load.fragments() as f64;
    let bytes = |worker: &Connector| worker.metric("kvs_connect_fragment_bytes_total");
    let fragments = |worker: &Connector| worker.metric("kvs_connect_fragments_total");
    // Measures from a tenth to nine tenths of the way, without start and end.
    let reach = |worker: &Connector, part: f64| {
        let began = Instant::now();
        loop {
            let now = fragments(worker);
            if now >= total * part {
                return (now, bytes(worker), Instant::now(), cpu_seconds(worker.pid()));
            }
            assert!(began.elapsed() < LIMIT, "only {now} of {total} fragments came");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let first = reach(&worker, 0.1);
    let last = reach(&worker, 0.9);
    let (gigabytes, seconds) = ((last.1 - first.1) / 1e9, last.2.duration_since(first.2).as_secs_f64());
    let transactions = worker.metric("kvs_connect_transaction_duration_seconds_count");
    Run {
        mb_per_second: gigabytes * 1e3 / seconds,
        fragments_per_second: (last.0 - first.0) / seconds,
        cpu_seconds_per_gb: (last.3 - first.3) / gigabytes,
        per_transaction: fragments(&worker) / transactions,
    }
}
