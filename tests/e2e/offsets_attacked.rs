//! Offsets topics that somebody does something to: partitions are added, records are deleted, a topic is lost and made again,
//! several connectors are moved at once.

use std::process::Command;
use std::time::Duration;

use kvs_harness::{Connector, Kafka, wait_for, wait_for_within, wait_until};
use kvs_simulator::Pace;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::contracts::LOOKED;
use crate::operations::{resume, stop};
use crate::own_offsets::{KEY, go_on, offsets, published, put};
use crate::rest::{bare, config, state, task_states};
use crate::stage::{Stage, compare, configure, program};

/// A connector with these streams, and its offsets in this topic.
fn with_own(stage: &Stage, streams: &[&str], topic: &str) -> Value {
    let mut settings = config(stage, streams);
    settings[KEY] = topic.into();
    settings
}

/// What is said of a connector and its tasks.
fn said_of(worker: &Connector, name: &str) -> String {
    worker.rest("GET", &format!("/connectors/{name}/status"), None).1.to_string()
}

/// Lists offsets without a worker, in the worker's topic or in one of connectors' own.
fn listed(stage: &Stage, kafka: &Kafka, own: Option<&str>) -> Vec<Value> {
    let group = stage.group();
    let sets = [
        format!("group.id={group}"),
        format!("offset.storage.topic={group}-offsets"),
        format!("config.storage.topic={group}-configs"),
        format!("status.storage.topic={group}-status"),
        format!("offset.storage.partitions={}", stage.shards),
    ];
    let output = Command::new(program())
        .args(["offsets", "list", "--json", "--bootstrap-servers", kafka.bootstrap()])
        .args(sets.iter().flat_map(|set| ["--set", set]))
        .args(own.iter().flat_map(|topic| ["--offsets-topic", topic]))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Waits until all fragments of these streams are published, and compares.
fn expect_once(stage: &Stage, kafka: &Kafka, streams: &[&str], fragments: usize) {
    wait_for("the files", || streams.iter().all(|stream| stage.held(stream).len() == fragments));
    wait_for("all to be published", || streams.iter().all(|stream| published(stage, kafka, stream) >= fragments));
    let seen = stage.seen(kafka);
    for stream in streams {
        compare(stream, &stage.held(stream), &seen[*stream]);
    }
}

/// Sets the offsets of these streams to what is published.
fn set_to_published(stage: &Stage, kafka: &Kafka, worker: &Connector, name: &str, streams: &[&str]) -> (u16, Value) {
    let seen = stage.seen(kafka);
    let of = |stream: &&str| {
        let number = &seen[*stream].last().unwrap().0;
        json!({ "partition": { "stream": stream }, "offset": { "fragmentNumber": number } })
    };
    let offsets: Vec<Value> = streams.iter().map(of).collect();
    worker.rest("PATCH", &format!("/connectors/{name}/offsets"), Some(&json!({ "offsets": offsets })))
}

/// Waits until a worker that logs its looks has just looked at the topics' cleanup.policy, which it does every fourth time.
fn policy_looked_at(worker: &Connector) {
    let looks = || worker.log().matches(LOOKED).count();
    let begun = looks();
    wait_for("the worker to have looked at the policies", || looks() > begun + 1 && looks() % 4 == 0);
}

/// Deletes all records of a partition, as kafka-delete-records.sh does; Kafka refuses that where the policy is only compact.
fn delete_records(kafka: &Kafka, topic: &str, partition: i32) {
    configure(kafka, topic, &[("cleanup.policy", "delete")]);
    let admin: AdminClient<DefaultClientContext> =
        rdkafka::ClientConfig::new().set("bootstrap.servers", kafka.bootstrap()).create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(topic, partition, Offset::End).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut refused = None;
    // The broker may hear of the policy later than it says.
    let deleted = wait_until("the records to be deleted", || {
        let deleted = runtime.block_on(admin.delete_records(&offsets, &AdminOptions::new())).unwrap();
        refused = deleted.elements().iter().find_map(|element| element.error().err());
        refused.is_none()
    });
    configure(kafka, topic, &[("cleanup.policy", "compact")]);
    assert!(deleted, "{refused:?}");
}

const ADDED: &str = "partitions were added";

#[test]
fn partitions_that_are_added_to_a_storage_topic_are_no_shards_and_nothing_stops() {
    const FRAGMENTS: usize = 300;
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("widened", 3));
    let file = stage.recording(FRAGMENTS, 2, 300);
    for stream in ["a", "b", "other"] {
        stage.add(stream, &file, 1, Pace::FragmentsPerSecond(8.0));
    }
    let mut first = bare(&stage, kafka);
    let (group, own) = (stage.group(), format!("{}-own", stage.group()));
    assert_eq!(put(&first, "c", &with_own(&stage, &["a", "b"], &own)).0, 201);
    assert_eq!(put(&first, "d", &config(&stage, &["other"])).0, 201);
    go_on(&stage, kafka, &["a", "b", "other"]);
    let topics = [(own.clone(), 5), (format!("{group}-offsets"), 4)];
    let logs = [(format!("{group}-configs"), 2), (format!("{group}-status"), 2)];
    let widened = || topics.iter().chain(&logs);
    widened().for_each(|(topic, partitions)| kafka.add_partitions(topic, *partitions));
    let warned = |worker: &Connector, topic: &str| {
        let log = worker.log();
        log.lines().filter(|line| line.contains(ADDED) && line.contains(topic)).count()
    };
    let is_warned = |worker: &Connector| widened().all(|(topic, _)| warned(worker, topic) == 1);
    wait_for("the worker to say so", || is_warned(&first));
    go_on(&stage, kafka, &["a", "b", "other"]);
    // Another worker that begins from nothing but what is in Kafka, and takes what was the first one's.
    let mut second = bare(&stage, kafka);
    wait_for("the other worker to say so", || is_warned(&second));
    go_on(&stage, kafka, &["a", "b", "other"]);
    first.kill();
    go_on(&stage, kafka, &["a", "b", "other"]);
    wait_for("its states", || task_states(&second, "c").len() == 2 && state(&second, "c") == "RUNNING");
    assert_eq!(listed(&stage, kafka, Some(&own)).len(), 2);
    assert_eq!(listed(&stage, kafka, None).len(), 1);
    // Out of the topic, and into it again.
    for topic in [format!("{own}-2"), own.clone()] {
        stop(&second, "c");
        let (code, answer) = second.rest("PATCH", "/connectors/c/config", Some(&json!({ KEY: topic })));
        assert_eq!(code, 200, "{answer}");
        resume(&second, "c");
        go_on(&stage, kafka, &["a", "b"]);
    }
    assert_eq!(second.rest("DELETE", "/connectors/c", None).0, 204);
    let (code, answer) = put(&second, "c", &with_own(&stage, &["a", "b"], &format!("{own}-3")));
    assert_eq!(code, 201, "{answer}");
    expect_once(&stage, kafka, &["a", "b", "other"], FRAGMENTS);
    assert!(is_warned(&second), "{}", second.log());
    assert_eq!(second.terminate().0, 0);
}

#[test]
fn records_that_are_deleted_from_a_shard_that_is_held_are_missed_at_once_and_nothing_is_published_again() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("cut", 3));
    let file = stage.recording(20, 2, 300);
    let streams = ["a", "b", "c", "d", "other", "e", "f", "g", "h"];
    for stream in streams {
        stage.add(stream, &file, 60, Pace::FragmentsPerSecond(4.0));
    }
    let environment = [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("RUST_LOG", "info,kvs_connect::worker::watch=debug"),
    ];
    let mut worker = Connector::start_with(program(), &stage.worker(kafka), &[], &environment);
    worker.wait_healthy();
    let (workers, own) = (format!("{}-offsets", stage.group()), format!("{}-own", stage.group()));
    assert_eq!(put(&worker, "own", &with_own(&stage, &streams[..4], &own)).0, 201);
    assert_eq!(put(&worker, "common", &config(&stage, &["other"])).0, 201);
    assert_eq!(put(&worker, "also", &with_own(&stage, &streams[5..], &own)).0, 201);
    go_on(&stage, kafka, &streams);
    let shard_of = |own: Option<&str>, stream: &str| {
        let row = listed(&stage, kafka, own).into_iter().find(|row| row["stream"] == stream).unwrap();
        i32::try_from(row["shard"].as_i64().unwrap()).unwrap()
    };
    let cut = shard_of(Some(&own), "a");
    // The streams of other shards go on.
    let (lost, kept): (Vec<&str>, Vec<&str>) =
        streams[..4].iter().copied().partition(|stream| shard_of(Some(&own), stream) == cut);
    let also_lost: Vec<&str> =
        streams[5..].iter().copied().filter(|stream| shard_of(Some(&own), stream) == cut).collect();
    assert!(!kept.is_empty() && !also_lost.is_empty(), "{lost:?} {kept:?} {also_lost:?}");
    policy_looked_at(&worker);
    delete_records(kafka, &own, cut);
    delete_records(kafka, &workers, shard_of(None, "other"));
    let is_lost = |worker: &Connector| {
        let missed = |name: &str| said_of(worker, name).contains("records were deleted");
        missed("own") && missed("common")
    };
    // Four times a minute, for a slow machine.
    wait_for_within(Duration::from_secs(240), "the streams to say so", || is_lost(&worker));
    let failed = |worker: &Connector| task_states(worker, "own").iter().filter(|state| *state == "FAILED").count();
    wait_for("all of its streams to say so", || failed(&worker) == lost.len());
    let before: Vec<usize> = lost.iter().map(|stream| published(&stage, kafka, stream)).collect();
    go_on(&stage, kafka, &kept);
    // A worker that begins from nothing but what is in Kafka finds the same.
    worker.restart(program());
    worker.wait_healthy();
    wait_for("the streams to say so again", || is_lost(&worker) && failed(&worker) == lost.len());
    wait_for("the connector itself to run", || state(&worker, "own") == "RUNNING");
    go_on(&stage, kafka, &kept);
    let after: Vec<usize> = lost.iter().map(|stream| published(&stage, kafka, stream)).collect();
    assert_eq!(after, before);
    let also_before: Vec<usize> = also_lost.iter().map(|stream| published(&stage, kafka, stream)).collect();
    // Moved, the offsets that are gone would be taken for none.
    stop(&worker, "own");
    stop(&worker, "common");
    for (name, topic) in [("own", Value::Null), ("common", own.as_str().into())] {
        let patch = json!({ KEY: topic });
        let (code, refused) = worker.rest("PATCH", &format!("/connectors/{name}/config"), Some(&patch));
        assert!(code == 400 && refused["message"].to_string().contains("records were deleted"), "{code} {refused}");
    }
    // What is set is what counts, of all that may be lost; what is reset starts over.
    if lost.len() > 1 {
        let (code, refused) = set_to_published(&stage, kafka, &worker, "own", &lost[1..]);
        assert!(code == 400 && refused["message"].to_string().contains("are missing"), "{code} {refused}");
    }
    assert_eq!(set_to_published(&stage, kafka, &worker, "own", &lost).0, 200);
    assert_eq!(worker.rest("DELETE", "/connectors/common/offsets", None).0, 200);
    let replayed = stage.seen(kafka)["other"].len();
    resume(&worker, "own");
    resume(&worker, "common");
    go_on(&stage, kafka, &streams[..4]);
    wait_for("the other one to start over", || {
        let seen = &stage.seen(kafka)["other"];
        seen.len() > replayed && seen[replayed].0 <= seen[0].0
    });
    // Another connector's offsets in that shard are still lost.
    let also_after: Vec<usize> = also_lost.iter().map(|stream| published(&stage, kafka, stream)).collect();
    assert_eq!(also_after, also_before);
    assert!(said_of(&worker, "also").contains("set or reset the offsets"), "{}", said_of(&worker, "also"));
    stop(&worker, "also");
    let (code, refused) = worker.rest("PATCH", "/connectors/also/config", Some(&json!({ KEY: null })));
    assert!(code == 400 && refused["message"].to_string().contains("records were deleted"), "{code} {refused}");
    assert_eq!(set_to_published(&stage, kafka, &worker, "also", &also_lost).0, 200);
    resume(&worker, "also");
    go_on(&stage, kafka, &streams[5..]);
    let seen = stage.seen(kafka);
    for stream in streams.iter().filter(|stream| **stream != "other") {
        let numbers: Vec<&String> = seen[*stream].iter().map(|(number, _)| number).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next), "stream {stream}: published twice or out of order");
    }
    assert_eq!(worker.terminate().0, 0);
}

#[test]
fn connectors_that_are_moved_to_one_topic_at_the_same_moment_all_arrive() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("at-once-own", 3));
    let file = stage.recording(5, 2, 300);
    let names = ["a", "b", "c", "d"];
    let workers = [bare(&stage, kafka), bare(&stage, kafka)];
    for name in names {
        stage.add(name, &file, 1, Pace::Max);
        assert_eq!(put(&workers[0], name, &config(&stage, &[name])).0, 201);
    }
    stage.expect_all(kafka, &names);
    for name in names {
        stop(&workers[0], name);
    }
    let before = names.map(|name| offsets(&workers[0], name));
    for round in 0..4 {
        let topic = format!("{}-own-{round}", stage.group());
        let patch = json!({ KEY: topic });
        std::thread::scope(|scope| {
            for (name, worker) in names.iter().zip(workers.iter().cycle()) {
                let patch = &patch;
                scope.spawn(move || {
                    let (code, answer) = worker.rest("PATCH", &format!("/connectors/{name}/config"), Some(patch));
                    assert_eq!(code, 200, "{name}: {answer}");
                });
            }
        });
        assert_eq!(names.map(|name| offsets(&workers[1], name)), before);
        assert_eq!(listed(&stage, kafka, Some(&topic)).len(), names.len());
    }
    // Nothing stays behind, however the moves overtook one another.
    assert_eq!(listed(&stage, kafka, None), Vec::<Value>::new());
    assert_eq!(listed(&stage, kafka, Some(&format!("{}-own-2", stage.group()))), Vec::<Value>::new());
}

#[test]
fn an_offsets_topic_that_was_lost_is_begun_again_only_for_connectors_whose_offsets_are_set_or_reset() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("again-own", 3));
    let file = stage.recording(20, 2, 300);
    for stream in ["a", "b", "c"] {
        stage.add(stream, &file, 60, Pace::FragmentsPerSecond(4.0));
    }
    let mut worker = bare(&stage, kafka);
    let own = format!("{}-own", stage.group());
    assert_eq!(put(&worker, "set", &with_own(&stage, &["a", "b"], &own)).0, 201);
    assert_eq!(put(&worker, "reset", &with_own(&stage, &["c"], &own)).0, 201);
    go_on(&stage, kafka, &["a", "b", "c"]);
    kafka.delete_topic(&own);
    for name in ["set", "reset"] {
        wait_for("the connector to fail", || state(&worker, name) == "FAILED");
    }
    // By an operator, with another number of partitions.
    kafka.create_topic(&own, 4, &[("cleanup.policy", "compact")]);
    wait_for("the connector to say so", || said_of(&worker, "set").contains("set or reset the offsets"));
    let published_before = ["a", "b", "c"].map(|stream| published(&stage, kafka, stream));

    // Some of its offsets are not all of them: the other streams would start over.
    stop(&worker, "set");
    let (code, refused) = set_to_published(&stage, kafka, &worker, "set", &["a"]);
    assert!(code == 400 && refused["message"].to_string().contains("stream \\\"b\\\""), "{code} {refused}");
    let (code, answer) = set_to_published(&stage, kafka, &worker, "set", &["a", "b"]);
    assert_eq!(code, 200, "{answer}");
    resume(&worker, "set");
    go_on(&stage, kafka, &["a", "b"]);
    // The topic is begun, and the other connector is not taken for one that has published nothing, by whoever starts now.
    worker.restart(program());
    worker.wait_healthy();
    wait_for("the other connector to fail", || state(&worker, "reset") == "FAILED");
    assert!(said_of(&worker, "reset").contains("was deleted and recreated"), "{}", said_of(&worker, "reset"));
    go_on(&stage, kafka, &["a", "b"]);
    stop(&worker, "reset");
    let (code, refused) = worker.rest("PATCH", "/connectors/reset/config", Some(&json!({ KEY: null })));
    assert!(code == 400 && refused["message"].to_string().contains("are lost"), "{code} {refused}");
    assert_eq!(published(&stage, kafka, "c"), published_before[2]);
    // Nor is it when it is deleted and made again in that topic.
    assert_eq!(worker.rest("DELETE", "/connectors/reset", None).0, 204);
    assert_eq!(put(&worker, "reset", &with_own(&stage, &["c"], &own)).0, 201);
    wait_for("the other connector to fail again", || state(&worker, "reset") == "FAILED");
    stop(&worker, "reset");
    assert_eq!(worker.rest("DELETE", "/connectors/reset/offsets", None).0, 200);
    resume(&worker, "reset");
    wait_for("it to start over", || published(&stage, kafka, "c") > 2 * published_before[2]);
    go_on(&stage, kafka, &["a", "b"]);
    let seen = stage.seen(kafka);
    for stream in ["a", "b"] {
        let numbers: Vec<&String> = seen[stream].iter().map(|(number, _)| number).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next), "stream {stream}: published twice or out of order");
    }
    assert_eq!(worker.terminate().0, 0);
}
