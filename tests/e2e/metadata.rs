//! The topic of the metadata: each fragment without its media, in the transaction of the fragment.

use std::collections::BTreeMap;
use std::process::Command;

use kvs_harness::topic::read_raw;
use kvs_harness::{Connector, Isolation, Kafka, read_topic, wait_for};
use kvs_simulator::Pace;
use serde_json::{Value, json};

use crate::rest::{bare, config};
use crate::stage::{Stage, program};

const FRAGMENTS: usize = 400;

/// A record of one of the two topics: stream, number, sequence, size of the media, whether a decoder can begin and has to begin
/// anew.
type Row = (String, String, Option<i64>, usize, [Option<bool>; 2]);

/// What `tail` prints of a committed topic, a JSON value a record.
fn tail(stage: &Stage, kafka: &Kafka, topic: &str) -> Vec<Value> {
    let (servers, group) = (format!("bootstrap.servers={}", kafka.bootstrap()), format!("group.id={}", stage.group()));
    let output = Command::new(program())
        .args(["tail", "--json", "--from", "beginning", "--until-end", "--topic", topic])
        .args(["--set", &servers, "--set", &group])
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn by_stream(rows: impl Iterator<Item = Row>) -> BTreeMap<String, Vec<Row>> {
    let mut streams: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in rows {
        streams.entry(row.0.clone()).or_default().push(row);
    }
    streams
}

/// The same fragments stand in both topics, in the same order, each with the same sequence.
fn expect_both_alike(stage: &Stage, kafka: &Kafka, metadata: &str) {
    let fragments = read_topic(kafka.bootstrap(), &stage.topic(), Isolation::Committed);
    let of_fragments = by_stream(fragments.into_iter().map(|seen| {
        let flags = [seen.random_access, seen.discontinuity];
        (seen.stream, seen.number, seen.sequence, seen.size_bytes, flags)
    }));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of_metadata = by_stream(tail(stage, kafka, metadata).into_iter().map(|seen| {
        let size_bytes = usize::try_from(seen["size_bytes"].as_u64().unwrap()).unwrap();
        let flags = [seen["random_access"].as_bool(), seen["discontinuity"].as_bool()];
        (text(&seen["stream_name"]), text(&seen["fragment_number"]), seen["sequence"].as_i64(), size_bytes, flags)
    }));
    assert!(of_fragments.values().all(|rows| rows.len() == FRAGMENTS), "{:?}", of_fragments.values().map(Vec::len));
    for (stream, rows) in &of_fragments {
        let sequences = rows.iter().map(|(_, _, sequence, ..)| *sequence);
        assert!(sequences.eq((0..FRAGMENTS as i64).map(Some)), "{stream}");
        let flags = rows.iter().map(|row| row.4);
        assert!(flags.eq((0..FRAGMENTS).map(|index| [Some(true), Some(index == 0)])), "{stream}");
    }
    assert!(of_fragments == of_metadata, "the two topics differ");
}

#[test]
fn a_fragment_is_published_with_its_metadata_or_not_at_all() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("metadata", 2));
    let file = stage.recording(FRAGMENTS, 5, 2_000);
    for stream in ["a", "b"] {
        stage.add(stream, &file, 1, Pace::FragmentsPerSecond(40.0));
    }
    let metadata = format!("{}-metadata", stage.name);
    let connector = stage.connector(&["a", "b"]).set("metadata.topic", &metadata);
    let settings = stage.worker(kafka).set("session.timeout.ms", "1500");
    let mut worker = stage.start(&settings, &connector);
    worker.wait_healthy();
    for _ in 0..3 {
        // Counted by each process anew.
        wait_for("fragments", || worker.metric("kvs_connect_fragments_total") > 20.0);
        worker.kill();
        worker.restart(program());
    }
    wait_for("the files", || ["a", "b"].iter().all(|stream| stage.held(stream).len() == FRAGMENTS));
    stage.expect_all(kafka, &["a", "b"]);
    expect_both_alike(&stage, kafka, &metadata);
    // It is one of the connector's topics for whoever asks.
    let topics = || worker.rest("GET", "/connectors/cameras/topics", None).1["cameras"]["topics"].clone();
    wait_for("both topics to be listed", || topics().to_string().contains(&metadata));
}

#[test]
fn metadata_and_frames_without_data_are_read_as_json_without_a_decoder() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("metadata-json", 2));
    stage.add("a", &stage.recording(FRAGMENTS, 5, 2_000), 1, Pace::Max);
    let metadata = format!("{}-metadata", stage.name);
    let frames = format!("{}-frames", stage.name);
    // Brokers hold this against batches: all of a fragment's records together are larger.
    for topic in [&metadata, &frames] {
        kafka.create_topic(topic, 1, &[("max.message.bytes", "10000")]);
    }
    let worker: Connector = bare(&stage, kafka);
    let mut settings = config(&stage, &["a"]);
    // Without their data nothing is converted: the generated media are no H.264, and nobody minds.
    (settings["frames.topic"], settings["frames.payload.mode"]) = (frames.as_str().into(), "none".into());
    settings["metadata.topic"] = stage.topic().into();
    settings["value.format"] = "json".into();
    let (code, refused) = worker.rest("PUT", "/connectors/cameras/config", Some(&settings));
    assert!(code == 400 && refused["message"].to_string().contains("each needs a topic of its own"), "{refused}");
    settings["metadata.topic"] = metadata.as_str().into();
    let (code, answer) = worker.rest("PUT", "/connectors/cameras/config", Some(&settings));
    assert_eq!(code, 201, "{answer}");
    stage.expect_all(kafka, &["a"]);
    expect_both_alike(&stage, kafka, &metadata);
    for (key, value) in read_raw(kafka.bootstrap(), &metadata) {
        let value: Value = serde_json::from_slice(&value).unwrap();
        assert_eq!(value["fragment_number"].as_str().map(str::as_bytes), Some(&key[..]));
        assert_eq!(value["frames"].as_array().map(Vec::len), Some(5));
    }
    let values = read_raw(kafka.bootstrap(), &frames).into_iter().map(|(key, value)| {
        assert_eq!(key, b"a");
        serde_json::from_slice::<Value>(&value).unwrap()
    });
    let values: Vec<Value> = values.collect();
    assert_eq!(values.len(), FRAGMENTS * 5);
    for (place, value) in values.iter().enumerate() {
        assert_eq!(
            (value["sequence"].as_u64(), value["frame_index"].as_u64()),
            (Some(place as u64 / 5), Some(place as u64 % 5))
        );
        let before = place.checked_sub(1).map(|before| before as u64 / 5);
        assert_eq!(value["previous_sequence"].as_u64(), before);
        assert_eq!((&value["payload_mode"], &value["size_bytes"]), (&json!("none"), &json!(2_000)));
        assert!(value.get("data").is_none() && value["config"].is_null(), "{value}");
    }
    // `tail` shows both.
    let servers = format!("bootstrap.servers={}", kafka.bootstrap());
    let tail = Command::new(program())
        .args(["tail", "--from", "beginning", "--until-end", "--topic", &frames, "--set", &servers])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&tail.stdout);
    assert!(
        tail.status.success() && shown.contains("  2000 bytes"),
        "{shown}{}",
        String::from_utf8_lossy(&tail.stderr)
    );
}
