//! Workers that are killed, stopped and woken: every fragment once, in order.

use std::time::Duration;

use kvs_harness::{Isolation, Kafka, Turn, read_topic, wait_for};
use kvs_simulator::Pace;
use nix::sys::signal::Signal;
use rand::{RngExt, SeedableRng};

use crate::stage::{Stage, program};

const STREAMS: [&str; 8] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"];
const KILLS: usize = 20;
/// Fragments of each stream, a minute's worth.
const FRAGMENTS: usize = 1_500;

#[test]
fn twenty_times_kill_9_under_load() {
    let _turn = Turn::heavy();
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("kills", 8));
    let file = stage.recording(10, 10, 6_000);
    for stream in STREAMS {
        // Arrives while workers are killed, and for a while after.
        stage.add(stream, &file, FRAGMENTS as u64 / 10, Pace::FragmentsPerSecond(25.0));
    }
    let settings = stage.worker(kafka).set("session.timeout.ms", "1500");
    let connector = stage.connector(&STREAMS);
    let mut workers = [stage.start(&settings, &connector), stage.start(&settings, &connector)];
    for worker in &mut workers {
        worker.wait_healthy();
    }
    let mut random = rand::rngs::StdRng::seed_from_u64(4);
    for _ in 0..KILLS {
        let victim = random.random_range(0..workers.len());
        // A worker that has no shards yet has nothing to lose.
        wait_for("the next victim to publish", || workers[victim].metric("kvs_connect_fragments_total") > 0.0);
        // A random moment, like that of a power failure.
        std::thread::sleep(Duration::from_millis(random.random_range(0..500)));
        workers[victim].kill();
        workers[victim].restart(program());
    }
    wait_for("all of the files to arrive", || STREAMS.iter().all(|stream| stage.held(stream).len() == FRAGMENTS));
    stage.expect_all(kafka, &STREAMS);

    // The kills really hit transactions: their records exist and are aborted.
    let committed = STREAMS.len() * FRAGMENTS;
    let with_aborted = read_topic(kafka.bootstrap(), &stage.topic(), Isolation::Uncommitted).len();
    println!("{KILLS} kills: {committed} fragments committed, {} aborted", with_aborted - committed);
    assert!(with_aborted > committed, "no aborted data: the kills hit no open transaction");
}

#[test]
fn a_worker_that_slept_through_its_session_publishes_nothing_more() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("zombie", 4));
    let file = stage.recording(10, 5, 1_000);
    for stream in STREAMS {
        stage.add(stream, &file, 60, Pace::FragmentsPerSecond(30.0));
    }
    let settings = stage.worker(kafka).set("session.timeout.ms", "1500");
    let connector = stage.connector(&STREAMS);
    let mut first = stage.start(&settings, &connector);
    first.wait_healthy();
    wait_for("the first worker to publish", || first.metric("kvs_connect_fragments_total") > 50.0);
    first.signal(Signal::SIGSTOP);
    let mut second = stage.start(&settings, &connector);
    second.wait_healthy();
    wait_for("the second worker to have acquired all four shards", || {
        second.log().matches("acquired the shard").count() >= 4
    });
    wait_for("the second worker to publish", || second.metric("kvs_connect_fragments_total") > 50.0);
    let before = first.log().len();
    first.signal(Signal::SIGCONT);
    wait_for("the woken worker to see that it has lost its shards", || {
        let log = first.log();
        let since = log.get(before..).unwrap_or_default();
        since.contains("fenced") || since.contains("\"lost\":true")
    });
    wait_for("all of the files to arrive", || STREAMS.iter().all(|stream| stage.held(stream).len() == 600));
    stage.expect_all(kafka, &STREAMS);
}

#[test]
fn a_second_worker_takes_over_shards_and_those_of_a_killed_worker_move() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("join"));
    let file = stage.recording(10, 5, 1_000);
    for stream in STREAMS {
        stage.add(stream, &file, 50, Pace::FragmentsPerSecond(40.0));
    }
    let settings = stage.worker(kafka);
    let connector = stage.connector(&STREAMS);
    let mut first = stage.start(&settings, &connector);
    first.wait_healthy();
    wait_for("the first worker to publish", || first.metric("kvs_connect_fragments_total") > 20.0);
    let mut second = stage.start(&settings, &connector);
    second.wait_healthy();
    wait_for("the second worker to publish", || second.metric("kvs_connect_fragments_total") > 20.0);
    second.kill();
    wait_for("all of the files to arrive", || STREAMS.iter().all(|stream| stage.held(stream).len() == 500));
    stage.expect_all(kafka, &STREAMS);
}
