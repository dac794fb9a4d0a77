//! Readers that ask a schema registry, each as docs/RECORDS.md configures it: confluent-kafka and fastavro for Python,
//! Apicurio's deserializer for Java, a Kafka Connect sink, ClickHouse. All read the same topics.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use kvs_harness::connector::http_get;
use kvs_harness::kafka::free_port;
use kvs_harness::process::{Process, command};
use kvs_harness::topic::read_raw;
use kvs_harness::{Kafka, Registry, Turn, wait_for};
use serde_json::{Value, json};

use crate::registry_topics::{Topics, published};

/// Returns an example of docs/RECORDS.md in a language, by a text that it contains, with our addresses in it.
fn example(language: &str, text: &str) -> String {
    let docs = std::fs::read_to_string(here("docs/RECORDS.md")).unwrap();
    let begin = format!("```{language}\n");
    let blocks: Vec<&str> = docs.split(&begin).skip(1).filter_map(|block| block.split("```").next()).collect();
    let block = blocks.into_iter().find(|block| block.contains(text)).expect("an example");
    let block = replaced(block, "localhost:8081", Registry::shared().address());
    if block.contains("localhost:9092") {
        return replaced(&block, "localhost:9092", Kafka::shared().bootstrap());
    }
    block
}

/// Replaces a text that must be there.
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is missing in {text}");
    text.replace(from, to)
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Returns what `dev/sdks NAME` prints, which installs what is missing.
fn sdk(name: &str) -> String {
    let output = Command::new(here("dev/sdks")).arg(name).output().unwrap();
    assert!(output.status.success(), "{name} is not available: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn lines_of(mut reader: Command) -> Vec<String> {
    let output = reader.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{reader:?}: {out}\n{err}");
    out.lines().map(str::to_owned).collect()
}

/// Sorts printed rows by stream. Of frames, which the simulator does not list, there must be some. Of the notifications, that
/// of the deletion counts: how often a stream falls behind depends on the machine.
fn by_stream<'a>(lines: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, Vec<Value>> {
    let mut streams: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in lines {
        let mut row: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let fields = row.as_object_mut().unwrap();
        assert!(fields.remove("frames").is_none_or(|frames| frames.as_u64() > Some(0)), "{line}");
        let stream = row["stream_name"].as_str().unwrap().to_owned();
        if row["kind"].as_str().is_some_and(|kind| kind != "STREAM_DELETED") {
            continue;
        }
        streams.entry(stream).or_default().push(row);
    }
    streams
}

/// Compares what was read with what there is, stream by stream and row by row.
fn expect(read: &BTreeMap<String, Vec<Value>>, published: &BTreeMap<String, Vec<Value>>) {
    let counts = |streams: &BTreeMap<String, Vec<Value>>| -> Vec<(String, usize)> {
        streams.iter().map(|(stream, rows)| (stream.clone(), rows.len())).collect()
    };
    assert_eq!(counts(read), counts(published), "numbers of records");
    for (read, published) in read.values().flatten().zip(published.values().flatten()) {
        assert_eq!(read, published);
    }
}

#[test]
fn python_reads_keys_and_values_with_a_registry_and_by_hand() {
    let (_turn, published, folder) = (Turn::beside_others(), published(), tempfile::tempdir().unwrap());
    let Topics { fragments, metadata, notifications } = &published.topics;
    let (reading, by_hand) = (folder.path().join("example.py"), folder.path().join("by_hand.py"));
    std::fs::write(&by_hand, example("python", "schemas/ids")).unwrap();
    let read = |topic: &str, example: &str| {
        std::fs::write(&reading, replaced(example, "kvs.fragments", topic)).unwrap();
        let mut python = Command::new(sdk("registry-python"));
        python.arg(here("tests/readers/registry/read_topic.py")).args([&reading, &by_hand]);
        lines_of(python)
    };
    let of = |reader: &str, lines: &[String]| by_stream(lines.iter().filter_map(|line| line.strip_prefix(reader)));
    let with_registry = example("python", "AvroDeserializer");
    for topic in [fragments, metadata] {
        let lines = read(topic, &with_registry);
        expect(&of("confluent ", &lines), &published.rows(topic));
        expect(&of("fastavro ", &lines), &published.rows(topic));
    }
    let key = "deserializer(message.key(), SerializationContext(message.topic(), MessageField.KEY))";
    let lines = read(notifications, &replaced(&with_registry, key, "message.key().decode()"));
    expect(&of("confluent ", &lines), &published.notifications());
    expect(&of("fastavro ", &lines), &published.notifications());
}

#[test]
fn apicurios_deserializer_reads_keys_and_values() {
    let (_turn, published, folder) = (Turn::beside_others(), published(), tempfile::tempdir().unwrap());
    let Topics { fragments, metadata, notifications } = &published.topics;
    let file = folder.path().join("consumer.properties");
    let read = |settings: &str, topics: &[&String]| {
        std::fs::write(&file, settings).unwrap();
        let mut java = Command::new("java");
        java.args(["-XX:TieredStopAtLevel=1", "-cp", &format!("{}/*", sdk("registry-java"))]);
        java.arg(here("tests/readers/registry/ReadTopic.java")).arg(&file).args(topics);
        lines_of(java)
    };
    let settings = example("properties", "AvroKafkaDeserializer");
    let lines = read(&settings, &[fragments, metadata]);
    for topic in [fragments, metadata] {
        let of_topic = format!("\"topic\":\"{topic}\"");
        let lines = lines.iter().map(String::as_str).filter(|line| line.contains(&of_topic));
        expect(&by_stream(lines), &published.rows(topic));
    }
    let key = "key.deserializer=io.apicurio.registry.serde.avro.AvroKafkaDeserializer";
    let text = "key.deserializer=org.apache.kafka.common.serialization.StringDeserializer";
    let lines = read(&replaced(&settings, key, text), &[notifications]);
    expect(&by_stream(lines.iter().map(String::as_str)), &published.notifications());
}

/// A worker of Kafka Connect with the sink of docs/RECORDS.md, which leaves the media out.
#[test]
fn a_kafka_connect_sink_writes_fragments_without_their_media() {
    let (_turn, published, folder) = (Turn::beside_others(), published(), tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(path("plugins")).unwrap();
    std::os::unix::fs::symlink(sdk("registry-java"), path("plugins/registry")).unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let worker = format!(
        "bootstrap.servers={}\nlisteners=http://{address}\nplugin.path={}\noffset.storage.file.filename={}\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.storage.StringConverter\n",
        Kafka::shared().bootstrap(),
        path("plugins"),
        path("offsets"),
    );
    std::fs::write(path("worker.properties"), worker).unwrap();
    let topics = format!("{},{}", published.topics.fragments, published.topics.metadata);
    let sink = replaced(&example("properties", "FileStreamSink"), "kvs.fragments", &topics);
    let sink = replaced(&sink, "/tmp/fragments.txt", &path("lines"));
    // Times as numbers, which are easier to compare.
    let mut sink = replaced(&sink, "transforms=media\n", "transforms=media,server,producer\n");
    for time in ["server", "producer"] {
        let transform = format!("transforms.{time}.type=org.apache.kafka.connect.transforms.TimestampConverter$Value");
        sink += &format!("{transform}\ntransforms.{time}.field={time}_timestamp\ntransforms.{time}.target.type=unix\n");
    }
    std::fs::write(path("sink.properties"), sink).unwrap();
    let log = std::fs::File::create(path("log")).unwrap();
    let mut start = command(here("dev/kafka/kafka"));
    start.args(["tool", "org.apache.kafka.connect.cli.ConnectStandalone"]);
    start
        .args([path("worker.properties"), path("sink.properties")])
        .env("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1");
    let mut connect = Process::start({
        start.stdout(log.try_clone().unwrap()).stderr(log);
        start
    });

    let expected: usize = 2 * published.fragments.values().map(Vec::len).sum::<usize>();
    let lines = || std::fs::read_to_string(path("lines")).unwrap_or_default();
    wait_for("the sink to have written everything", || {
        let status = http_get(&address, "/connectors/fragments-to-file/status").unwrap_or_default().1;
        let failed = connect.exit_code().is_some() || status.contains("FAILED");
        assert!(!failed, "{status}: {}", std::fs::read_to_string(path("log")).unwrap());
        lines().lines().count() >= expected
    });
    let lines = lines();
    assert_eq!(lines.lines().count(), expected);
    assert!(!lines.contains("payload="), "{lines}");
    for row in published.fragments.values().flatten() {
        let text = |name: &str| row[name].to_string().replace('"', "");
        let begin = format!("Struct{{sequence={},stream_name={},", text("sequence"), text("stream_name"));
        let middle = format!(
            ",fragment_number={},server_timestamp={},producer_timestamp={},",
            text("fragment_number"),
            text("server_timestamp"),
            text("producer_timestamp")
        );
        let end = format!(",size_bytes={},payload_mode=inline}}", text("size_bytes"));
        let is_row = |line: &&str| line.starts_with(&begin) && line.contains(&middle) && line.ends_with(&end);
        // One of the fragments' topic, and one of the metadata's.
        assert_eq!(lines.lines().filter(is_row).count(), 2, "{row} in {lines}");
    }
}

#[test]
fn clickhouse_reads_columns_and_nested_ones() {
    let (_turn, published, folder) = (Turn::beside_others(), published(), tempfile::tempdir().unwrap());
    let dump = |topic: &str| {
        let file = folder.path().join(format!("{topic}.bin"));
        let values: Vec<u8> =
            read_raw(Kafka::shared().bootstrap(), topic).into_iter().flat_map(|(_, value)| value).collect();
        std::fs::write(&file, values).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let ask = |query: &str| {
        let mut clickhouse = Command::new(sdk("clickhouse"));
        clickhouse.env("TZ", "UTC");
        clickhouse.arg(here("tests/readers/clickhouse/query.py")).arg(query);
        lines_of(clickhouse)
    };
    let summary = example("sql", "AvroConfluent");
    let (_, settings) = summary.split_once("SETTINGS").unwrap();
    for (topic, media) in [(&published.topics.fragments, true), (&published.topics.metadata, false)] {
        let file = dump(topic);
        let sums = ask(&replaced(&summary, "metadata.bin", &file));
        let sums: Vec<Value> = sums.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(sums.len(), published.fragments.len());
        for (row, (stream, fragments)) in sums.iter().zip(&published.fragments) {
            let last = fragments.len() - 1;
            assert_eq!((&row["stream_name"], &row["fragments"]), (&json!(stream), &json!(fragments.len())), "{row}");
            assert_eq!(row["last_sequence"], json!(last), "{row}");
            assert_eq!(row["since"], json!(utc(&fragments[0]["producer_timestamp"])), "{row}");
            if stream != "reg-real" {
                // Three frames a fragment, of which the first is a key frame.
                let frames = json!(3 * fragments.len());
                assert_eq!((&row["frames"], &row["key_frames"]), (&frames, &json!(fragments.len())), "{row}");
            }
        }
        let hash = if media { "lower(hex(SHA256(payload))) AS payload_sha256," } else { "" };
        let rows = ask(&format!(
            "SELECT '{topic}' AS topic, fragment_number AS key, stream_name, fragment_number, sequence, size_bytes, {hash}
                 length(frames) AS frames, toUnixTimestamp64Milli(assumeNotNull(f.server_timestamp)) AS server_timestamp,
                 toUnixTimestamp64Milli(assumeNotNull(f.producer_timestamp)) AS producer_timestamp
             FROM file('{file}', AvroConfluent) AS f SETTINGS {settings}"
        ));
        expect(&by_stream(rows.iter().map(String::as_str)), &published.rows(topic));
    }
}

/// Returns milliseconds since 1970 as ClickHouse prints a time in UTC.
fn utc(millis: &Value) -> String {
    let millis = millis.as_u64().unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(millis);
    humantime::format_rfc3339_millis(time).to_string().replace('T', " ").replace('Z', "")
}
