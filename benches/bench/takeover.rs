//! How long a killed worker's streams are silent, and how long it takes to acquire a free shard.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use kvs_harness::{Connector, Kafka, wait_for};

use crate::media;
use crate::processes::{Simulator, connector, connector_program, unique, worker};
use crate::splitter::median;
use crate::table::Table;

const SESSION_TIMEOUT_MS: u64 = 6_000;
const STREAMS: usize = 12;
const KILLS: usize = 3;

pub fn run(table: &mut Table) {
    let kafka = Kafka::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("connect.mkv");
    std::fs::write(&file, (0..10).flat_map(media::connect).collect::<Vec<u8>>()).unwrap();
    let streams: Vec<_> = (0..STREAMS).map(|index| (format!("s{index}"), file.clone())).collect();
    let simulator = Simulator::start(&streams, &["--repeat", "forever", "--fragments-per-second", "20"]);
    let name = unique("takeover");
    let settings = worker(kafka.bootstrap(), &name).set("session.timeout.ms", &SESSION_TIMEOUT_MS.to_string());
    let connectors = [connector(&name, &simulator.url, &streams)];
    let start = || Connector::start(connector_program(), &settings, &connectors);
    // The first worker creates the cluster's topics, which is not measured.
    let mut warm = start();
    warm.wait_healthy();
    wait_for("the first fragments", || published(&warm).len() == STREAMS);
    warm.terminate();

    let mut alone = start();
    alone.wait_healthy();
    wait_for("all streams to be published", || published(&alone).len() == STREAMS);
    let free = took_ms(&alone.log());
    table.row("taking a free shard, median", median(free.clone()), "ms");
    table.row("taking a free shard, longest of all", free.into_iter().fold(0.0, f64::max), "ms");

    let mut after_timeout = Vec::new();
    let mut survivor = alone;
    for _ in 0..KILLS {
        let mut victim = start();
        victim.wait_healthy();
        wait_for("the second worker to publish its part", || published(&victim).len() >= STREAMS / 4);
        // The victim owns its part once the survivor no longer publishes it.
        let part = published(&victim);
        std::thread::sleep(Duration::from_secs(2));
        let before = published(&survivor);
        let killed = Instant::now();
        victim.kill();
        wait_for("the killed worker's streams to be published again", || {
            let now = published(&survivor);
            part.keys()
                .all(|stream| now.get(stream).copied().unwrap_or(0.0) > before.get(stream).copied().unwrap_or(0.0))
        });
        after_timeout.push(killed.elapsed().as_secs_f64() * 1e3 - SESSION_TIMEOUT_MS as f64);
    }
    survivor.kill();
    let longest = after_timeout.iter().copied().fold(f64::MIN, f64::max);
    table.row("kill -9: all its streams published again, after the session timeout, longest of 3", longest, "ms");
    table.row("  median", median(after_timeout), "ms");
}

/// Returns the number of fragments published per stream.
fn published(worker: &Connector) -> HashMap<String, f64> {
    let Some((200, body)) = worker.get("/metrics") else { return HashMap::new() };
    body.lines()
        .filter(|line| line.starts_with("kvs_connect_fragments_total{"))
        .filter_map(|line| {
            let stream = line.split("stream=\"").nth(1)?.split('"').next()?;
            Some((stream.to_owned(), line.rsplit(' ').next()?.parse().ok()?))
        })
        .collect()
}

/// Returns how long each acquisition of a shard took, in milliseconds, from the worker's log.
fn took_ms(log: &str) -> Vec<f64> {
    log.lines()
        .filter(|line| line.contains("\"acquired the shard\""))
        .filter_map(|line| line.split("\"took_ms\":").nth(1)?.split(',').next()?.parse().ok())
        .collect()
}
