//! Data topics that get more partitions, are deleted, recreated or partly offline, and a notifications topic that
//! refuses records.

use std::collections::BTreeSet;
use std::time::Duration;

use kvs_connect::model::partition_for;
use kvs_harness::kafka::tool;
use kvs_harness::{Connector, ConnectorFile, Isolation, Kafka, KafkaCluster, read_topic, wait_for};
use kvs_simulator::Pace;
use serde_json::Value;

use crate::rest::{config, task_states};
use crate::stage::{Stage, by_stream, program};

fn topics(bootstrap: &str, arguments: &[&str]) -> String {
    let mut all = vec!["org.apache.kafka.tools.TopicCommand", "--bootstrap-server", bootstrap];
    all.extend(arguments);
    tool(&all)
}

fn trace(worker: &Connector, connector: &str) -> String {
    worker.rest("GET", &format!("/connectors/{connector}/status"), None).1["tasks"][0]["trace"].to_string()
}

/// Returns a stream name whose records go to this one of two partitions.
fn named(prefix: &str, partition: i32) -> String {
    let mut names = (0..).map(|index| format!("{prefix}-{index}"));
    names.find(|name| partition_for(name.as_bytes(), 2) == partition).unwrap()
}

#[test]
fn a_stream_stays_in_its_partition_when_partitions_are_added() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("grown", 4));
    kafka.create_topic(&stage.topic(), 2, &[]);
    let file = stage.recording(60, 2, 500);
    let names: Vec<String> = (0..8).map(|index| format!("s{index}")).collect();
    let streams: Vec<&str> = names.iter().map(String::as_str).collect();
    streams.iter().for_each(|stream| stage.add(stream, &file, 1, Pace::FragmentsPerSecond(5.0)));
    let mut worker = stage.start(&stage.worker(kafka), &stage.connector(&streams));
    let mut second = stage.start(&stage.worker(kafka), &stage.connector(&streams));
    worker.wait_healthy();
    second.wait_healthy();
    let count = || by_stream(read_topic(kafka.bootstrap(), &stage.topic(), Isolation::Committed)).len();
    wait_for("all streams", || count() == streams.len());
    kafka.add_partitions(&stage.topic(), 7);
    // A worker that only knows what is in Kafka, and streams that move.
    worker.restart(program());
    worker.wait_healthy();
    second.kill();
    // A new stream is placed by the current number of partitions.
    let new: Vec<String> = (0..8).map(|index| format!("new{index}")).collect();
    new.iter().for_each(|stream| stage.add(stream, &stage.recording(2, 2, 500), 1, Pace::Max));
    let all: Vec<&str> = names.iter().chain(&new).map(String::as_str).collect();
    assert_eq!(worker.rest("PUT", "/connectors/cameras/config", Some(&config(&stage, &all))).0, 200);
    wait_for("the files", || streams.iter().all(|stream| stage.held(stream).len() == 60));
    // Comparing fails if a stream is in two partitions.
    stage.expect_all(kafka, &all);
    let seen = read_topic(kafka.bootstrap(), &stage.topic(), Isolation::Committed);
    let partitions = |of: &[String]| {
        let of_these = seen.iter().filter(|fragment| of.contains(&fragment.stream));
        of_these.map(|fragment| fragment.partition).collect::<BTreeSet<i32>>()
    };
    assert_eq!(partitions(&names), BTreeSet::from([0, 1]));
    assert!(partitions(&new).iter().any(|&partition| partition > 1), "{:?}", partitions(&new));
    assert_eq!(worker.terminate().0, 0);
}

#[test]
fn a_deleted_data_topic_fails_its_own_streams_and_a_refused_notification_nobody() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("gone", 1));
    let file = stage.recording(10, 2, 500);
    stage.add("a", &file, 20, Pace::FragmentsPerSecond(4.0));
    stage.add("b", &file, 20, Pace::FragmentsPerSecond(4.0));
    let (gone, notifications) = (format!("{}-gone", stage.name), format!("{}-notifications", stage.group()));
    // Smaller than any notification, but larger than transaction markers.
    kafka.create_topic(&notifications, 1, &[("max.message.bytes", "150")]);
    let on_gone = ConnectorFile::new("on-gone", stage.simulator.url(), &["b"], &gone)
        .set("errors.retry.delay.base.ms", "200")
        .set("errors.retry.delay.max.ms", "1000");
    let found = stage
        .connector(&[])
        .unset("kvs.streams")
        .set("kvs.streams.prefix", "found-")
        .set("kvs.discovery.interval.ms", "1000");
    let found = ConnectorFile { name: "found".to_owned(), ..found };
    stage.add("found-1", &file, 1, Pace::Max);
    let connectors = [stage.connector(&["a"]), on_gone, found];
    let mut worker = Connector::start(program(), &stage.worker(kafka), &connectors);
    worker.wait_healthy();
    let published = |worker: &Connector, stream: &str| {
        let (_, metrics) = worker.get("/metrics").unwrap();
        let of_stream = format!("stream=\"{stream}\"");
        let lines =
            metrics.lines().filter(|line| line.starts_with("kvs_connect_fragments_total") && line.contains(&of_stream));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>()
    };
    let go_on = |worker: &Connector, when: &str, beyond: f64| {
        let began = std::time::Instant::now();
        while published(worker, "a") <= beyond {
            let waited = began.elapsed();
            assert!(waited < Duration::from_secs(60), "the other stream makes no progress {when}: {}", worker.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    wait_for("all of them", || ["a", "b", "found-1"].iter().all(|stream| published(&worker, stream) > 1.0));

    // The notification about the deleted stream is refused: it is dropped, counted and logged, and nothing waits for
    // it.
    assert!(stage.simulator.remove_stream("found-1"));
    wait_for("the notification to be dropped", || worker.metric("kvs_connect_notifications_dropped_total") > 0.0);
    let before = published(&worker, "a");
    go_on(&worker, "after the notification", before + 4.0);
    worker.wait_logged("notifications cannot be written");

    kafka.delete_topic(&gone);
    wait_for("its stream to be FAILED", || trace(&worker, "on-gone").contains(&gone));
    let (before, lost) = (published(&worker, "a"), worker.metric("kvs_connect_shards_lost_total"));
    go_on(&worker, "without the topic", before + 12.0);
    // Its shard has been acquired anew meanwhile, and on a busy machine that is reported seconds later.
    wait_for("the state of the other stream's task", || task_states(&worker, "cameras") == ["RUNNING"]);
    // Repeated attempts cost the other streams nothing.
    assert_eq!(worker.metric("kvs_connect_shards_lost_total"), lost, "{}", worker.log());
    let (_, health) = worker.rest("GET", "/health", None);
    assert!(health["failed_streams"].to_string().contains(&gone), "{health}");

    kafka.create_topic(&gone, 6, &[]);
    wait_for("it to come back", || task_states(&worker, "on-gone") == ["RUNNING"]);
    wait_for("the files", || ["a", "b"].iter().all(|stream| stage.held(stream).len() == 200));
    stage.expect_all(kafka, &["a"]);
    // What was published before was deleted with the topic; the rest is complete and in order.
    let held = stage.held("b");
    wait_for("the rest", || {
        let seen = by_stream(read_topic(kafka.bootstrap(), &gone, Isolation::Committed));
        seen.get("b").is_some_and(|seen| seen.last() == held.last() && held.ends_with(seen))
    });
    assert_eq!(worker.terminate().0, 0);
}

#[test]
fn an_offline_partition_fails_its_own_streams_and_those_that_wait_for_it_say_so() {
    let mut kafka = KafkaCluster::start();
    let bootstrap = kafka.bootstrap();
    let stage = Stage::with_shards("offline", 1);
    // Partition 0 is only on the first broker, partition 1 only on the second.
    topics(
        &bootstrap,
        &["--create", "--topic", &stage.topic(), "--replica-assignment", "1,2", "--config", "min.insync.replicas=1"],
    );
    let (on_first, on_second) = (named("a", 0), named("b", 1));
    let file = stage.recording(10, 2, 500);
    stage.add_live(&on_first, &file, 4.0);
    let worker_file = kvs_harness::WorkerFile::new(&bootstrap, &stage.group())
        .set("offset.storage.partitions", "1")
        .set("offset.storage.replication.factor", "-1")
        .set("transaction.timeout.ms", "10000");
    let mut worker = Connector::start(program(), &worker_file, &[stage.connector(&[&on_first])]);
    worker.wait_healthy();
    let published = |worker: &Connector| worker.metric("kvs_connect_fragments_total");
    wait_for("fragments", || published(&worker) > 4.0);

    // Nothing was being written to the partition when it went offline: only its own stream waits.
    kafka.broker(1).down();
    let before = published(&worker);
    wait_for("the others to continue", || published(&worker) > before + 24.0);
    // A record that is written before the worker knows would keep the shard's transaction open until the broker is back.
    wait_for("the partition to be known as offline", || {
        worker.metric("kvs_connect_data_partitions_offline") == 1.0
            && worker.log().contains("partitions of the topic are offline")
    });
    stage.add_live(&on_second, &file, 4.0);
    let mut second: Value = config(&stage, &[&on_second]);
    second["errors.retry.delay.max.ms"] = "1000".into();
    let (code, answer) = worker.rest("PUT", "/connectors/second/config", Some(&second));
    assert!(code == 201, "{answer}");
    let offline = format!("partition 1 of topic {} is offline", stage.topic());
    wait_for("its stream to be FAILED", || trace(&worker, "second").contains(&offline));
    let (before, lost) = (published(&worker), worker.metric("kvs_connect_shards_lost_total"));
    wait_for("the other to continue", || published(&worker) > before + 12.0);
    wait_for("the state of its task", || task_states(&worker, "cameras") == ["RUNNING"]);
    assert_eq!(worker.metric("kvs_connect_shards_lost_total"), lost, "{}", worker.log());
    kafka.broker(1).up();
    wait_for("it to come back", || task_states(&worker, "second") == ["RUNNING"]);
    wait_for("no partition to be offline", || worker.metric("kvs_connect_data_partitions_offline") == 0.0);

    // A connector with its own offsets topic, which is only on the first broker, like its data.
    let own_offsets = format!("{}-own", stage.group());
    let assignment =
        ["--create", "--topic", &own_offsets, "--replica-assignment", "1", "--config", "cleanup.policy=compact"];
    topics(&bootstrap, &[&assignment[..], &["--config", "min.insync.replicas=1"]].concat());
    let apart = named("c", 0);
    stage.add_live(&apart, &file, 4.0);
    let mut settings: Value = config(&stage, &[&apart]);
    settings["offsets.storage.topic"] = own_offsets.as_str().into();
    let (code, answer) = worker.rest("PUT", "/connectors/apart/config", Some(&settings));
    assert!(code == 201, "{answer}");
    let published_apart = |worker: &Connector| {
        let (_, metrics) = worker.get("/metrics").unwrap();
        let of_stream = format!("stream=\"{apart}\"");
        let is_its_own = |line: &&str| line.starts_with("kvs_connect_fragments_total") && line.contains(&of_stream);
        let counts = metrics.lines().filter(is_its_own).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        counts.sum::<f64>()
    };
    wait_for("its fragments", || published_apart(&worker) > 4.0);

    // A record in flight when the partition goes offline keeps its transaction open: the shard reports what it waits
    // for.
    wait_for("both", || published(&worker) > before + 30.0);
    kafka.broker(1).down();
    let told = |connector: &str| trace(&worker, connector).contains(&offline);
    wait_for("the stream to say what it waits for", || told("second"));
    let before = published(&worker);
    // Between two transactions none is kept open: then the other stream continues.
    wait_for("the other to say so, too, or to continue", || told("cameras") || published(&worker) > before + 4.0);
    // Its transactions are separate: one that hangs in the worker's offsets topic does not delay it.
    let before = published_apart(&worker);
    wait_for("the separate connector to continue", || published_apart(&worker) > before + 8.0);
    wait_for("the state of its task", || task_states(&worker, "apart") == ["RUNNING"]);
    println!("the other stream then: {} {}", task_states(&worker, "cameras")[0], trace(&worker, "cameras"));
    let (_, health) = worker.rest("GET", "/health", None);
    assert!(health["failed_streams"].to_string().contains(&offline), "{health}");
    kafka.broker(1).up();
    let all = [on_first.as_str(), on_second.as_str()];
    assert!(all.iter().chain([&apart.as_str()]).all(|stream| stage.simulator.end_playback(stream)));
    stage.expect_all_at(&bootstrap, &all);
    let held = stage.held(&apart);
    wait_for("all of the connector apart", || {
        let seen = by_stream(read_topic(&bootstrap, &stage.topic(), Isolation::Committed));
        seen.get(&apart).is_some_and(|seen| *seen == held)
    });
    assert_eq!(worker.terminate().0, 0);
}
