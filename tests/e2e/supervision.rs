//! Parts of a worker that panic, and members that were removed from the group: noticed, reported, and recovered from.

use std::path::Path;
use std::time::Duration;

use kvs_harness::{Connector, Kafka, Turn, WorkerFile, wait_for};
use kvs_simulator::Pace;
use nix::sys::signal::Signal;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::rest::task_states;
use crate::stage::{Stage, program};

/// Starts a worker with parts that panic according to `fault` (`supervision::fault`).
fn faulty(stage: &Stage, worker: &WorkerFile, streams: &[&str], fault: &str) -> Connector {
    faulty_from(stage, worker, streams, fault, None)
}

/// The same, with the panics counted from when a file exists.
fn faulty_from(stage: &Stage, worker: &WorkerFile, streams: &[&str], fault: &str, from: Option<&Path>) -> Connector {
    let mut connector = stage.connector(streams);
    connector.config.insert("errors.retry.delay.base.ms".to_owned(), "200".into());
    if fault.starts_with("found_tasks") {
        connector = connector.unset("kvs.streams").set("kvs.streams.regex", ".*");
    }
    let keys = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("KVS_CONNECT_PANIC", fault)];
    let from = from.and_then(Path::to_str).map(|file| ("KVS_CONNECT_PANIC_FROM", file));
    let keys: Vec<_> = keys.into_iter().chain(from).collect();
    Connector::start_with(program(), worker, &[connector], &keys)
}

#[test]
fn a_panic_in_a_shard_a_stream_a_connector_or_a_callback_is_a_loss_like_any_other() {
    let kafka = Kafka::shared();
    for fault in ["shard@3", "stream@4", "learning@1", "connector@1", "callback@9"] {
        let part = fault.split('@').next().unwrap();
        let stage = Stage::with_shards(&format!("panic-{part}"), 2);
        let file = stage.recording(10, 2, 300);
        for stream in ["a", "b"] {
            stage.add(stream, &file, 2, Pace::FragmentsPerSecond(10.0));
        }
        let mut worker = faulty(&stage, &stage.worker(kafka), &["a", "b"], fault);
        wait_for("the panic to be counted", || worker.metric("kvs_connect_panics_total") == 1.0);
        wait_for("all of the files to arrive", || ["a", "b"].iter().all(|stream| stage.held(stream).len() == 20));
        stage.expect_all(kafka, &["a", "b"]);
        wait_for("both tasks to run", || task_states(&worker, "cameras") == ["RUNNING", "RUNNING"]);
        worker.wait_logged("src/supervision/fault.rs:");
        worker.wait_logged("a panic");
        assert_eq!(worker.get("/health").unwrap().0, 200);
        assert_eq!(worker.terminate().0, 0, "{}", worker.log());
    }
}

#[test]
fn a_worker_that_cannot_continue_without_a_part_exits_with_70() {
    let _turn = Turn::heavy();
    let (kafka, stage) = (Kafka::shared(), Stage::new("panics"));
    stage.add("a", &stage.recording(5, 2, 300), 1, Pace::Max);
    // Those of a worker that runs, however long it took to start, and those that keep one from running.
    let running = [
        "statuses@1",
        "config_log@1+",
        "status_log@1+",
        "membership@1",
        "storage_topics@1",
        "data_topics@1",
        "metrics@1",
        "open_files@1",
        "rest@1",
    ];
    let starting = ["configs@1", "shard@1+", "recovery@1+", "found_tasks@1+"];
    let file = stage.folder.path().join("now");
    let mut workers: Vec<(&str, Connector)> = Vec::new();
    for (index, fault) in running.into_iter().chain(starting).enumerate() {
        let worker = WorkerFile::new(kafka.bootstrap(), &format!("{}-{index}", stage.group()));
        let from = Some(file.as_path()).filter(|_| running.contains(&fault));
        workers.push((fault, faulty_from(&stage, &worker, &["a"], fault, from)));
    }
    for (_, worker) in workers.iter_mut().filter(|(fault, _)| running.contains(fault)) {
        worker.wait_healthy();
    }
    std::fs::write(&file, "").unwrap();
    let mut unhealthy = None;
    for (fault, worker) in &mut workers {
        if *fault == "shard@1+" {
            // Acquiring is tried several times, while the shard is reported to have no owner.
            wait_for("the worker to be unhealthy", || {
                unhealthy = worker.get("/health").filter(|(code, _)| *code == 500);
                unhealthy.is_some()
            });
        }
        if *fault == "rest@1" {
            wait_for("the listener to be called often enough", || {
                let _ = worker.get("/health");
                worker.exit_code().is_some()
            });
        }
        let code = worker.wait_exit();
        let log = worker.log();
        assert_eq!(code, 70, "{fault}: {log}");
        let part = match fault.split('@').next().unwrap() {
            // The shard is read on its thread.
            "recovery" => "shard",
            // The part that reports statuses passes them to the streams.
            "found_tasks" => "statuses",
            part => part,
        };
        assert!(log.contains(&format!("{part} panicked at src/supervision/fault.rs:")), "{fault}: {log}");
        assert!(log.contains("stopping"), "{fault}: the worker releases its shards: {log}");
    }
    let (_, health) = unhealthy.unwrap();
    assert!(health.contains("Shard ") && health.contains("panicked"), "{health}");
}

/// Failures while a worker starts are reported, too, and not those that follow from the end of a part.
#[test]
fn a_part_that_ends_while_the_worker_starts_or_stops_makes_it_exit_with_70() {
    let _turn = Turn::heavy();
    let (kafka, stage) = (Kafka::shared(), Stage::new("panics-early"));
    let start = |fault: &'static str, bootstrap: &str| {
        let worker = WorkerFile::new(bootstrap, &format!("{}-{}", stage.group(), fault.split('@').next().unwrap()));
        (fault, faulty(&stage, &worker, &["a"], fault))
    };
    let workers = [
        start("worker@1", kafka.bootstrap()),
        start("config_log@1+", kafka.bootstrap()),
        start("status_log@1+", kafka.bootstrap()),
        // Nothing listens at this address.
        start("rest@2", "127.0.0.1:1"),
        start("leaving@1", kafka.bootstrap()),
    ];
    for (fault, mut worker) in workers {
        match fault {
            "rest@2" => wait_for("the listener to be called", || worker.get("/health").is_some()),
            "leaving@1" => {
                wait_for("the worker to be a member", || worker.log().contains("\"assigned\""));
                worker.signal(Signal::SIGTERM);
            }
            _ => {}
        }
        let code = worker.wait_exit();
        let log = worker.log();
        assert_eq!(code, 70, "{fault}: {log}");
        let part = match fault.split('@').next().unwrap() {
            "leaving" => "worker",
            part => part,
        };
        let last = log.lines().last().unwrap_or_default();
        let said = format!("kvs-connect: {part} panicked at src/supervision/fault.rs:");
        assert!(last.starts_with(&said), "{fault}: {log}");
        assert!(log.contains("\"a panic\""), "{fault}: the location is logged: {log}");
    }
}

/// The newcomer fences the running worker, as Kafka does; they must not do so in turn for ever.
#[test]
fn of_two_workers_with_the_same_group_instance_id_one_exits_with_78_and_the_other_publishes() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("namesake", 4));
    stage.add_live("a", &stage.recording(10, 2, 300), 5.0);
    let settings = stage.worker(kafka).set("group.instance.id", "\"w\"");
    let connector = stage.connector(&["a"]);
    let mut first = stage.start(&settings, &connector);
    first.wait_healthy();
    wait_for("something to be published", || first.metric("kvs_connect_fragments_total") > 3.0);
    let mut second = Connector::start(program(), &settings, &[]);
    let code = second.wait_exit();
    assert_eq!(code, 78, "{}", second.log());
    assert!(second.log().contains("group.instance.id"), "{}", second.log());
    // The running worker is not disturbed.
    assert_eq!(first.metric("kvs_connect_shards_lost_total"), 0.0, "{}", first.log());
    let before = first.metric("kvs_connect_fragments_total");
    wait_for("the first worker to continue", || first.metric("kvs_connect_fragments_total") > before + 3.0);
    assert!(stage.simulator.end_playback("a"));
    stage.expect_all(kafka, &["a"]);

    // A program that does not check, but uses the name, removes the worker: it must not come back and do the same.
    let other: BaseConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap())
        .set("group.id", stage.group())
        .set("group.instance.id", "w")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .create()
        .unwrap();
    other.subscribe(&[&format!("{}-offsets", stage.group())]).unwrap();
    let mut code = None;
    wait_for("the worker to end", || {
        let _ = other.poll(Duration::from_millis(10));
        code = first.exit_code();
        code.is_some()
    });
    assert_eq!(code, Some(78), "{}", first.log());
    assert!(first.log().contains("another worker has this worker's group.instance.id"), "{}", first.log());
}

/// With the broker's own protocol the broker keeps a killed static member for a session, in which Kafka's client
/// refuses its successor for good: the successor has to retry with a new consumer.
#[test]
fn a_static_member_that_is_killed_and_restarted_at_once_publishes_again_with_the_brokers_protocol() {
    let _turn = Turn::heavy();
    let session = "group.consumer.session.timeout.ms=8000\ngroup.consumer.min.session.timeout.ms=8000\n\
                   group.consumer.heartbeat.interval.ms=1000\ngroup.consumer.min.heartbeat.interval.ms=1000\n";
    let (mut kafka, _) = Kafka::prepare_with(|_, _, _: &[u16; 0]| session.to_owned(), &[]);
    kafka.up();
    let stage = Stage::with_shards("static-848", 4);
    stage.add_live("a", &stage.recording(10, 2, 300), 5.0);
    let settings = stage.worker(&kafka).set("group.instance.id", "\"w\"").set("group.protocol", "\"consumer\"");
    let mut worker = stage.start(&settings, &stage.connector(&["a"]));
    worker.wait_healthy();
    wait_for("something to be published", || worker.metric("kvs_connect_fragments_total") > 3.0);
    worker.restart(program());
    wait_for("the successor to say what it waits for", || worker.log().contains("until its session is over"));
    worker.wait_healthy();
    wait_for("it to publish again", || worker.metric("kvs_connect_fragments_total") > 3.0);
    assert!(stage.simulator.end_playback("a"));
    stage.expect_all(&kafka, &["a"]);
    assert_eq!(worker.terminate().0, 0, "{}", worker.log());
}

/// A worker that Kafka can no longer reach owns nothing: another worker may have its shards.
#[test]
fn an_unreachable_group_is_reported_and_joined_again() {
    let _turn = Turn::heavy();
    let mut kafka = Kafka::start();
    let stage = Stage::with_shards("apart", 2);
    stage.add_live("a", &stage.recording(10, 2, 300), 5.0);
    let mut worker = stage.start(&stage.worker(&kafka), &stage.connector(&["a"]));
    worker.wait_healthy();
    wait_for("something to be published", || worker.metric("kvs_connect_fragments_total") > 3.0);
    kafka.down();
    wait_for("the worker to be unhealthy", || worker.get("/health").is_some_and(|(code, _)| code == 500));
    // Whoever asks for statuses is not sent to look for other members of the group.
    let tasks = || worker.rest("GET", "/connectors/cameras/status", None).1["tasks"].to_string();
    wait_for("the task to be unassigned", || tasks().contains("UNASSIGNED"));
    assert!(tasks().contains("this worker does not read from Kafka who has it"), "{}", tasks());
    wait_for("its shards to be released", || worker.log().contains("\"revoked\""));
    kafka.up();
    worker.wait_healthy();
    assert!(stage.simulator.end_playback("a"));
    stage.expect_all(&kafka, &["a"]);
    assert_eq!(worker.terminate().0, 0, "{}", worker.log());
}
