//! `kvs-connect verify`: what the archive has against what Kafka has.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use kvs_harness::topic::{RawRecord, read_records};
use kvs_harness::{ConnectorFile, Kafka};
use kvs_simulator::Pace;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::Value;

use crate::stage::{Stage, chunk, program};

/// Writes a file of the stage's folder and returns its path.
pub fn written(stage: &Stage, name: &str, text: &str) -> PathBuf {
    let file = stage.folder.path().join(name);
    std::fs::write(&file, text).unwrap();
    file
}

/// Runs the command for this connector.
fn verify(stage: &Stage, kafka: &Kafka, connector: &ConnectorFile, more: &[&str]) -> Output {
    let worker = written(stage, "verify.toml", &stage.worker(kafka).text());
    let file = written(stage, "verify.json", &connector.text());
    let mut command = Command::new(program());
    command.args(["verify", "--worker"]).arg(worker).arg("--file").arg(file).args(more);
    run(command)
}

pub fn run(mut command: Command) -> Output {
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.output().unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns the exit code, and the reports of the streams.
fn reports(output: &Output) -> (i32, Vec<Value>) {
    let lines = text(&output.stdout);
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    (output.status.code().unwrap(), lines.lines().map(read).collect())
}

/// Returns the numbers of faults of a report, by kind.
fn faults(report: &Value) -> [u64; 5] {
    ["missing", "duplicates", "out_of_order", "altered", "holes"].map(|name| report[name].as_u64().unwrap())
}

/// Writes records to another topic, in this order.
pub fn copy(kafka: &Kafka, topic: &str, records: &[RawRecord]) {
    kafka.create_topic(topic, 1, &[]);
    copy_to(kafka, topic, records, |_| 0);
}

/// Writes records to a topic that there is, each to its partition.
pub fn copy_to(kafka: &Kafka, topic: &str, records: &[RawRecord], partition: impl Fn(usize) -> i32) {
    let producer: BaseProducer =
        rdkafka::ClientConfig::new().set("bootstrap.servers", kafka.bootstrap()).create().unwrap();
    for (index, record) in records.iter().enumerate() {
        let headers = record
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
        let record =
            BaseRecord::to(topic).partition(partition(index)).key(&record.key).payload(&record.value).headers(headers);
        producer.send(record).unwrap();
    }
    producer.flush(Duration::from_secs(20)).unwrap();
}

/// Where a value in single-object encoding has its sequence, which has one byte up to 63.
const SEQUENCE_AT: usize = 11;

#[test]
fn each_fault_that_is_planted_in_a_copy_is_found() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("verify"));
    stage.add("door", &stage.recording(14, 3, 2_000), 1, Pace::Max);
    stage.add("gate", &stage.recording(3, 3, 2_000), 1, Pace::Max);
    let connector = stage.connector(&["door", "gate"]).set("metadata.topic", &format!("{}-metadata", stage.name));
    let mut worker = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    stage.expect_all(kafka, &["door", "gate"]);

    // What the connector wrote has no fault: its metadata, and its media.
    for more in [&["--json"][..], &["--json", "--deep"]] {
        let output = verify(&stage, kafka, &connector, more);
        let (code, found) = reports(&output);
        assert_eq!((code, found.len()), (0, 2), "{}", text(&output.stderr));
        let compared = if more.len() == 2 { 14 } else { 0 };
        assert_eq!(faults(&found[0]), [0; 5], "{}", found[0]);
        let count = |name: &str| found[0][name].as_u64().unwrap();
        assert_eq!((count("records"), count("in_both"), count("compared"), count("after_last")), (14, 14, compared, 0));
    }

    // A connector's settings come from a worker, too.
    let mut asked = Command::new(program());
    let toml = written(&stage, "asked.toml", &stage.worker(kafka).text());
    asked
        .args(["verify", "--connector", "cameras", "--url", &format!("http://{}", worker.address()), "--worker"])
        .arg(toml);
    let output = run(asked);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).ends_with("2 streams, 17 records: 0 faults\n"), "{}", text(&output.stdout));

    let records = read_records(kafka.bootstrap(), &stage.topic());
    let door = |record: &&RawRecord| record.header("kvs.stream").as_deref() == Some("door");
    let mut records: Vec<RawRecord> = records.iter().filter(door).cloned().collect();
    let numbers: Vec<String> = records.iter().map(|record| record.header("kvs.fragment.number").unwrap()).collect();
    for (index, record) in records.iter().enumerate() {
        assert_eq!(usize::from(record.value[SEQUENCE_AT]), 2 * index);
    }
    // From the end, so that positions stay: a byte of the media is changed, a pair swapped, a record doubled, one deleted, and one
    // left out as if it had never been published.
    let middle = records[12].value.len() - 1_000;
    records[12].value[middle] ^= 1;
    records.swap(9, 10);
    let again = records[7].clone();
    records.insert(8, again);
    records.remove(5);
    records.remove(3);
    records[3..].iter_mut().for_each(|record| record.value[SEQUENCE_AT] -= 2);
    let planted = format!("{}-planted", stage.name);
    copy(kafka, &planted, &records);
    let copied = ConnectorFile::new("cameras", stage.simulator.url(), &["door"], &planted);

    let (code, found) = reports(&verify(&stage, kafka, &copied, &["--json"]));
    assert_eq!((code, faults(&found[0])), (1, [2, 1, 1, 0, 1]), "{}", found[0]);
    let (code, found) = reports(&verify(&stage, kafka, &copied, &["--json", "--deep"]));
    assert_eq!((code, faults(&found[0])), (1, [2, 1, 1, 1, 1]), "{}", found[0]);
    let named = |kind: &str| {
        let all = found[0]["findings"].as_array().unwrap().iter().filter(|finding| finding["kind"] == kind);
        all.map(|finding| finding["fragment_number"].as_str().unwrap_or("-").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(named("missing"), [&*numbers[3], &*numbers[5]]);
    assert_eq!(named("duplicate"), [&*numbers[7]]);
    assert_eq!(named("out_of_order"), [&*numbers[9]]);
    assert_eq!(named("altered"), [&*numbers[12]]);
    let output = verify(&stage, kafka, &copied, &["--deep"]);
    let shown = text(&output.stdout);
    assert!(shown.contains(&format!("door: fragment {} is in the archive and not in Kafka", numbers[5])), "{shown}");
    assert!(shown.ends_with("1 stream, 13 records, media compared: 6 faults\n"), "{shown}");

    // Whoever reads only the first line learns the exit code, too.
    let mut closed = Command::new("bash");
    let (worker_file, file) = (stage.folder.path().join("verify.toml"), stage.folder.path().join("verify.json"));
    closed
        .args(["-c", "\"$0\" verify --worker \"$1\" --file \"$2\" --json | true; exit ${PIPESTATUS[0]}"])
        .arg(program());
    assert_eq!(
        run({
            closed.arg(worker_file).arg(file);
            closed
        })
        .status
        .code(),
        Some(1)
    );

    // The end of the topic is lost, or all of it: the connector's offset says what was there.
    let whole = read_records(kafka.bootstrap(), &stage.topic());
    let whole: Vec<RawRecord> = whole.iter().filter(door).cloned().collect();
    for (kept, missing) in [(12, 2), (0, 14)] {
        let lost = format!("{}-lost-{kept}", stage.name);
        copy(kafka, &lost, &whole[..kept]);
        let connector = ConnectorFile::new("cameras", stage.simulator.url(), &["door"], &lost);
        let (code, found) = reports(&verify(&stage, kafka, &connector, &["--json"]));
        assert_eq!((code, faults(&found[0])), (1, [missing, 0, 0, 0, 0]), "{}", found[0]);
    }

    // The beginning is lost: it may be retention, and is said.
    let cut = format!("{}-cut", stage.name);
    copy(kafka, &cut, &whole[2..]);
    let connector = ConnectorFile::new("cameras", stage.simulator.url(), &["door"], &cut);
    let output = verify(&stage, kafka, &connector, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("1 of 1 streams have lost their first records"), "{}", text(&output.stderr));

    // A range has what the service received within it.
    let received = |index: usize| {
        let all = found[0]["findings"].as_array().unwrap();
        let finding = all.iter().find(|finding| finding["fragment_number"] == numbers[index].as_str()).unwrap();
        finding["server_timestamp_ms"].as_i64().unwrap()
    };
    let from = (received(9) + 1).to_string();
    let (_, later) = reports(&verify(&stage, kafka, &copied, &["--json", "--from", &from]));
    assert_eq!(later[0]["missing"], 0, "{}", later[0]);
    assert!(later[0]["records"].as_u64().unwrap() < 13, "{}", later[0]);
}

/// The records of one partition are read before those of another, and the first one that is read may be the last of all.
#[test]
fn a_stream_in_several_partitions_is_compared_from_its_first_record_on() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("verify-partitions"));
    stage.add("door", &stage.recording(12, 3, 2_000), 1, Pace::Max);
    let connector = stage.connector(&["door"]).set("record.partition", "key");
    let mut worker = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    stage.wait_all_published(kafka, &["door"]);
    for more in [&["--json"][..], &["--json", "--deep"], &["--json", "--from", "0"]] {
        let (code, found) = reports(&verify(&stage, kafka, &connector, more));
        let count = |name: &str| found[0][name].as_u64().unwrap();
        assert_eq!((code, faults(&found[0])), (0, [0; 5]), "{}", found[0]);
        let counts = ["records", "in_both", "only_in_kafka", "before_first"].map(count);
        assert_eq!(counts, [12, 12, 0, 0], "{}", found[0]);
        assert_eq!(count("compared"), if more.contains(&"--deep") { 12 } else { 0 });
    }
    // A fault before the record that is read first: of a copy, with every partition as the first one in turn.
    let mut records = read_records(kafka.bootstrap(), &stage.topic());
    let number = |record: &RawRecord| record.header("kvs.fragment.number").unwrap();
    records.sort_by_key(number);
    let (altered, lost) = (number(&records[2]), number(&records[4]));
    let at = records[2].value.len() - 1_000;
    records[2].value[at] ^= 1;
    records.remove(4);
    for partitions in [2, 3] {
        let planted = format!("{}-planted-{partitions}", stage.name);
        kafka.create_topic(&planted, partitions, &[]);
        // The first half is in the other partitions.
        copy_to(kafka, &planted, &records, |index| if index > 5 { 0 } else { 1 + index as i32 % (partitions - 1) });
        let connector = ConnectorFile::new("cameras", stage.simulator.url(), &["door"], &planted);
        let (code, found) = reports(&verify(&stage, kafka, &connector, &["--json", "--deep"]));
        assert_eq!((code, faults(&found[0])), (1, [1, 0, 0, 1, 1]), "{}", found[0]);
        let named: Vec<&Value> = found[0]["findings"].as_array().unwrap().iter().collect();
        assert!(named.iter().any(|one| one["kind"] == "altered" && one["fragment_number"] == altered.as_str()));
        assert!(named.iter().any(|one| one["kind"] == "missing" && one["fragment_number"] == lost.as_str()));
    }
}

/// Whoever compares each hour by itself finds all that whoever compares the day does.
#[test]
fn what_is_missing_where_a_range_begins_is_missing() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("verify-ranges"));
    stage.add("door", &stage.recording(9, 3, 2_000), 1, Pace::Max);
    let connector = stage.connector(&["door"]);
    let mut worker = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    stage.expect_all(kafka, &["door"]);
    let mut records = read_records(kafka.bootstrap(), &stage.topic());
    records.drain(3..6);
    let planted = format!("{}-planted", stage.name);
    copy(kafka, &planted, &records);
    let copied = ConnectorFile::new("cameras", stage.simulator.url(), &["door"], &planted);
    let missing = |range: &[&str]| {
        let (code, found) = reports(&verify(&stage, kafka, &copied, &[&["--json"], range].concat()));
        let missing = found[0]["missing"].as_u64().unwrap();
        assert_eq!((code, found[0]["before_first"].as_u64()), (i32::from(missing > 0), Some(0)), "{}", found[0]);
        (missing, found[0]["findings"][0]["server_timestamp_ms"].as_i64())
    };
    let (all, first) = missing(&[]);
    let (before, from) = ((first.unwrap() - 1).to_string(), first.unwrap().to_string());
    assert_eq!((all, missing(&["--from", "0", "--to", &before]).0, missing(&["--from", &from]).0), (3, 0, 3));
}

#[test]
fn a_reason_that_the_connector_has_given_is_shown() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("verify-explained"));
    let file = stage.folder.path().join("large.mkv");
    let chunks = (0..6).flat_map(|index| chunk(index, 3, if index == 3 { 20_000 } else { 1_000 })).collect::<Vec<u8>>();
    std::fs::write(&file, chunks).unwrap();
    stage.add("door", &file, 1, Pace::Max);
    let letters = format!("{}-letters", stage.name);
    let connector = stage
        .connector(&["door"])
        .set("kvs.fragment.max.size.bytes", "30000")
        .set("errors.tolerance", "all")
        .set("errors.deadletterqueue.topic.name", &letters);
    let mut worker = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    stage.wait_all_published(kafka, &["door"]);
    let (code, found) = reports(&verify(&stage, kafka, &connector, &["--json"]));
    assert_eq!(
        (code, faults(&found[0]), &found[0]["missing_explained"]),
        (1, [1, 0, 0, 0, 0], &1.into()),
        "{}",
        found[0]
    );
    assert_eq!(found[0]["findings"][0]["reason"], "DEAD_LETTER");
    let output = verify(&stage, kafka, &connector, &["--allow-explained"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("1 (1 explained)"), "{}", text(&output.stdout));
}

#[test]
fn media_are_compared_wherever_they_are() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("verify-media"));
    stage.add("door", &stage.recording(4, 3, 20_000), 1, Pace::Max);
    let store = stage.folder.path().join("store");
    let modes: [(&str, Vec<(&str, String)>); 3] = [
        (
            "files",
            vec![
                ("payload.mode", "reference".to_owned()),
                ("payload.store.url", format!("file://{}", store.display())),
            ],
        ),
        (
            "parts",
            vec![
                ("payload.mode", "chunked".to_owned()),
                ("payload.chunk.topic", format!("{}-chunks", stage.name)),
                ("payload.chunk.max.bytes", "25000".to_owned()),
            ],
        ),
        ("nothing", vec![("payload.mode", "none".to_owned())]),
    ];
    let connectors: Vec<ConnectorFile> = modes
        .iter()
        .map(|(name, settings)| {
            let topic = format!("{}-{name}", stage.name);
            let file = ConnectorFile::new(name, stage.simulator.url(), &["door"], &topic);
            settings.iter().fold(file, |file, (key, value)| file.set(key, value))
        })
        .collect();
    let mut worker = kvs_harness::Connector::start(program(), &stage.worker(kafka), &connectors);
    worker.wait_healthy();
    let published = || {
        connectors.iter().all(|connector| {
            let (code, found) = reports(&verify(&stage, kafka, connector, &["--json"]));
            code == 0 && found[0]["records"] == 4
        })
    };
    kvs_harness::wait_for("all to be published", published);
    for (connector, compared) in connectors.iter().zip([4, 4, 0]) {
        let output = verify(&stage, kafka, connector, &["--json", "--deep"]);
        let (code, found) = reports(&output);
        assert_eq!(
            (code, faults(&found[0]), &found[0]["compared"]),
            (0, [0; 5], &compared.into()),
            "{}",
            text(&output.stderr)
        );
    }
    let file = std::fs::read_dir(store.join("door")).unwrap().next().unwrap().unwrap().path();
    let mut media = std::fs::read(&file).unwrap();
    media[30_000] ^= 1;
    std::fs::write(&file, media).unwrap();
    let (code, found) = reports(&verify(&stage, kafka, &connectors[0], &["--json", "--deep"]));
    assert_eq!((code, faults(&found[0])), (1, [0, 0, 0, 1, 0]), "{}", found[0]);
    std::fs::remove_file(&file).unwrap();
    let output = verify(&stage, kafka, &connectors[0], &["--deep"]);
    assert!(text(&output.stdout).contains("is altered"), "{}", text(&output.stdout));
}

#[test]
fn what_cannot_be_compared_is_said() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("verify-errors"));
    stage.add("door", &stage.recording(2, 3, 2_000), 1, Pace::Max);
    let refused = |connector: &ConnectorFile, more: &[&str], code: i32, said: &str| {
        let output = verify(&stage, kafka, connector, more);
        let errors = text(&output.stderr);
        assert!(output.status.code() == Some(code) && errors.contains(said), "{:?}: {errors}", output.status);
    };
    refused(&stage.connector(&["door"]), &[], 69, "the topic does not exist");
    refused(&stage.connector(&["door"]), &["--stream", "dor"], 64, "the connector has no such stream");
    refused(&stage.connector(&["door"]), &["--from", "yesterday"], 64, "yesterday");
    refused(&stage.connector(&["door"]).set("topic", "t-${track}"), &[], 78, "topic has ${track}");
    kafka.create_topic(&stage.topic(), 1, &[]);
    // Nothing has been published yet: all of the archive is still to come.
    let (code, found) = reports(&verify(&stage, kafka, &stage.connector(&["door"]), &["--json"]));
    assert_eq!((code, &found[0]["after_last"], &found[0]["records"]), (0, &2.into(), &0.into()), "{}", found[0]);
    refused(&stage.connector(&["none"]), &[], 69, "the archive of stream none");
    // One that is not there keeps none of the others from being compared.
    let output = verify(&stage, kafka, &stage.connector(&["door", "none"]), &["--json"]);
    let (code, found) = reports(&output);
    assert_eq!((code, found.len(), &found[0]["stream"]), (69, 1, &"door".into()), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("the archive of stream none"), "{}", text(&output.stderr));
}
