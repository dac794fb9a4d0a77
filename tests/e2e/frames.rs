//! The topic of the frames: a record for each frame, in the transaction of its fragment, as decoders take them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use kvs_harness::topic::read_raw;
use kvs_harness::{Kafka, Turn, wait_for};
use kvs_simulator::Pace;

use crate::stage::{Stage, program};

/// The header of a single object: Avro's marker and the schema's fingerprint.
const HEADER_BYTES: usize = 10;

/// The fields of a record.
pub struct Fields(Vec<(String, Value)>);

impl Fields {
    pub fn get(&self, name: &str) -> &Value {
        let (_, value) = self.0.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name}"));
        if let Value::Union(_, inner) = value { inner } else { value }
    }

    pub fn long(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Value::Long(number) | Value::TimestampMicros(number) => Some(*number),
            Value::Null => None,
            other => panic!("{name}: {other:?}"),
        }
    }

    pub fn text(&self, name: &str) -> &str {
        if let Value::String(text) = self.get(name) { text } else { panic!("{name}: {:?}", self.get(name)) }
    }

    pub fn bytes(&self, name: &str) -> &[u8] {
        if let Value::Bytes(bytes) = self.get(name) { bytes } else { &[] }
    }

    pub fn is(&self, name: &str) -> bool {
        *self.get(name) == Value::Boolean(true)
    }
}

/// Returns the records of a topic by stream, in order.
fn read(kafka: &Kafka, topic: &str, schema: &str) -> BTreeMap<String, Vec<Fields>> {
    let schema = Schema::parse_str(schema).unwrap();
    let mut streams: BTreeMap<String, Vec<Fields>> = BTreeMap::new();
    for (_, value) in read_raw(kafka.bootstrap(), topic) {
        let mut bytes = &value[HEADER_BYTES..];
        let Value::Record(fields) =
            GenericDatumReader::builder(&schema).build().unwrap().read_value(&mut bytes).unwrap()
        else {
            panic!("no record")
        };
        let fields = Fields(fields);
        streams.entry(fields.text("stream_name").to_owned()).or_default().push(fields);
    }
    streams
}

pub fn read_frames(kafka: &Kafka, topic: &str) -> BTreeMap<String, Vec<Fields>> {
    read(kafka, topic, include_str!("../../schemas/frame.avsc"))
}

pub fn read_fragments(kafka: &Kafka, topic: &str) -> BTreeMap<String, Vec<Fields>> {
    read(kafka, topic, include_str!("../../schemas/fragment.avsc"))
}

/// Each record names the one before it, and none is missing.
pub fn expect_chain(frames: &[Fields], stream: &str) {
    let mut before: Option<i64> = None;
    for frame in frames {
        assert_eq!(frame.long("previous_sequence"), before, "{stream}");
        before = frame.long("sequence");
    }
}

/// Sequence, index, track.
fn places(frames: &[Fields]) -> Vec<(i64, i64, i64)> {
    let must = |frame: &Fields, name: &str| frame.long(name).unwrap();
    frames.iter().map(|frame| (must(frame, "sequence"), must(frame, "frame_index"), must(frame, "track"))).collect()
}

/// The frames that the index of the fragments lists, all or those that a decoder can begin with.
fn listed(fragments: &[Fields], only_key: bool) -> Vec<(i64, i64, i64)> {
    let of_fragment = |fragment: &Fields| {
        let Value::Array(frames) = fragment.get("frames") else { panic!("no frames") };
        let sequence = fragment.long("sequence").unwrap();
        let rows = frames.iter().enumerate().filter_map(move |(index, frame)| {
            let Value::Record(fields) = frame else { panic!("no frame") };
            let frame = Fields(fields.clone());
            let chosen = !only_key || frame.is("key");
            chosen.then(|| (sequence, i64::try_from(index).unwrap(), frame.long("track").unwrap()))
        });
        rows.collect::<Vec<_>>()
    };
    fragments.iter().flat_map(of_fragment).collect()
}

#[test]
fn a_fragment_is_published_with_all_its_frames_or_not_at_all() {
    const FRAGMENTS: usize = 300;
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("frames", 2));
    let file = stage.recording(FRAGMENTS, 5, 2_000);
    for stream in ["a", "b"] {
        stage.add(stream, &file, 1, Pace::FragmentsPerSecond(40.0));
    }
    let (frames, sampled) = (format!("{}-frames", stage.name), format!("{}-sampled", stage.name));
    // The generated media are no H.264.
    let connector = stage.connector(&["a", "b"]).set("frames.topic", &frames).set("frames.format", "mkv");
    let settings = stage.worker(kafka).set("session.timeout.ms", "1500");
    let mut worker = stage.start(&settings, &connector);
    worker.wait_healthy();
    // The same streams once more: what is chosen does not depend on crashes.
    let mut other = stage.connector(&["a", "b"]).set("frames.topic", &sampled).set("frames.sample", "every:7");
    other = other.set("frames.format", "mkv").set("topic", &format!("{}-other", stage.name)).set("name", "other");
    let (code, answer) = worker.rest("PUT", "/connectors/other/config", Some(&other.config.clone().into()));
    assert_eq!(code, 201, "{answer}");
    for _ in 0..3 {
        // Counted by each process anew.
        wait_for("fragments", || worker.metric("kvs_connect_fragments_total") > 40.0);
        worker.kill();
        worker.restart(program());
    }
    wait_for("the files", || ["a", "b"].iter().all(|stream| stage.held(stream).len() == FRAGMENTS));
    stage.expect_all(kafka, &["a", "b"]);
    let (of_fragments, of_frames) = (read_fragments(kafka, &stage.topic()), read_frames(kafka, &frames));
    for stream in ["a", "b"] {
        assert_eq!(of_fragments[stream].len(), FRAGMENTS);
        assert!(places(&of_frames[stream]) == listed(&of_fragments[stream], false), "{stream}: the frames differ");
        expect_chain(&of_frames[stream], stream);
        let discontinuities = of_frames[stream].iter().filter(|frame| frame.is("discontinuity")).count();
        assert_eq!(discontinuities, 1, "{stream}");
    }
    let expected = |stream: &str| listed(&of_fragments[stream], false).into_iter().step_by(7).collect::<Vec<_>>();
    wait_for("the other connector", || {
        let frames = read_frames(kafka, &sampled);
        ["a", "b"].iter().all(|stream| frames.get(*stream).is_some_and(|all| all.len() == expected(stream).len()))
    });
    for (stream, all) in read_frames(kafka, &sampled) {
        assert!(places(&all) == expected(&stream), "{stream}: other frames were chosen");
        expect_chain(&all, &stream);
    }
}

/// Returns PyAV's interpreter.
fn python() -> PathBuf {
    let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("dev/sdks")).arg("av").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// Has PyAV decode frames of a stream, and compare with what it decodes of the fragments, one after the other in a file.
fn compared(fragments: &[Fields], frames: &[Fields]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let [truth, list_file, data_file] = ["truth.mkv", "list", "data"].map(|name| folder.path().join(name));
    std::fs::write(&truth, fragments.iter().flat_map(|one| one.bytes("payload").to_vec()).collect::<Vec<u8>>())
        .unwrap();
    let (mut list, mut data) = (String::new(), Vec::new());
    let mut configs: BTreeMap<i64, String> = BTreeMap::new();
    for frame in frames {
        let track = frame.long("track").unwrap();
        if !frame.bytes("config").is_empty() {
            let config = frame.bytes("config").iter().map(|byte| format!("{byte:02x}")).collect();
            configs.insert(track, config);
        }
        let config = configs.get(&track).map_or("-", String::as_str);
        let (codec, format, key) = (frame.text("codec"), frame.text("format"), frame.is("key"));
        let (pts_ns, size_bytes) = (frame.long("pts_ns").unwrap(), frame.bytes("data").len());
        writeln!(list, "{track}\t{}\t{codec}\t{format}\t{key}\t{pts_ns}\t{size_bytes}\t{config}", track - 1).unwrap();
        data.extend(frame.bytes("data"));
    }
    std::fs::write(&list_file, list).unwrap();
    std::fs::write(&data_file, data).unwrap();
    let lines = run("kvs-frames/tests/python/compare.py", &[&truth, &list_file, &data_file]);
    // The example of docs/RECORDS.md decodes them, too, and knows when each was taken.
    if lines == ["1 h264 annexb 300 pictures"] {
        let example = folder.path().join("example.py");
        std::fs::write(&example, documented("def pictures(frames)")).unwrap();
        let pictures: usize =
            run("tests/readers/frames_example.py", &[&example, &list_file, &data_file])[0].parse().unwrap();
        assert_eq!(pictures, 300);
    }
    lines
}

/// Runs a script with PyAV's interpreter and returns the lines that it prints.
fn run(script: &str, arguments: &[&PathBuf]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
    let output = Command::new(python()).arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Returns the example in Python of docs/RECORDS.md that contains a text.
fn documented(text: &str) -> String {
    let docs = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/RECORDS.md")).unwrap();
    let blocks = docs.split("```python\n").skip(1).filter_map(|block| block.split("```").next());
    blocks.map(str::to_owned).find(|block| block.contains(text)).expect("an example")
}

/// Stream, file, what PyAV decodes of it, per track, with the form of the frames.
const FILES: [(&str, &str, &str, &[&str]); 5] = [
    ("get-media", "output_get_media.mkv", "annexb", &["1 h264 annexb 300 pictures"]),
    ("renderer", "kinesis_video_renderer_example_output.mkv", "annexb", &["1 h264 annexb 444 pictures"]),
    ("as-stored", "output_get_media.mkv", "mkv", &["1 h264 mkv 300 pictures"]),
    ("b-frames", "../odd/h264-bframes.mkv", "annexb", &["1 h264 annexb 40 pictures", "2 aac mkv 64 packets"]),
    ("two-tracks", "connect_shape_3frag.mkv", "annexb", &["1 pcm_s16le mkv 48 packets", "2 pcm_s16le mkv 48 packets"]),
];

#[test]
fn every_picture_and_sample_of_real_media_is_decoded_from_the_frames() {
    let Some(folder) = std::env::var_os("KVS_RECORDINGS").filter(|folder| !folder.is_empty()) else {
        println!("SKIPPED: KVS_RECORDINGS is not set, so there are no recordings to send");
        return;
    };
    let (_turn, kafka, stage) = (Turn::beside_others(), Kafka::shared(), Stage::with_shards("frames-decoded", 2));
    for (stream, file, ..) in FILES {
        stage.add(stream, &Path::new(&folder).join(file), 1, Pace::Max);
    }
    let mut worker = crate::rest::bare(&stage, kafka);
    for format in ["annexb", "mkv"] {
        let streams: Vec<&str> = FILES.iter().filter(|file| file.2 == format).map(|file| file.0).collect();
        let topic = |kind: &str| format!("{}-{format}-{kind}", stage.name);
        let connector = stage
            .connector(&streams)
            .set("topic", &topic("fragments"))
            .set("frames.topic", &topic("frames"))
            .set("frames.format", format);
        let path = format!("/connectors/{format}/config");
        let (code, answer) = worker.rest("PUT", &path, Some(&connector.config.into()));
        assert_eq!(code, 201, "{answer}");
        for (stream, .., expected) in FILES.iter().filter(|file| file.2 == format) {
            let whole = stage.held(stream).len();
            let fragments = || {
                let is_there = kvs_harness::topic::exists(kafka.bootstrap(), &topic("fragments"));
                is_there
                    .then(|| read_fragments(kafka, &topic("fragments")).remove(*stream))
                    .flatten()
                    .unwrap_or_default()
            };
            wait_for("all fragments", || stage.held(stream).len() == whole && fragments().len() == whole);
            let (fragments, frames) = (fragments(), read_frames(kafka, &topic("frames")).remove(*stream).unwrap());
            assert!(places(&frames) == listed(&fragments, false), "{stream}: the frames differ");
            let compared = compared(&fragments, &frames);
            assert_eq!(compared.len(), expected.len(), "{stream}: {compared:?}");
            for (found, expected) in compared.iter().zip(*expected) {
                assert!(found.starts_with(expected), "{stream}: {found}");
            }
            if *stream == "two-tracks" {
                let media_types = frames.iter().map(|frame| frame.text("media_type").to_owned());
                assert!(
                    media_types.clone().all(|one| one.starts_with("audio/L16")),
                    "{:?}",
                    media_types.collect::<Vec<_>>()
                );
                assert!(frames.iter().any(|frame| frame.text("track_name") == "AUDIO_FROM_CUSTOMER"));
            }
        }
    }
    // `tail` shows them, too.
    let servers = format!("bootstrap.servers={}", kafka.bootstrap());
    let topic = format!("{}-annexb-frames", stage.name);
    let tail = Command::new(program())
        .args(["tail", "--from", "beginning", "--until-end", "--topic", &topic, "--set", &servers])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&tail.stdout);
    let first = "get-media  0#0  track 1  h264 annexb  ";
    assert!(tail.status.success() && shown.contains(first), "{shown}{}", String::from_utf8_lossy(&tail.stderr));
    assert_eq!(worker.terminate().0, 0);
}

/// A choice of tracks and of key frames, through the registry's framing.
#[test]
fn tracks_and_key_frames_are_chosen_and_bad_choices_are_refused_by_name() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("frames-chosen", 2));
    stage.add("a", &stage.recording(30, 5, 500), 1, Pace::Max);
    let worker = crate::rest::bare(&stage, kafka);
    let mut settings = crate::rest::config(&stage, &["a"]);
    settings["frames.topic"] = format!("{}-frames", stage.name).into();
    for (key, value, reason) in [
        ("frames.sample", "sometimes", "expected is all, key, every:N, interval:2s"),
        ("frames.sample", "interval:5", "a duration with its unit"),
        ("frames.format", "mp4", "one of annexb, mkv was expected"),
        ("frames.topic", "a b", "is not a topic name"),
    ] {
        let mut wrong = settings.clone();
        wrong[key] = value.into();
        let (code, answer) = worker.rest("PUT", "/connectors/cameras/config", Some(&wrong));
        assert!(code == 400 && answer["message"].to_string().contains(reason), "{key}={value}: {answer}");
    }
    settings["frames.sample"] = "key".into();
    // The generated media are no H.264, which is said by name.
    let (code, answer) = worker.rest("PUT", "/connectors/cameras/config", Some(&settings));
    assert_eq!(code, 201, "{answer}");
    let trace = || worker.rest("GET", "/connectors/cameras/status", None).1["tasks"][0]["trace"].to_string();
    wait_for("the failure", || {
        trace().contains("the NAL unit at byte 0 needs") && trace().contains("frames.format=mkv")
    });
    let says_published = || worker.log().contains("the connector publishes its first fragment of the stream");
    assert!(!says_published(), "nothing has been published");
    settings["frames.format"] = "mkv".into();
    settings["frames.tracks"] = "video".into();
    let (code, answer) = worker.rest("PUT", "/connectors/cameras/config", Some(&settings));
    assert_eq!(code, 200, "{answer}");
    stage.expect_all(kafka, &["a"]);
    assert!(says_published());
    let fragments = read_fragments(kafka, &stage.topic()).remove("a").unwrap();
    let frames = read_frames(kafka, &format!("{}-frames", stage.name)).remove("a").unwrap();
    let expected = listed(&fragments, true);
    assert!(!expected.is_empty() && places(&frames) == expected, "{:?}", places(&frames));
    expect_chain(&frames, "a");
}
