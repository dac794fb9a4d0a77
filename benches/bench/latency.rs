//! Time from receiving a fragment's last byte until a read_committed consumer sees its record, with 20 live streams.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kvs_harness::{Connector, Kafka, wait_for};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::media;
use crate::processes::{Simulator, connector, connector_program, unique, worker};
use crate::table::Table;

const STREAMS: usize = 20;
const WARM_UP: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(25);

pub fn run(table: &mut Table) {
    let kafka = Kafka::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("video.mkv");
    std::fs::write(&file, (0..4).flat_map(|index| media::video(index, 200_000)).collect::<Vec<u8>>()).unwrap();
    let streams: Vec<_> = (0..STREAMS).map(|index| (format!("live{index}"), file.clone())).collect();
    // Two simulators at different rates, because the streams of one arrive in lockstep, which cameras do not.
    let half = STREAMS / 2;
    let simulators = [
        Simulator::start(&streams[..half], &["--repeat", "forever", "--fragments-per-second", "2"]),
        Simulator::start(&streams[half..], &["--repeat", "forever", "--fragments-per-second", "1.7"]),
    ];
    let name = unique("latency");
    let topic = format!("{name}-fragments");
    let connectors = [connector(&name, &simulators[0].url, &streams[..half]), {
        let mut second = connector(&name, &simulators[1].url, &streams[half..]);
        second.name += "-2";
        second
    }];
    let mut worker = Connector::start(connector_program(), &worker(kafka.bootstrap(), &name), &connectors);
    worker.wait_healthy();
    wait_for("the live edge", || worker.metric("kvs_connect_fragments_total") > 60.0);
    std::thread::sleep(WARM_UP);

    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap())
        .set("group.id", "latency")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "100")
        .create()
        .unwrap();
    let mut partitions = TopicPartitionList::new();
    for partition in 0..6 {
        partitions.add_partition_offset(&topic, partition, Offset::End).unwrap();
    }
    consumer.assign(&partitions).unwrap();
    let began = Instant::now();
    let mut latencies = Vec::new();
    while began.elapsed() < MEASURED {
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) else { continue };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1e3;
        // The record's timestamp is the arrival of its last byte truncated to milliseconds, so this is up to 1 ms too long.
        latencies.push(now - message.timestamp().to_millis().unwrap() as f64);
    }
    latencies.sort_by(f64::total_cmp);
    let quantile = |part: f64| latencies[((latencies.len() - 1) as f64 * part) as usize];
    table.row("received to visible, 20 live streams, p50", quantile(0.5), "ms");
    table.row("received to visible, 20 live streams, p99", quantile(0.99), "ms");
    table.row("  fragments measured", latencies.len() as f64, "fragments");
}
