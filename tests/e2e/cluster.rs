//! Several workers, of which any may be killed, suspended, added, removed or restarted, and so may a broker. Every
//! fragment is published once, in order.

use std::time::{Duration, Instant};

use kvs_harness::kafka::tool;
use kvs_harness::{Connector, Kafka, KafkaCluster, Turn, Watch, WorkerFile, wait_for, wait_until};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::rest::{config, state};
use crate::stage::{Stage, program};

const STREAMS: usize = 60;
const SESSION: Duration = Duration::from_millis(3_000);
/// The time in which records may still be in flight to Kafka after an event.
const ON_ITS_WAY: Duration = Duration::from_millis(300);

/// Sixty live streams, in one connector, on three workers with twelve shards.
struct Cluster {
    stage: Stage,
    workers: Vec<Connector>,
    streams: Vec<String>,
    watch: Watch,
    bootstrap: String,
    /// Three workers, a broker and a simulator are all that two cores can run.
    _turn: Turn,
}

impl Cluster {
    /// Starts the cluster. The streams last until [`Cluster::expect_all`], with two fragments per second.
    fn start(name: &str, bootstrap: &str, settings: impl Fn(usize, WorkerFile) -> WorkerFile) -> Self {
        let turn = Turn::heavy();
        let stage = Stage::new(name);
        let streams: Vec<String> = (0..STREAMS).map(|index| format!("cam-{index:02}")).collect();
        let file = stage.recording(10, 2, 2_000);
        for stream in &streams {
            stage.add_live(stream, &file, 2.0);
        }
        let base = |index: usize| {
            let worker = WorkerFile::new(bootstrap, &stage.group());
            settings(index, worker.set("session.timeout.ms", &SESSION.as_millis().to_string()))
        };
        let mut workers: Vec<Connector> = (0..3).map(|index| Connector::start(program(), &base(index), &[])).collect();
        workers.iter_mut().for_each(Connector::wait_healthy);
        let names: Vec<&str> = streams.iter().map(String::as_str).collect();
        let mut connector = config(&stage, &names);
        connector["topic.creation.default.replication.factor"] = "-1".into();
        assert_eq!(workers[1].rest("PUT", "/connectors/cameras/config", Some(&connector)).0, 201);
        let mut cluster = Self {
            watch: wait_for_topic(bootstrap, &stage.topic()),
            stage,
            workers,
            streams,
            bootstrap: bootstrap.to_owned(),
            _turn: turn,
        };
        cluster.wait_running(0);
        cluster
    }

    fn status(&self, asked: usize) -> Vec<(String, String)> {
        let (_, status) = self.workers[asked].rest("GET", "/connectors/cameras/status", None);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let tasks = status["tasks"].as_array().cloned().unwrap_or_default();
        tasks.iter().map(|task| (text(&task["state"]), text(&task["worker_id"]))).collect()
    }

    /// Returns a worker's streams according to another one.
    fn streams_of(&self, asked: usize, worker: usize) -> Vec<String> {
        let id = self.workers[worker].address();
        // Tasks are numbered in the order of the settings.
        let tasks = self.status(asked).into_iter().zip(&self.streams);
        tasks.filter(|((_, owner), _)| *owner == id).map(|(_, stream)| stream.clone()).collect()
    }

    /// Waits until every task is running according to a worker, and each stream has been published since.
    fn wait_running(&mut self, asked: usize) {
        let now = Instant::now();
        let mut status = Vec::new();
        let run = wait_until("all tasks to run", || {
            status = self.status(asked);
            status.len() == STREAMS && status.iter().all(|(state, _)| state == "RUNNING")
        });
        if !run {
            let logs: Vec<String> = self.workers.iter().map(Connector::log).collect();
            panic!("not all tasks run, says worker {asked}: {status:?}\n{}", logs.join("\n\n"));
        }
        wait_for("all streams to be published", || self.watch.since(&self.streams, now) == STREAMS);
    }

    /// Waits until the streams are published again after an event, and prints how long that took.
    fn back_after(&self, what: &str, streams: &[String], event: Instant, on_its_way: Duration) {
        let mut took = None;
        wait_for("the streams to be published again", || {
            took = self.watch.back_after(streams, event, on_its_way);
            took.is_some()
        });
        let took = took.unwrap_or_default();
        println!(
            "{what}: {} streams are published again after {:.1} s (session {:.1} s)",
            streams.len(),
            took.as_secs_f64(),
            SESSION.as_secs_f64()
        );
    }

    /// Ends all streams, and compares every published fragment.
    fn expect_all(&self) {
        for stream in &self.streams {
            assert!(self.stage.simulator.end_playback(stream));
        }
        let last = Instant::now();
        let fragments: usize = self.streams.iter().map(|stream| self.stage.held(stream).len()).sum();
        let names: Vec<&str> = self.streams.iter().map(String::as_str).collect();
        self.stage.expect_all_at(&self.bootstrap, &names);
        println!(
            "{fragments} fragments of {STREAMS} streams: each once, in order ({:.1} s after the last came)",
            last.elapsed().as_secs_f64()
        );
    }
}

fn wait_for_topic(bootstrap: &str, topic: &str) -> Watch {
    wait_for("the data topic", || kvs_harness::topic::exists(bootstrap, topic));
    Watch::start(bootstrap, topic)
}

/// kill -9, SIGSTOP and SIGCONT, a fourth worker, a broker that restarts.
#[test]
fn workers_may_be_killed_suspended_and_added_and_a_broker_restarted() {
    let mut kafka = Kafka::start();
    let bootstrap = kafka.bootstrap().to_owned();
    let mut cluster = Cluster::start("three", &bootstrap, |_, worker| worker);
    let owners: std::collections::BTreeSet<String> = cluster.status(0).into_iter().map(|(_, worker)| worker).collect();
    assert_eq!(owners.len(), 3, "{owners:?}");

    let victims = cluster.streams_of(1, 0);
    assert!(!victims.is_empty());
    let killed = Instant::now();
    cluster.workers[0].kill();
    let dead = cluster.workers[0].address();
    // Once a dead worker's session is over, its streams are no longer reported as running there.
    wait_for("its streams to have no owner or another one", || {
        cluster.status(1).iter().all(|(state, worker)| *worker != dead || state != "RUNNING")
    });
    cluster.back_after("kill -9", &victims, killed, ON_ITS_WAY);
    cluster.wait_running(2);
    cluster.workers[0].restart(program());
    cluster.workers[0].wait_healthy();
    cluster.wait_running(0);

    let sleeping = cluster.streams_of(0, 1);
    assert!(!sleeping.is_empty());
    let slept = Instant::now();
    cluster.workers[1].signal(Signal::SIGSTOP);
    cluster.back_after("SIGSTOP", &sleeping, slept, ON_ITS_WAY);
    cluster.workers[1].signal(Signal::SIGCONT);
    wait_for("the woken worker to have shards again", || !cluster.streams_of(0, 1).is_empty());
    cluster.wait_running(1);

    let before = Instant::now();
    let settings =
        WorkerFile::new(&bootstrap, &cluster.stage.group()).set("session.timeout.ms", &SESSION.as_millis().to_string());
    let mut fourth = Connector::start(program(), &settings, &[]);
    fourth.wait_healthy();
    cluster.workers.push(fourth);
    wait_for("the fourth worker to have streams", || !cluster.streams_of(0, 3).is_empty());
    cluster.wait_running(3);
    println!(
        "a fourth worker: the longest pause of a stream {:.1} s",
        cluster.watch.longest_pause(&cluster.streams, before).as_secs_f64()
    );

    let restarted = Instant::now();
    kafka.down();
    kafka.up();
    let took = restarted.elapsed();
    let what = format!("a broker restarted, which was away for {:.1} s of it", took.as_secs_f64());
    cluster.back_after(&what, &cluster.streams, restarted, took);
    cluster.wait_running(0);
    cluster.expect_all();
    for mut worker in cluster.workers {
        assert_eq!(worker.terminate().0, 0, "{}", worker.log());
    }
}

/// Workers with static names are restarted one after the other: no other worker's shards move.
#[test]
fn a_rolling_restart_with_static_membership_rebalances_nothing() {
    let kafka = Kafka::shared();
    let settings = |index: usize, worker: WorkerFile| {
        // Longer than a restart takes.
        worker.set("group.instance.id", &format!("\"worker-{index}\"")).set("session.timeout.ms", "20000")
    };
    let mut cluster = Cluster::start("static", kafka.bootstrap(), settings);
    // The group is stable: each worker has its shards.
    let assigned = |worker: &Connector| worker.log().matches("\"assigned\"").count();
    let owners: Vec<Vec<String>> = (0..3).map(|index| cluster.streams_of(0, index)).collect();
    assert!(owners.iter().all(|streams| !streams.is_empty()), "{owners:?}");
    let moved = |worker: &Connector| (assigned(worker), worker.log().matches("\"revoked\"").count());
    let began = Instant::now();
    for (index, own) in owners.iter().enumerate() {
        let others: Vec<usize> = (0..3).filter(|other| *other != index).collect();
        let before: Vec<_> = others.iter().map(|&other| moved(&cluster.workers[other])).collect();
        assert_eq!(cluster.workers[index].terminate().0, 0, "{}", cluster.workers[index].log());
        cluster.workers[index].restart(program());
        cluster.workers[index].wait_healthy();
        cluster.wait_running(index);
        let after: Vec<_> = others.iter().map(|&other| moved(&cluster.workers[other])).collect();
        assert_eq!(before, after, "shards of other workers moved");
        assert_eq!(&cluster.streams_of(0, index), own, "the worker has other shards than before");
    }
    println!(
        "a rolling restart of three: the longest pause of a stream {:.1} s, nothing moved",
        cluster.watch.longest_pause(&cluster.streams, began).as_secs_f64()
    );
    cluster.expect_all();
}

/// The broker assigns the shards (KIP-848).
#[test]
fn workers_share_the_shards_by_the_brokers_own_protocol_too() {
    let kafka = Kafka::shared();
    let protocol = |_, worker: WorkerFile| worker.set("group.protocol", "\"consumer\"");
    let mut cluster = Cluster::start("kip-848", kafka.bootstrap(), protocol);
    wait_for("each worker to have streams", || (0..3).all(|index| !cluster.streams_of(0, index).is_empty()));
    let victims = cluster.streams_of(1, 0);
    let killed = Instant::now();
    assert_eq!(cluster.workers[0].terminate().0, 0);
    cluster.back_after("SIGTERM with group.protocol=consumer", &victims, killed, ON_ITS_WAY);
    cluster.expect_all();
}

/// Kafka's client calls nobody back for an assignment that is empty from the beginning.
#[test]
fn a_worker_that_gets_no_shard_is_ready_with_the_brokers_own_protocol_too() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("no-shard", 1));
    stage.add_live("a", &stage.recording(10, 2, 300), 5.0);
    let settings = stage.worker(kafka).set("group.protocol", "\"consumer\"");
    let mut owner = stage.start(&settings, &stage.connector(&["a"]));
    owner.wait_healthy();
    wait_for("something to be published", || owner.metric("kvs_connect_fragments_total") > 3.0);
    let mut other = Connector::start(program(), &settings, &[]);
    other.wait_healthy();
    assert_eq!(other.rest("GET", "/streams", None), (200, json!([])), "it has a shard");
    wait_for("it to answer for the group", || state(&other, "cameras") == "RUNNING");
    // It is a member that gets the shard as soon as it is free.
    assert_eq!(owner.terminate().0, 0, "{}", owner.log());
    wait_for("the other to publish", || other.metric("kvs_connect_fragments_total") > 3.0);
    assert!(stage.simulator.end_playback("a"));
    stage.expect_all(kafka, &["a"]);
    assert_eq!(other.terminate().0, 0, "{}", other.log());
}

#[test]
fn a_cluster_of_three_brokers_may_lose_its_coordinator() {
    let mut kafka = KafkaCluster::start();
    let bootstrap = kafka.bootstrap();
    let replicated = |_, worker: WorkerFile| worker.set("offset.storage.replication.factor", "-1");
    let mut cluster = Cluster::start("brokers", &bootstrap, replicated);
    let group = cluster.stage.group();
    let described = tool(&[
        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        "--bootstrap-server",
        &bootstrap,
        "--describe",
        "--state",
        "--group",
        &group,
    ]);
    // GROUP COORDINATOR (ID) …: the id is in brackets after the address.
    let id = described.lines().find(|line| line.contains(&group)).and_then(|line| line.split(['(', ')']).nth(1));
    let coordinator: usize = id.and_then(|id| id.trim().parse().ok()).unwrap_or_else(|| panic!("{described}"));
    let lost = Instant::now();
    kafka.broker(coordinator - 1).down();
    cluster.back_after("the coordinator is lost", &cluster.streams, lost, Duration::from_secs(1));
    cluster.wait_running(0);
    // The REST API continues, too.
    assert_eq!(cluster.workers[2].rest("PUT", "/connectors/cameras/pause", None).0, 202);
    assert_eq!(cluster.workers[0].rest("PUT", "/connectors/cameras/resume", None).0, 202);
    cluster.wait_running(1);
    kafka.broker(coordinator - 1).up();
    cluster.wait_running(2);
    cluster.expect_all();
}

/// As in Kafka Connect's own system test (`connect_distributed_test.py`, `test_exactly_once_source`), every worker is
/// bounced, cleanly and with SIGKILL, twice with a pause in between and twice without. Here the connector is also
/// reconfigured meanwhile, so that streams move.
#[test]
fn every_worker_is_bounced_with_and_without_pauses_while_the_connector_is_changed() {
    let kafka = Kafka::shared();
    let mut cluster =
        Cluster::start("bounced", kafka.bootstrap(), |_, worker| worker.set("session.timeout.ms", "1500"));
    let mut bounces = 0;
    for clean in [true, false] {
        for round in 0..4 {
            for index in 0..3 {
                if clean {
                    assert_eq!(cluster.workers[index].terminate().0, 0, "{}", cluster.workers[index].log());
                }
                cluster.workers[index].restart(program());
                bounces += 1;
                if round < 2 {
                    cluster.workers[index].wait_healthy();
                    wait_for("the worker to have streams", || !cluster.streams_of((index + 1) % 3, index).is_empty());
                }
            }
            cluster.workers.iter_mut().for_each(Connector::wait_healthy);
            // First some of the streams, then all of them again.
            let some = cluster.streams.iter().skip(round * 5).map(String::as_str).collect::<Vec<_>>();
            for names in [some, cluster.streams.iter().map(String::as_str).collect()] {
                let mut changed = config(&cluster.stage, &names);
                changed["record.timestamp"] = if clean { "server".into() } else { "ingest".into() };
                let (code, answer) =
                    cluster.workers[round % 3].rest("PUT", "/connectors/cameras/config", Some(&changed));
                assert!(code == 200, "{code}: {answer}");
            }
        }
    }
    cluster.wait_running(0);
    println!("{bounces} bounces, {} changes of the connector", 2 * 4 * 2);
    cluster.expect_all();
}
