//! Throughput from the simulator at full speed through the connector to the broker, compared with the bare producer.

use std::time::{Duration, Instant};

use kvs_harness::{Connector, Kafka};

use crate::processes::{Simulator, connector, connector_program, cpu_seconds, unique, worker};
use crate::splitter::median;
use crate::table::Table;
use crate::{media, peer};

const ROUNDS: usize = 3;
const FRAGMENT_BYTES: usize = 500_000;
const STREAMS: usize = 4;
/// Fragments per stream and round; about 2 GB in all.
const FRAGMENTS: usize = 1_000;

pub fn run(table: &mut Table) {
    let kafka = Kafka::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("video.mkv");
    std::fs::write(&file, (0..10).flat_map(|index| media::video(index, FRAGMENT_BYTES)).collect::<Vec<u8>>()).unwrap();
    let streams: Vec<_> = (0..STREAMS).map(|index| (format!("s{index}"), file.clone())).collect();
    let (mut rates, mut cpus) = (Vec::new(), Vec::new());
    let (mut peer_rates, mut peer_cpus) = (Vec::new(), Vec::new());
    let (mut ratios, mut cpu_ratios) = (Vec::new(), Vec::new());
    let mut per_transaction = 0.0;
    for _ in 0..ROUNDS {
        let ours = ours(&kafka, &streams);
        per_transaction = ours.per_transaction;
        let topic = unique("bare");
        kafka.create_topic(&topic, 2, &[("max.message.bytes", "75497472")]);
        let records = STREAMS * FRAGMENTS;
        let theirs =
            peer::run(kafka.bootstrap(), &topic, FRAGMENT_BYTES + 1_500, records, per_transaction.round() as usize);
        ratios.push(ours.mb_per_second / theirs.mb_per_second);
        cpu_ratios.push(ours.cpu_seconds_per_gb / theirs.cpu_seconds_per_gb);
        rates.push(ours.mb_per_second);
        cpus.push(ours.cpu_seconds_per_gb);
        peer_rates.push(theirs.mb_per_second);
        peer_cpus.push(theirs.cpu_seconds_per_gb);
    }
    // The median of the rounds' ratios is not the ratio of the medians, so both are reported.
    table.against(
        "end to end, 4 streams of 0.5 MB fragments",
        median(rates),
        "MB/s",
        "bare producer",
        median(peer_rates),
    );
    table.row("  median of the rounds' own ratios", median(ratios), "ratio");
    table.against("processor time of the connector alone", median(cpus), "s/GB", "bare producer", median(peer_cpus));
    table.row("  median of the rounds' own ratios", median(cpu_ratios), "ratio");
    table.row("fragments a transaction, of both", per_transaction, "fragments");
}

struct Ours {
    mb_per_second: f64,
    cpu_seconds_per_gb: f64,
    per_transaction: f64,
}

fn ours(kafka: &Kafka, streams: &[(String, std::path::PathBuf)]) -> Ours {
    let repeat = (FRAGMENTS / 10).to_string();
    let simulator = Simulator::start(streams, &["--repeat", &repeat, "--pace", "max"]);
    let name = unique("throughput");
    // Default settings: 25 shards, transactions of 4 MiB. The peer's transactions hold as many records as ours did.
    let settings = worker(kafka.bootstrap(), &name).set("offset.storage.partitions", "25");
    let mut worker = Connector::start(connector_program(), &settings, &[connector(&name, &simulator.url, streams)]);
    worker.wait_healthy();
    let total = (STREAMS * FRAGMENTS * FRAGMENT_BYTES) as f64;
    let bytes = |worker: &Connector| worker.metric("kvs_connect_fragment_bytes_total");
    // Measures from a tenth to nine tenths of the way, without start and end.
    let reach = |worker: &Connector, part: f64| {
        let began = Instant::now();
        loop {
            let now = bytes(worker);
            if now >= total * part {
                return (now, Instant::now(), cpu_seconds(worker.pid()));
            }
            assert!(began.elapsed() < Duration::from_secs(120), "only {now} bytes came");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let (first, began, cpu) = reach(&worker, 0.1);
    let (last, ended, cpu_ended) = reach(&worker, 0.9);
    let gigabytes = (last - first) / 1e9;
    let transactions = worker.metric("kvs_connect_transaction_duration_seconds_count");
    let fragments = worker.metric("kvs_connect_fragments_total");
    Ours {
        mb_per_second: gigabytes * 1e3 / ended.duration_since(began).as_secs_f64(),
        cpu_seconds_per_gb: (cpu_ended - cpu) / gigabytes,
        per_transaction: fragments / transactions,
    }
}
