//! Connectors with their own offsets topic: moved to it and back, shared, lost.

use std::collections::BTreeMap;
use std::process::Command;

use kvs_harness::topic::read_raw;
use kvs_harness::{Connector, Isolation, Kafka, read_topic, wait_for};
use kvs_simulator::Pace;
use serde_json::{Value, json};

use crate::operations::{resume, stop};
use crate::rest::{bare, config, state, task_states};
use crate::stage::{Digest, Stage, by_stream, compare, expect_sequence, program};

/// Fragments of each stream.
const FRAGMENTS: usize = 300;
pub const KEY: &str = "offsets.storage.topic";

pub fn put(worker: &Connector, name: &str, config: &Value) -> (u16, Value) {
    worker.rest("PUT", &format!("/connectors/{name}/config"), Some(config))
}

pub fn published(stage: &Stage, kafka: &Kafka, stream: &str) -> usize {
    stage.seen(kafka).get(stream).map_or(0, Vec::len)
}

/// Waits until more of each stream is published, or all of it: on a slow machine the stream may end first.
pub fn go_on(stage: &Stage, kafka: &Kafka, streams: &[&str]) {
    let before = stage.seen(kafka);
    wait_for("the streams to continue", || {
        let now = stage.seen(kafka);
        streams.iter().all(|stream| {
            let count = |seen: &BTreeMap<String, Vec<Digest>>| seen.get(*stream).map_or(0, Vec::len);
            count(&now) > count(&before) + 5 || count(&now) >= FRAGMENTS
        })
    });
}

pub fn offsets(worker: &Connector, name: &str) -> Value {
    worker.rest("GET", &format!("/connectors/{name}/offsets"), None).1["offsets"].clone()
}

/// Returns the streams that have an offset in the topic, by its latest records.
fn streams_in(kafka: &Kafka, topic: &str) -> Vec<String> {
    let mut last = BTreeMap::new();
    for (key, value) in read_raw(kafka.bootstrap(), topic) {
        if let Ok(Value::Array(key)) = serde_json::from_slice(&key)
            && let [Value::String(_), Value::Object(partition)] = &key[..]
        {
            last.insert(partition["stream"].as_str().unwrap().to_owned(), !value.is_empty());
        }
    }
    last.into_iter().filter_map(|(stream, there)| there.then_some(stream)).collect()
}

#[test]
fn a_connectors_offsets_move_to_its_own_topic_and_back_without_loss_or_duplicates() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("own", 3));
    let file = stage.recording(FRAGMENTS, 2, 300);
    for stream in ["a", "b", "other"] {
        stage.add(stream, &file, 1, Pace::FragmentsPerSecond(8.0));
    }
    let (mut first, second) = (bare(&stage, kafka), bare(&stage, kafka));
    let (workers, own) = (format!("{}-offsets", stage.group()), format!("{}-own", stage.group()));
    let mut settings = config(&stage, &["a", "b"]);
    assert_eq!(put(&first, "c", &settings).0, 201);
    assert_eq!(put(&second, "d", &config(&stage, &["other"])).0, 201);
    go_on(&stage, kafka, &["a", "b", "other"]);

    settings[KEY] = own.as_str().into();
    let (code, refused) = put(&second, "c", &settings);
    assert!(code == 400 && refused["message"].to_string().contains("STOPPED"), "{refused}");
    stop(&first, "c");
    let (code, answer) = put(&second, "c", &settings);
    assert_eq!(code, 200, "{answer}");
    // The other topic's offsets match what is published, and other connectors' offsets have not moved.
    let seen = stage.seen(kafka);
    for (index, stream) in ["a", "b"].iter().enumerate() {
        let offset = &offsets(&first, "c")[index];
        let published = seen[*stream].last().unwrap().0.as_str();
        assert_eq!(
            (offset["partition"]["stream"].as_str(), offset["offset"]["fragmentNumber"].as_str()),
            (Some(*stream), Some(published))
        );
    }
    assert_eq!(streams_in(kafka, &own), ["a", "b"]);
    assert_eq!(streams_in(kafka, &workers), ["other"]);
    // Altered through any worker, in the topic that has the offsets.
    let at = offsets(&first, "c")[0]["offset"]["fragmentNumber"].clone();
    let same = json!({ "offsets": [{ "partition": { "stream": "a" }, "offset": { "fragmentNumber": at } }] });
    let (code, answer) = first.rest("PATCH", "/connectors/c/offsets", Some(&same));
    assert_eq!(code, 200, "{answer}");
    resume(&second, "c");
    go_on(&stage, kafka, &["a", "b", "other"]);

    // The worker with the shards is killed, and one that only knows what is in Kafka finds them.
    first.kill();
    go_on(&stage, kafka, &["a", "b", "other"]);
    first.restart(program());
    first.wait_healthy();
    stop(&first, "c");
    // Back again, by a patch, on a worker that has just started.
    let (code, answer) = first.rest("PATCH", "/connectors/c/config", Some(&json!({ KEY: null })));
    assert_eq!(code, 200, "{answer}");
    assert_eq!(
        (streams_in(kafka, &own).len(), streams_in(kafka, &workers)),
        (0, vec!["a".into(), "b".into(), "other".into()])
    );
    resume(&second, "c");
    go_on(&stage, kafka, &["a", "b", "other"]);
    // A deleted connector keeps its offsets, and continues when it is created again, this time with its own topic from
    // the start.
    assert_eq!(first.rest("DELETE", "/connectors/c", None).0, 204);
    settings[KEY] = format!("{own}-2").into();
    let (code, answer) = put(&first, "c", &settings);
    assert_eq!(code, 201, "{answer}");
    wait_for("its tasks to run", || task_states(&second, "c") == ["RUNNING", "RUNNING"]);

    wait_for("the files", || ["a", "b", "other"].iter().all(|stream| stage.held(stream).len() == FRAGMENTS));
    // Immediately in the same topic: its shards are released and acquired again, in whatever order workers learn of it.
    for _ in 0..3 {
        assert_eq!(second.rest("DELETE", "/connectors/c", None).0, 204);
        let (code, answer) = put(&first, "c", &settings);
        assert_eq!(code, 201, "{answer}");
    }
    wait_for("its tasks to run again", || task_states(&second, "c") == ["RUNNING", "RUNNING"]);
    // Shards whose offsets are moved are fenced, and that is what their losses are counted as.
    let (_, metrics) = second.get("/metrics").unwrap();
    let lost: Vec<&str> = metrics.lines().filter(|line| line.starts_with("kvs_connect_shards_lost_total{")).collect();
    assert!(lost.iter().all(|line| !line.contains("\"other\"")), "{lost:?}");

    // The topic can be read without a worker, too.
    let list = |topic: &str| {
        let servers = ["offsets", "list", "--json", "--bootstrap-servers", kafka.bootstrap()];
        let group = format!("group.id={}", stage.group());
        let group_topics = ["offset", "config", "status"].map(|kind| {
            let name = if kind == "offset" {
                "offsets"
            } else if kind == "config" {
                "configs"
            } else {
                "status"
            };
            format!("{kind}.storage.topic={}-{name}", stage.group())
        });
        let sets = group_topics.iter().chain([&group]).flat_map(|set| ["--set", set.as_str()]);
        let output =
            Command::new(program()).args(servers).args(["--offsets-topic", topic]).args(sets).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let last = |stream: &str| stage.held(stream).last().unwrap().0.clone();
    let is_listed = |listed: &str, stream: &str| {
        let mut rows = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.any(|row| row["stream"] == stream && row["fragment_number"] == last(stream).as_str())
    };
    wait_for("all of them to be published completely", || {
        let (own, workers) = (list(&format!("{own}-2")), list(&workers));
        is_listed(&own, "a") && is_listed(&own, "b") && is_listed(&workers, "other")
    });
    let seen = read_topic(kafka.bootstrap(), &stage.topic(), Isolation::Committed);
    for stream in ["a", "b", "other"] {
        expect_sequence(&seen, stream);
    }
    let seen = by_stream(seen);
    for stream in ["a", "b", "other"] {
        compare(stream, &stage.held(stream), &seen[stream]);
    }
    assert_eq!(first.terminate().0, 0);
}

#[test]
fn a_lost_offsets_topic_fails_its_own_connectors_alone() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("lost-own", 2));
    let file = stage.recording(20, 2, 300);
    for stream in ["a", "b", "other"] {
        stage.add(stream, &file, 40, Pace::FragmentsPerSecond(8.0));
    }
    let mut worker = bare(&stage, kafka);
    let own = format!("{}-own", stage.group());
    // With another number of shards than the worker's topic.
    kafka.create_topic(&own, 5, &[("cleanup.policy", "compact")]);
    let with_own = |stream: &str| {
        let mut settings = config(&stage, &[stream]);
        settings[KEY] = own.as_str().into();
        settings
    };
    for (name, settings) in [("c", with_own("a")), ("d", with_own("b")), ("e", config(&stage, &["other"]))] {
        let (code, answer) = put(&worker, name, &settings);
        assert_eq!(code, 201, "{answer}");
    }
    go_on(&stage, kafka, &["a", "b", "other"]);
    // Topics that have another purpose are refused.
    for (topic, reason) in [(stage.topic(), "topic"), (format!("{}-configs", stage.group()), "config.storage.topic")] {
        let mut settings = config(&stage, &["a"]);
        settings[KEY] = topic.into();
        let (code, refused) = put(&worker, "f", &settings);
        assert!(code == 400 && refused["message"].to_string().contains(reason), "{refused}");
    }
    kafka.create_topic(&format!("{own}-deleting"), 1, &[]);
    let mut settings = config(&stage, &["a"]);
    settings[KEY] = format!("{own}-deleting").into();
    let (code, refused) = put(&worker, "f", &settings);
    assert!(code == 400 && refused["message"].to_string().contains("cleanup.policy"), "{refused}");

    kafka.delete_topic(&own);
    for name in ["c", "d"] {
        wait_for("the connector to fail", || state(&worker, name) == "FAILED");
        let (_, status) = worker.rest("GET", &format!("/connectors/{name}/status"), None);
        assert!(status["connector"]["trace"].to_string().contains(&own), "{status}");
    }
    go_on(&stage, kafka, &["other"]);
    wait_for("the state of its task", || task_states(&worker, "e") == ["RUNNING"]);
    // No other connector recreates the topic: the lost offsets would seem to be those of new connectors.
    let (code, refused) = put(&worker, "f", &with_own("other"));
    assert!(code == 409 || code == 400, "{refused}");
    assert!(
        refused["message"].to_string().contains("does not exist any more")
            || refused["message"].to_string().contains("no longer exists"),
        "{refused}"
    );
    // Its offsets cannot be read, which does not hide those of others.
    let url = format!("http://{}", worker.address());
    let listed = Command::new(program()).args(["offsets", "list", "--url", &url]).output().unwrap();
    let (text, said) = (String::from_utf8(listed.stdout).unwrap(), String::from_utf8(listed.stderr).unwrap());
    assert!(!listed.status.success() && text.contains("other") && said.contains(&own), "{text} {said}");
    // A recreated topic has no offsets, which does not mean that nothing was published.
    kafka.create_topic(&own, 5, &[("cleanup.policy", "compact")]);
    wait_for("the connector to say so", || {
        let (_, status) = worker.rest("GET", "/connectors/c/status", None);
        status["connector"]["trace"].to_string().contains("recreated")
    });
    let (code, refused) = put(&worker, "f", &with_own("other"));
    assert!(code == 400 && refused["message"].to_string().contains("recreated"), "{refused}");
    let published_before = published(&stage, kafka, "a");
    go_on(&stage, kafka, &["other"]);
    assert_eq!(published(&stage, kafka, "a"), published_before);
    // A stopped connector may get its offsets back; a deleted one starts over.
    stop(&worker, "c");
    settings[KEY] = format!("{own}-new").into();
    let (code, refused) = put(&worker, "c", &settings);
    assert!(code == 400 && refused["message"].to_string().contains("recreated"), "{refused}");
    assert_eq!(worker.rest("DELETE", "/connectors/c", None).0, 204);
    let (code, answer) = put(&worker, "c", &settings);
    assert_eq!(code, 201, "{answer}");
    wait_for("the connector to start over", || published(&stage, kafka, "a") > 2 * published_before.min(FRAGMENTS));
    assert_eq!(worker.exit_code(), None);
    assert_eq!(worker.terminate().0, 0);
}
