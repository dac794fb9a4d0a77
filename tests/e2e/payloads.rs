//! Where payloads are: in their records, in an object store, in chunks, or nowhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use kvs_harness::topic::{RawRecord, hex, read_records};
use kvs_harness::{Connector, Kafka, S3Server, Turn, wait_for};
use kvs_simulator::Pace;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::frames::{Fields, read_fragments};
use crate::rest::{bare, config};
use crate::stage::{Stage, program};

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Returns settings of another connector of the same streams, with a topic of its own.
fn connector(stage: &Stage, streams: &[&str], name: &str, more: &[(&str, &str)]) -> (String, Value) {
    let mut settings = config(stage, streams);
    let topic = format!("{}-{name}", stage.name);
    (settings["name"], settings["topic"]) = (name.into(), topic.as_str().into());
    for (key, value) in more {
        settings[*key] = (*value).into();
    }
    (topic, settings)
}

fn put(worker: &Connector, settings: &Value) {
    let path = format!("/connectors/{}/config", settings["name"].as_str().unwrap());
    let (code, answer) = worker.rest("PUT", &path, Some(settings));
    assert!(matches!(code, 200 | 201), "{answer}");
}

fn trace(worker: &Connector, name: &str) -> String {
    worker.rest("GET", &format!("/connectors/{name}/status"), None).1["tasks"][0]["trace"].to_string()
}

fn file_of(uri: &str) -> PathBuf {
    Path::new(uri.strip_prefix("file://").unwrap()).to_owned()
}

/// Returns the payload that the chunks of a fragment's record make, and checks what they say of themselves.
fn chunked(fragment: &Fields, chunks: &[RawRecord]) -> Vec<u8> {
    let number = fragment.text("fragment_number");
    let apache_avro::types::Value::Record(placed) = fragment.get("payload_chunks") else { panic!("no chunks") };
    let placed: BTreeMap<&str, &apache_avro::types::Value> =
        placed.iter().map(|(name, value)| (name.as_str(), value)).collect();
    let long = |name: &str| match placed[name] {
        apache_avro::types::Value::Long(number) => *number,
        other => panic!("{other:?}"),
    };
    let stream = fragment.text("stream_name");
    let is_mine = |chunk: &&RawRecord| {
        chunk.header("kvs.fragment.number").as_deref() == Some(number)
            && chunk.header("kvs.stream").as_deref() == Some(stream)
    };
    let mine: Vec<&RawRecord> = chunks.iter().filter(is_mine).collect();
    assert_eq!(mine.len() as i64, long("count"), "{number}");
    for (index, chunk) in mine.iter().enumerate() {
        assert_eq!(chunk.header("kvs.chunk.index"), Some(index.to_string()));
        assert_eq!(chunk.header("kvs.chunk.count"), Some(mine.len().to_string()));
        assert_eq!((i64::from(chunk.partition), &*chunk.key), (long("partition"), number.as_bytes()));
        let most = long("max_size_bytes") as usize;
        assert!(chunk.value.len() == most || (index + 1 == mine.len() && chunk.value.len() < most));
    }
    mine.iter().flat_map(|chunk| chunk.value.clone()).collect()
}

/// Returns the hash of the payload that the documentation's example finds for a fragment's record.
fn by_the_example(kafka: &Kafka, fragment: &Fields) -> String {
    let docs = include_str!("../../docs/RECORDS.md");
    let blocks = docs.split("```python\n").skip(1).filter_map(|block| block.split("```").next());
    let example = blocks.into_iter().find(|block| block.contains("payload_chunks")).unwrap();
    let apache_avro::types::Value::Record(placed) = fragment.get("payload_chunks") else { panic!("no chunks") };
    let chunks = serde_json::Value::try_from(apache_avro::types::Value::Record(placed.clone())).unwrap();
    let record = serde_json::json!({
        "stream_name": fragment.text("stream_name"),
        "fragment_number": fragment.text("fragment_number"),
        "payload_chunks": chunks,
    });
    let script = format!(
        "{example}\nimport hashlib, json\nrecord = json.loads({:?})\nconsumer = Consumer({{'bootstrap.servers': '{}', 'group.id': 'example', \
         'isolation.level': 'read_committed'}})\nprint(hashlib.sha256(payload(record, 0, consumer)).hexdigest())\n",
        record.to_string(),
        kafka.bootstrap()
    );
    let sdk =
        Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("dev/sdks")).arg("registry-python").output().unwrap();
    assert!(sdk.status.success(), "{}", String::from_utf8_lossy(&sdk.stderr));
    let output = Command::new(String::from_utf8(sdk.stdout).unwrap().trim()).args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn expect_sequence(fragments: &[Fields], count: usize) {
    let sequences = fragments.iter().map(|fragment| fragment.long("sequence").unwrap());
    assert!(sequences.eq(0..count as i64));
}

#[test]
fn every_mode_has_each_payload_once_through_kills() {
    const FRAGMENTS: usize = 200;
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("payloads", 2));
    let file = stage.recording(FRAGMENTS, 5, 2_000);
    for stream in ["a", "b"] {
        stage.add(stream, &file, 1, Pace::FragmentsPerSecond(40.0));
    }
    let folder = format!("file://{}/objects", stage.folder.path().display());
    let parts = format!("{}-parts", stage.name);
    let chunks = [("payload.mode", "chunked"), ("payload.chunk.topic", &*parts), ("payload.chunk.max.bytes", "3000")];
    let streams = ["a", "b"];
    let (in_chunks, of_chunks) = connector(&stage, &streams, "chunked", &chunks);
    let reference = [("payload.mode", "reference"), ("payload.store.url", &*folder)];
    let (in_objects, of_objects) = connector(&stage, &streams, "objects", &reference);
    let (without, of_none) = connector(&stage, &streams, "without", &[("payload.mode", "none")]);
    let settings = stage.worker(kafka).set("session.timeout.ms", "1500");
    let mut worker = stage.start(&settings, &stage.connector(&streams));
    worker.wait_healthy();
    for settings in [&of_chunks, &of_objects, &of_none] {
        put(&worker, settings);
    }
    for _ in 0..3 {
        // Counted by each process anew.
        wait_for("fragments", || worker.metric("kvs_connect_fragments_total") > 60.0);
        worker.kill();
        worker.restart(program());
    }
    wait_for("the files", || streams.iter().all(|stream| stage.held(stream).len() == FRAGMENTS));
    stage.expect_all(kafka, &streams);
    let all = |topic: &str| {
        kvs_harness::topic::exists(kafka.bootstrap(), topic)
            && read_records(kafka.bootstrap(), topic).len() >= 2 * FRAGMENTS
    };
    wait_for("all connectors to publish everything", || [&in_chunks, &in_objects, &without].iter().all(|one| all(one)));
    let parts = read_records(kafka.bootstrap(), &parts);
    let (in_chunks, in_objects, without) =
        (read_fragments(kafka, &in_chunks), read_fragments(kafka, &in_objects), read_fragments(kafka, &without));
    for stream in streams {
        let held = stage.held(stream);
        for fragments in [&in_chunks[stream], &in_objects[stream], &without[stream]] {
            expect_sequence(fragments, FRAGMENTS);
            assert!(fragments.iter().all(|fragment| fragment.bytes("payload").is_empty()));
        }
        for (fragment, (number, hash)) in in_chunks[stream].iter().zip(&held) {
            assert_eq!((fragment.text("payload_mode"), fragment.text("fragment_number")), ("chunked", number.as_str()));
            let payload = chunked(fragment, &parts);
            assert_eq!((&sha256(&payload), fragment.text("payload_sha256")), (hash, hash.as_str()));
        }
        for (fragment, (number, hash)) in in_objects[stream].iter().zip(&held) {
            let uri = fragment.text("payload_uri");
            assert_eq!(
                (fragment.text("payload_mode"), uri),
                ("reference", &*format!("{folder}/{stream}/{number}.mkv"))
            );
            let payload = std::fs::read(file_of(uri)).unwrap();
            assert_eq!((&sha256(&payload), fragment.text("payload_sha256")), (hash, hash.as_str()));
            assert_eq!(fragment.long("size_bytes"), Some(payload.len() as i64));
        }
        assert!(without[stream].iter().all(|fragment| fragment.text("payload_mode") == "none"));
    }
    // As docs/RECORDS.md shows it.
    let last = in_chunks["b"].last().unwrap();
    assert_eq!(&by_the_example(kafka, last), &stage.held("b").last().unwrap().1);
    // No part of a fragment that was not published.
    let counted: usize = in_chunks.values().flatten().map(|one| one.long("size_bytes").unwrap() as usize).sum();
    assert_eq!(parts.iter().map(|part| part.value.len()).sum::<usize>(), counted);
}

#[test]
fn a_fragment_of_50_mb_goes_through_every_mode() {
    let _turn = Turn::heavy();
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("large-payloads", 2));
    let server = S3Server::start();
    server.create_bucket("media");
    stage.add("a", &stage.recording(2, 5, 10_000_000), 1, Pace::Max);
    let worker = bare(&stage, kafka);
    let (parts, url) = (format!("{}-parts", stage.name), server.url());
    let small = [("payload.inline.max.bytes", "1000")];
    let chunks = [("payload.mode", "chunked"), ("payload.chunk.topic", &*parts)];
    let reference = [
        ("payload.mode", "reference"),
        ("payload.store.url", "s3://media/kvs"),
        ("payload.store.endpoint", &*url),
        ("payload.store.region", "us-east-1"),
    ];
    let folder = format!("file://{}/objects", stage.folder.path().display());
    let in_folder = [("payload.mode", "reference"), ("payload.store.url", &*folder)];
    let inline = connector(&stage, &["a"], "inline", &[]);
    let none = connector(&stage, &["a"], "none", &[&[("payload.mode", "none")][..], &small].concat());
    let chunked_one = connector(&stage, &["a"], "chunks", &[&chunks[..], &small].concat());
    let in_s3 = connector(&stage, &["a"], "s3", &[&reference[..], &small].concat());
    let local = connector(&stage, &["a"], "folder", &in_folder);
    let held = stage.held("a");
    for (topic, settings) in [&inline, &none, &chunked_one, &in_s3, &local] {
        put(&worker, settings);
        let published = || {
            kvs_harness::topic::exists(kafka.bootstrap(), topic) && read_records(kafka.bootstrap(), topic).len() == 2
        };
        wait_for("the fragments", published);
        for (fragment, (number, hash)) in read_fragments(kafka, topic)["a"].iter().zip(&held) {
            assert!(fragment.long("size_bytes").unwrap() > 50_000_000);
            let payload = match fragment.text("payload_mode") {
                "inline" => fragment.bytes("payload").to_vec(),
                "none" => continue,
                "chunked" => chunked(fragment, &read_records(kafka.bootstrap(), &parts)),
                _ if fragment.text("payload_uri").starts_with("s3://") => {
                    assert_eq!(fragment.text("payload_uri"), format!("s3://media/kvs/a/{number}.mkv"));
                    server.get("media", &format!("kvs/a/{number}.mkv")).unwrap()
                }
                _ => std::fs::read(file_of(fragment.text("payload_uri"))).unwrap(),
            };
            assert_eq!(sha256(&payload), *hash, "{topic}");
        }
    }
    // What the broker must accept of a record follows from the mode.
    let log = worker.log();
    assert!(!log.contains("larger than topic"), "{log}");
}

#[test]
fn a_store_in_trouble_fails_the_stream_by_name_and_it_goes_on_by_itself() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("store-trouble", 2));
    let mut server = S3Server::start();
    stage.add("a", &stage.recording(5, 2, 500), 1, Pace::Max);
    let worker = bare(&stage, kafka);
    let url = server.url();
    let more = [
        ("payload.mode", "reference"),
        ("payload.store.url", "s3://wrong/kvs"),
        ("payload.store.endpoint", &*url),
        ("payload.store.region", "us-east-1"),
        ("errors.retry.delay.base.ms", "500"),
        ("errors.retry.delay.max.ms", "1000"),
    ];
    // Nothing is skipped, whatever is tolerated: it is not the fragment's fault.
    let tolerant = [("errors.tolerance", "all")];
    let (topic, settings) = connector(&stage, &["a"], "s3", &[&more[..], &tolerant].concat());
    server.down();
    put(&worker, &settings);
    let says = |parts: &[&str]| parts.iter().all(|part| trace(&worker, "s3").contains(part));
    wait_for("the stream to fail", || says(&["cannot write s3://wrong/kvs/a/", "check payload.store.endpoint"]));
    server.up();
    wait_for("the bucket to be missed", || {
        says(&["cannot write s3://wrong/kvs/a/", "create it, or change payload.store.url"])
    });
    let validate = || {
        let path = "/connector-plugins/KinesisVideoSourceConnector/config/validate?connect=true";
        worker.rest("PUT", path, Some(&settings)).1
    };
    let refused = validate();
    assert!(refused["error_count"] == 1 && refused.to_string().contains("HTTP 404 NoSuchBucket"), "{refused}");
    server.create_bucket("wrong");
    assert_eq!(validate()["error_count"], 0);
    assert!(server.keys("wrong").iter().all(|key| !key.contains("check")), "{:?}", server.keys("wrong"));
    let published =
        || kvs_harness::topic::exists(kafka.bootstrap(), &topic) && read_records(kafka.bootstrap(), &topic).len() == 5;
    wait_for("the fragments", published);
    expect_sequence(&read_fragments(kafka, &topic)["a"], 5);

    // A store that takes connections and never answers.
    let hangs = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", hangs.local_addr().unwrap());
    let slow = [more[0], ("payload.store.url", "s3://slow"), ("payload.store.endpoint", &*url), more[3]];
    let (_, settings) = connector(&stage, &["a"], "slow", &slow);
    put(&worker, &settings);
    let state = || {
        let (_, streams) = worker.rest("GET", "/streams", None);
        let slow = streams.as_array().unwrap().iter().find(|one| one["connector"] == "slow");
        slow.map_or(String::new(), |one| one["state"].to_string())
    };
    wait_for("the stream to say that it waits", || state().contains("WAITING_FOR_OUTPUT"));
    wait_for("the task to say so", || trace(&worker, "slow").contains("waits until its payload is stored"));

    // A folder that cannot be written: a file is where the stream's folder belongs.
    let folder = stage.folder.path().join("objects");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a"), b"").unwrap();
    let url = format!("file://{}", folder.display());
    let more = [&[("payload.mode", "reference"), ("payload.store.url", &*url)][..], &more[4..]].concat();
    let (topic, settings) = connector(&stage, &["a"], "local", &more);
    put(&worker, &settings);
    wait_for("the stream to fail", || trace(&worker, "local").contains("cannot write file:///"));
    std::fs::remove_file(folder.join("a")).unwrap();
    wait_for("the fragments", || read_records(kafka.bootstrap(), &topic).len() == 5);
}

#[test]
fn bakdatas_deserializer_reads_values_from_objects() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("bakdata", 2));
    let server = S3Server::start();
    server.create_bucket("media");
    stage.add("a", &stage.recording(4, 2, 500), 1, Pace::Max);
    stage.add("small", &stage.recording(2, 1, 10), 1, Pace::Max);
    let worker = bare(&stage, kafka);
    let url = server.url();
    let more = [
        ("payload.mode", "reference"),
        ("payload.reference.format", "bakdata"),
        ("payload.inline.max.bytes", "900"),
        ("payload.store.url", "s3://media"),
        ("payload.store.endpoint", &*url),
        ("payload.store.region", "us-east-1"),
    ];
    let (topic, settings) = connector(&stage, &["a", "small"], "s3", &more);
    put(&worker, &settings);
    let published =
        || kvs_harness::topic::exists(kafka.bootstrap(), &topic) && read_records(kafka.bootstrap(), &topic).len() == 6;
    wait_for("the fragments", published);
    // What is in the objects, and in the records that have none.
    let mut expected = BTreeMap::new();
    for record in read_records(kafka.bootstrap(), &topic) {
        let (stream, number) = (record.header("kvs.stream").unwrap(), record.header("kvs.fragment.number").unwrap());
        let backed = record.headers.iter().find(|(name, _)| name == "__large.message.backed.value").unwrap().1.clone();
        let value = if stream == "small" {
            assert_eq!((backed, record.header("kvs.sequence")), (vec![0], None));
            record.value
        } else {
            let index = stage.held("a").iter().position(|(held, _)| *held == number).unwrap();
            assert_eq!((backed, record.header("kvs.sequence")), (vec![1], Some(index.to_string())));
            assert_eq!(record.value, format!("s3://media/a/{number}.avro").into_bytes());
            server.get("media", &format!("a/{number}.avro")).unwrap()
        };
        expected.insert(format!("{stream} {number}"), (value.len(), sha256(&value)));
    }
    assert_eq!(expected.len(), 6);
    let here = |path: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let jars = Command::new(here("dev/sdks")).arg("bakdata").output().unwrap();
    assert!(jars.status.success(), "{}", String::from_utf8_lossy(&jars.stderr));
    let classpath = format!("{}/*", String::from_utf8(jars.stdout).unwrap().trim());
    let output = Command::new("java")
        .args(["-cp", &classpath])
        .arg(here("tests/readers/bakdata/Backed.java"))
        .args([kafka.bootstrap(), &topic, &url])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut read: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    let mut wanted: Vec<String> = expected
        .iter()
        .map(|(name, (size, hash))| format!("{} {size} {hash}", name.split_once(' ').unwrap().1))
        .collect();
    read.sort();
    wanted.sort();
    assert_eq!(read, wanted);
}
