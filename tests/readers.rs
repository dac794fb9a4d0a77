//! Values read by independent libraries: Avro's own for Java, and fastavro.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::reader::single_object::GenericSingleObjectReader;
use apache_avro::writer::datum::GenericDatumWriter;
use kvs_connect::kafka::{DataTopic, TopicFacts};
use kvs_connect::model::{
    KeyFormat, OffsetKey, Publication, Record, RecordTimestamp, VALUE_HEADROOM_BYTES, ValueFormat,
};
use kvs_connect::output::{
    FragmentOutput, Framing, MetadataOutput, Notification, NotificationOutput, Origin, Output, OutputTopic, RecordForm,
    TimestampPolicy, value_schemas,
};
use kvs_harness::topic::hex;
use kvs_mkv::{
    ChunkWriter, Colour, CompressionAlgorithm, ContentEncoding, ContentTransform, DisplayUnit, Event, Fragment,
    FrameData, LeadingTags, PixelCrop, Splitter, Timestamp, Track, TrackKind, TrailingTags, VideoSettings,
};
use sha2::{Digest, Sha256};

const NUMBER: &str = "91343852333181432392682062607743920146159169392";

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Returns the output of `dev/sdks NAME`, which installs what is missing.
fn sdk(name: &str) -> String {
    let output = Command::new(here("dev/sdks")).arg(name).output().expect("dev/sdks can be run");
    assert!(output.status.success(), "{name} is not available: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn run(mut command: Command, arguments: &[&str]) -> Vec<String> {
    let output = command.args(arguments).output().expect("the reader can be run");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {out}\n{err}");
    out.lines().map(str::to_owned).collect()
}

fn java(arguments: &[&str]) -> Vec<String> {
    let mut command = Command::new("java");
    command.args(["-cp", &format!("{}/*", sdk("avro-java"))]).arg(here("tests/readers/java/ReadValues.java"));
    run(command, arguments)
}

fn python(arguments: &[&str]) -> Vec<String> {
    let mut command = Command::new(sdk("avro-python"));
    command.arg(here("tests/readers/python/read_values.py"));
    run(command, arguments)
}

/// The example in docs/RECORDS.md in this language that contains a text.
fn example(language: &str, text: &str) -> String {
    let docs = std::fs::read_to_string(here("docs/RECORDS.md")).unwrap();
    let begin = format!("```{language}\n");
    let blocks = docs.split(&begin).skip(1).filter_map(|block| block.split("```").next());
    blocks.map(str::trim).find(|block| block.contains(text)).expect("an example").to_owned()
}

fn fragment() -> Fragment {
    let mut track = Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC");
    track.codec_private = Some(vec![1, 2, 3]);
    let mut video = VideoSettings::new(640, 480);
    video.display_width = Some(16);
    video.display_height = Some(9);
    video.display_unit = DisplayUnit::AspectRatio;
    video.crop = Some(PixelCrop::default());
    video.interlaced = Some(false);
    video.colour = Some(Colour::default());
    track.video = Some(video);
    track.codec_delay_ns = Some(6_500_000);
    let stripping =
        ContentTransform::Compression { algorithm: CompressionAlgorithm::HeaderStripping, settings: vec![0; 4] };
    track.content_encodings = vec![ContentEncoding::of_frames(stripping)];
    let frames = [FrameData { track: 1, timestamp_ns: 33_000_000, key: true, data: &[7; 5000] }];
    let leading = LeadingTags {
        number: NUMBER.parse().unwrap(),
        server_timestamp: Timestamp::from_millis(1_511_852_109_126),
        producer_timestamp: Timestamp::from_millis(1_511_852_108_000),
    };
    let trailing = TrailingTags { millis_behind_now: 3, continuation_token: "token".to_owned() };
    let bytes = ChunkWriter::new("tests").chunk(&[track], &[("place", "Tür")], &leading, 0, &frames, &trailing);
    match Splitter::default().with_headroom(VALUE_HEADROOM_BYTES).push(&mut bytes.as_slice()) {
        Ok(Some(Event::Fragment(fragment))) => fragment,
        other => panic!("{other:?}"),
    }
}

/// Returns a fragment's record as published, completed like by the shard's owner.
fn published(sequence: i64) -> Record {
    complete(sequence, |timestamps| {
        Box::new(
            FragmentOutput::new(
                topic("t"),
                (RecordForm::with_keys(KeyFormat::Avro), Framing::SingleObject),
                timestamps,
            )
            .unwrap(),
        )
    })
}

/// Its metadata.
fn metadata(format: ValueFormat, sequence: i64) -> Record {
    complete(sequence, |timestamps| {
        Box::new(
            MetadataOutput::new(
                topic("m"),
                (RecordForm::with_keys(KeyFormat::Avro), Framing::SingleObject),
                format,
                timestamps,
            )
            .unwrap(),
        )
    })
}

fn complete(sequence: i64, output: impl Fn(TimestampPolicy) -> Box<dyn Output>) -> Record {
    let key = Arc::new(OffsetKey { connector: "c".to_owned(), stream: "door".to_owned() });
    let timestamps = TimestampPolicy {
        wanted: RecordTimestamp::Ingest,
        retention_ms: None,
        before_max_ms: i64::MAX,
        after_max_ms: i64::MAX,
    };
    let output = output(timestamps);
    let origin = Origin { discontinuity: true, ..Origin::new(&key, "door", 9) };
    let mut publication = Publication::of_notifications(Arc::clone(&key), Vec::new());
    output.project(&origin, 0, &mut fragment(), "video/webm", &mut publication).unwrap();
    publication.set_sequence(Some(sequence));
    publication.records.remove(0)
}

fn topic(name: &str) -> OutputTopic {
    OutputTopic::new(name, Arc::new(DataTopic::new(name, 1)), &TopicFacts::default())
}

fn notification() -> Record {
    let output = NotificationOutput::new(topic("n"), Framing::SingleObject, ValueFormat::Avro).unwrap();
    let key = Arc::new(OffsetKey { connector: "c".to_owned(), stream: "door".to_owned() });
    let (stream_name, now_ms) = ("door", 1_700_000_000_123);
    let origin = Origin::new(&key, stream_name, now_ms);
    let numbers = [NUMBER.parse().unwrap()];
    let missing = Notification::FragmentsMissing { numbers: &numbers, bounds: false };
    output.notify(&origin, &missing).unwrap().unwrap()
}

/// Reads a value with both; returns what each printed.
fn read(schema: &str, value: &[u8]) -> [Vec<String>; 2] {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("value");
    std::fs::write(&file, value).unwrap();
    let schema = here(&format!("schemas/{schema}"));
    let arguments = [schema.to_str().unwrap(), file.to_str().unwrap()];
    [java(&arguments), python(&arguments)]
}

fn expect(printed: &[String], lines: &[&str]) {
    for line in lines {
        assert!(printed.iter().any(|printed| printed == line), "{line:?} is missing in {printed:#?}");
    }
}

#[test]
fn java_and_python_resolve_the_fingerprint_of_a_fragment() {
    let payload = format!("payload {}", hex(&Sha256::digest(&*fragment().payload)));
    for sequence in [0, 300, i64::from(i32::MAX) + 1] {
        let record = published(sequence);
        let counted = format!("sequence {sequence}");
        for printed in read("fragment.avsc", record.value.as_deref().unwrap()) {
            let number = format!("fragment_number {NUMBER}");
            expect(&printed, &[&counted, "stream_name door", &number, "content_type video/webm", "frames 1 items"]);
            expect(&printed, &["stream_arn null", "millis_behind_now 3", &payload]);
            expect(
                &printed,
                &["track media_type video/H264", "track display_unit aspect_ratio", "track interlaced false"],
            );
            expect(
                &printed,
                &["track codec_delay_ns 6500000", "track bit_depth null", "track content_encodings 1 items"],
            );
            // Python writes true in another way, and reads a logical type.
            let printed: Vec<String> = printed.iter().map(|line| line.to_lowercase()).collect();
            expect(&printed, &["random_access true", "discontinuity true"]);
            let times = ["1511852108000000", "2017-11-28 06:55:08+00:00"];
            assert!(times.iter().any(|time| printed.contains(&format!("first_frame_utc {time}"))), "{printed:#?}");
            assert!(times.iter().any(|time| printed.contains(&format!("last_frame_utc {time}"))), "{printed:#?}");
        }
    }
}

#[test]
fn java_and_python_resolve_the_fingerprint_of_a_key() {
    for printed in read("fragment-key.avsc", &published(0).key) {
        expect(&printed, &[&format!("value {NUMBER}")]);
    }
}

#[test]
fn java_and_python_resolve_the_fingerprint_of_metadata() {
    let number = format!("fragment_number {NUMBER}");
    for printed in read("metadata.avsc", metadata(ValueFormat::Avro, 300).value.as_deref().unwrap()) {
        expect(
            &printed,
            &["sequence 300", "stream_name door", &number, "frames 1 items", "tags 1 items", "payload_mode inline"],
        );
        assert!(!printed.iter().any(|line| line.starts_with("payload ")), "{printed:?}");
    }
}

/// The query of docs/RECORDS.md, over a file with a value a line, as kcat or `tail` write it.
#[test]
fn duckdb_reads_metadata_as_json() {
    let query = example("sql", "read_json");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metadata.json");
    let lines: Vec<u8> = (0..3)
        .flat_map(|sequence| {
            let mut line = metadata(ValueFormat::Json, sequence).value.unwrap().to_vec();
            line.push(b'\n');
            line
        })
        .collect();
    std::fs::write(&file, lines).unwrap();
    assert!(query.contains("'metadata.json'"), "{query}");
    let query = query.replace("metadata.json", file.to_str().unwrap());
    // Stream, fragments, frames of the media, the producer's first time.
    assert_eq!(python(&["query", &query]), ["door 3 3 2017-11-28 06:55:08"]);
}

/// The time of a frame, as docs/RECORDS.md computes it: 33 ms by the cluster's clock is the producer's time.
#[test]
fn duckdb_computes_when_a_frame_was_taken() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metadata.json");
    std::fs::write(&file, &*metadata(ValueFormat::Json, 0).value.unwrap()).unwrap();
    let query = example("sql", "unnest(frames)").replace("metadata.json", file.to_str().unwrap());
    assert_eq!(python(&["query", &query]), [format!("door {NUMBER} 2017-11-28 06:55:08")]);
}

/// The bit rate of each second, as docs/RECORDS.md computes it. What such records contain is tested end to end.
#[test]
fn duckdb_computes_the_bit_rate_of_frames_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("frames.json");
    let begin = 1_511_852_108_000_000_u64;
    let frame = |index: u64| format!(r#"{{"stream_name":"door","utc":{},"size_bytes":100}}"#, begin + index * 400_000);
    std::fs::write(&file, (0..5).map(frame).collect::<Vec<_>>().join("\n")).unwrap();
    let query = example("sql", "frames.json").replace("frames.json", file.to_str().unwrap());
    let expected = ["door 2017-11-28 06:55:08 2400", "door 2017-11-28 06:55:09 1600"];
    assert_eq!(python(&["query", &query]), expected);
}

#[test]
fn java_and_python_resolve_the_fingerprint_of_a_notification() {
    for printed in read("notification.avsc", notification().value.as_deref().unwrap()) {
        expect(&printed, &["kind FRAGMENTS_MISSING", "connector c", "fragments_missing 1", "fragment_numbers 1 items"]);
    }
}

/// Returns a fragment's value as the earlier version wrote it: with the fields that its schema has.
fn as_written_before(record: &Record, fingerprint: &str) -> Vec<u8> {
    let (header, schema) = value_schemas().unwrap().swap_remove(0);
    let reader = GenericSingleObjectReader::builder().schema(schema).header(header).build().unwrap();
    let value = reader.read_value(&mut record.value.as_deref().unwrap()).unwrap();
    let earlier = std::fs::read_to_string(here(&format!("schemas/earlier/fragment-{fingerprint}.avsc"))).unwrap();
    let schema = Schema::parse_str(&earlier).unwrap();
    let value = value.resolve(&schema).unwrap();
    let mut bytes = vec![0xC3, 0x01];
    bytes.extend((0..8).map(|byte| u8::from_str_radix(&fingerprint[2 * byte..2 * byte + 2], 16).unwrap()));
    GenericDatumWriter::builder(&schema).build().unwrap().write_value(&mut bytes, value).unwrap();
    bytes
}

/// Read with the schema and the fingerprint of that version, as docs/RECORDS.md says.
#[test]
fn java_reads_what_earlier_versions_wrote() {
    const FINGERPRINT: &str = "4f4a67913c2b6703";
    let earlier = as_written_before(&published(5), FINGERPRINT);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("value");
    std::fs::write(&file, earlier).unwrap();
    let (schema, before) =
        (here("schemas/fragment.avsc"), here(&format!("schemas/earlier/fragment-{FINGERPRINT}.avsc")));
    let printed = java(&[schema.to_str().unwrap(), file.to_str().unwrap(), before.to_str().unwrap(), FINGERPRINT]);
    expect(&printed, &["sequence null", "stream_name door", &format!("fragment_number {NUMBER}")]);
    // What that version did not know.
    expect(&printed, &["random_access false", "discontinuity false", "first_frame_utc null", "last_frame_utc null"]);
}

/// The ways to order numbers in docs/RECORDS.md, in the databases and the language that they are for.
#[test]
fn numbers_are_ordered_as_the_documentation_says() {
    let numbers =
        ["100", "91343852333181432392682062607743920146159169392", "99", "9", "1000000000000000000000000000000"];
    let ordered = "9 99 100 1000000000000000000000000000000 91343852333181432392682062607743920146159169392";
    let query = example("sql", "ORDER BY length");
    let asked: Vec<&str> = ["order", &query].into_iter().chain(numbers).collect();
    // DuckDB, then SQLite.
    assert_eq!(python(&asked), [ordered, ordered], "{query}");
    let source = std::fs::read_to_string(here("tests/readers/java/ReadValues.java")).unwrap();
    let comparator = example("java", "Comparator");
    assert!(source.contains(&comparator), "{comparator}");
    let asked: Vec<&str> = ["order"].into_iter().chain(numbers).collect();
    assert_eq!(java(&asked), [ordered]);
}
