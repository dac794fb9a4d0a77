//! Throughput from the simulator at full speed through the connector to the broker, compared with the bare producer.

use kvs_harness::Kafka;

use crate::load::{self, Load};
use crate::processes::unique;
use crate::splitter::median;
use crate::table::Table;
use crate::{media, peer};

const ROUNDS: usize = 3;
const FRAGMENT_BYTES: usize = 500_000;
const STREAMS: usize = 4;
const BYTES: usize = 2_000_000_000;

pub fn run(table: &mut Table) {
    let kafka = Kafka::start();
    let chunks: Vec<_> = (0..10).map(|index| media::video(index, FRAGMENT_BYTES)).collect();
    let load = Load::new(STREAMS, &chunks, BYTES);
    let (mut rates, mut cpus) = (Vec::new(), Vec::new());
    let (mut peer_rates, mut peer_cpus) = (Vec::new(), Vec::new());
    let (mut ratios, mut cpu_ratios) = (Vec::new(), Vec::new());
    let mut per_transaction = 0.0;
    for _ in 0..ROUNDS {
        // Default settings: 25 shards, transactions of 4 MiB. The peer's transactions hold as many records as ours did.
        let ours = load::run(&kafka, &load, &[]);
        per_transaction = ours.per_transaction;
        let topic = unique("bare");
        kafka.create_topic(&topic, 2, &[("max.message.bytes", "75497472")]);
        let per_transaction = per_transaction.round() as usize;
        let theirs = peer::run(kafka.bootstrap(), &topic, FRAGMENT_BYTES + 1_500, load.fragments(), per_transaction);
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
