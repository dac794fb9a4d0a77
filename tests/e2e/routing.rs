//! Where records go: topics by template, keys, partitions, headers, tracks, and what is skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use kvs_harness::topic::{RawRecord, exists, read_records};
use kvs_harness::{Connector, Kafka, Turn, wait_for};
use kvs_mkv::{ChunkWriter, Event, FrameData, LeadingTags, Splitter, Timestamp, Track, TrackKind, TrailingTags};
use kvs_simulator::{Fault, FaultKind, Pace};
use serde_json::{Value, json};

use crate::frames::{expect_chain, read_frames};
use crate::rest::{bare, config};
use crate::stage::{Stage, program};

/// Two channels of a call.
fn channels() -> Vec<Track> {
    let track = |number, name: &str| {
        let mut track = Track::new(number, TrackKind::Audio, "A_PCM/INT/LIT");
        track.name = Some(name.to_owned());
        track
    };
    vec![track(1, "FROM"), track(2, "TO")]
}

/// The tags of a fragment, and how many frames it has.
type Planned<'a> = (Vec<(&'a str, &'a str)>, usize);

/// Writes a recording with these tags for each fragment and this many frames in it, half of each track.
fn recording(stage: &Stage, name: &str, fragments: &[Planned<'_>]) -> PathBuf {
    recording_with(stage, name, fragments, None)
}

/// Writes such a recording in which the frames of one fragment, if there is one with this index, have 13.2 MB each: together 66 MB.
fn recording_with(stage: &Stage, name: &str, fragments: &[Planned<'_>], large: Option<usize>) -> PathBuf {
    let file = stage.folder.path().join(format!("{name}.mkv"));
    let tracks = channels();
    let chunk = |(index, (tags, frames)): (usize, &Planned<'_>)| {
        let data = vec![index as u8; if large == Some(index) { 13_200_000 } else { 100 }];
        let frame = |frame: usize| FrameData {
            track: 1 + (frame % 2) as u64,
            timestamp_ns: index as i64 * 1_000_000_000 + frame as i64 * 1_000_000,
            key: true,
            data: &data,
        };
        let number = format!("9134385233318143239268206260774392014{index:010}");
        let leading = LeadingTags {
            number: number.parse().unwrap(),
            server_timestamp: Timestamp::from_millis(1_700_000_000_000 + index as i64 * 1_000),
            producer_timestamp: Timestamp::from_millis(1_700_000_000_000 + index as i64 * 1_000),
        };
        let frames: Vec<FrameData<'_>> = (0..*frames).map(frame).collect();
        let trailing = TrailingTags { millis_behind_now: 0, continuation_token: number };
        ChunkWriter::new("tests").chunk(&tracks, tags, &leading, index as i64 * 1_000_000_000, &frames, &trailing)
    };
    std::fs::write(&file, fragments.iter().enumerate().flat_map(chunk).collect::<Vec<u8>>()).unwrap();
    file
}

fn records(kafka: &Kafka, topic: &str) -> Vec<RawRecord> {
    read_records(kafka.bootstrap(), topic)
}

fn numbers(records: &[RawRecord], stream: &str) -> Vec<String> {
    let of_stream = records.iter().filter(|record| record.header("kvs.stream").as_deref() == Some(stream));
    of_stream.map(|record| record.header("kvs.fragment.number").unwrap()).collect()
}

fn status(worker: &Connector, task: usize) -> Value {
    worker.rest("GET", "/connectors/cameras/status", None).1["tasks"][task].clone()
}

fn put(worker: &Connector, settings: &Value) {
    let (code, answer) = worker.rest("PUT", "/connectors/cameras/config", Some(settings));
    assert!(matches!(code, 200 | 201), "{answer}");
}

#[test]
fn fragments_go_where_their_tags_lead_and_dead_letters_take_the_rest_through_kills() {
    /// Of the recording, which is repeated until the test has seen what it waits for.
    const FRAGMENTS: usize = 240;
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("routing", 2));
    let site = |index: usize| match index % FRAGMENTS {
        index if index % 29 == 7 => Some("../x"),
        index if index % 31 == 9 => None,
        index if index % 3 == 0 => Some("paris"),
        _ => Some("berlin"),
    };
    let tags = |index| site(index).map(|site| ("site", site)).into_iter().collect();
    let fragments: Vec<_> = (0..FRAGMENTS).map(|index| (tags(index), 6)).collect();
    let file = recording(&stage, "sites", &fragments);
    for stream in ["a", "b"] {
        stage.add_live(stream, &file, 40.0);
    }
    let name = |rest: &str| format!("{}-{rest}", stage.name);
    let connector = stage
        .connector(&["a", "b"])
        .set("topic", &name("site.${tag:site}"))
        .set("metadata.topic", &name("metadata.${connector}"))
        .set("value.format", "json")
        .set("frames.topic", &name("frames.${track}"))
        .set("frames.format", "mkv")
        .set("errors.tolerance", "all")
        .set("errors.deadletterqueue.topic.name", &name("dead"));
    let settings = stage.worker(kafka).set("session.timeout.ms", "1500");
    let mut worker = stage.start(&settings, &connector);
    worker.wait_healthy();
    for _ in 0..3 {
        // Counted by each process anew.
        wait_for("fragments", || worker.metric("kvs_connect_fragments_total") > 20.0);
        worker.kill();
        worker.restart(program());
    }
    worker.wait_healthy();
    // What a killed worker has written to is listed if it lived to report it: the last one writes to all of them.
    let topics = || worker.rest("GET", "/connectors/cameras/topics", None).1["cameras"]["topics"].to_string();
    let all = ["site.paris", "site.berlin", "metadata.cameras", "frames.FROM", "frames.TO", "dead"].map(name);
    wait_for("all topics to be listed", || all.iter().all(|topic| topics().contains(topic.as_str())));
    assert!(["a", "b"].iter().all(|stream| stage.simulator.end_playback(stream)));
    stage.wait_all_published(kafka, &["a", "b"]);
    let (paris, berlin, dead) =
        (records(kafka, &name("site.paris")), records(kafka, &name("site.berlin")), records(kafka, &name("dead")));
    let metadata: Vec<(RawRecord, Value)> = records(kafka, &name("metadata.cameras"))
        .into_iter()
        .map(|record| (record.clone(), serde_json::from_slice(&record.value).unwrap()))
        .collect();
    for stream in ["a", "b"] {
        let held: Vec<String> = stage.held(stream).into_iter().map(|(number, _)| number).collect();
        let of = |wanted: &dyn Fn(usize) -> bool| -> Vec<String> {
            held.iter().enumerate().filter(|(index, _)| wanted(*index)).map(|(_, number)| number.clone()).collect()
        };
        assert_eq!(numbers(&paris, stream), of(&|index| site(index) == Some("paris")), "{stream}");
        assert_eq!(numbers(&berlin, stream), of(&|index| site(index) == Some("berlin")), "{stream}");
        let is_dead = |index| matches!(site(index), None | Some("../x"));
        assert_eq!(numbers(&dead, stream), of(&is_dead), "{stream}");
        // What is skipped has no sequence, no metadata and no frames, and is a discontinuity of what follows.
        let of_stream: Vec<_> = metadata.iter().filter(|(_, value)| value["stream_name"] == stream).collect();
        let sequences: Vec<_> = of_stream.iter().map(|(_, value)| value["sequence"].as_i64().unwrap()).collect();
        assert!(sequences.iter().copied().eq(0..of_stream.len() as i64), "{stream}: {sequences:?}");
        let published: Vec<usize> = (0..held.len()).filter(|index| !is_dead(*index)).collect();
        let expected: Vec<(String, bool)> =
            published.iter().map(|&index| (held[index].clone(), index == 0 || is_dead(index - 1))).collect();
        let found: Vec<(String, bool)> = of_stream
            .iter()
            .map(|(_, value)| {
                let text = value["fragment_number"].as_str().unwrap().to_owned();
                (text, value["discontinuity"].as_bool().unwrap())
            })
            .collect();
        assert_eq!(found, expected, "{stream}");
        for (track, name) in [(1, name("frames.FROM")), (2, name("frames.TO"))] {
            let frames = &read_frames(kafka, &name)[stream];
            expect_chain(frames, stream);
            let expected = published.len() * 3;
            assert_eq!(frames.len(), expected, "{stream}: {name}");
            assert!(frames.iter().all(|frame| frame.long("track") == Some(track)), "{name}");
            // Once at the beginning, and after each fragment that was skipped.
            let discontinuities = frames.iter().filter(|frame| frame.is("discontinuity")).count();
            assert_eq!(discontinuities, expected_discontinuities(&found), "{stream}: {name}");
        }
    }
    let letter = &dead[0];
    assert_eq!(letter.header("__connect.errors.stage").as_deref(), Some("route"));
    let reason = letter.header("__connect.errors.exception.message").unwrap();
    assert!(reason.contains("${tag:site}") && reason.contains("../x\" is not a topic name"), "{reason}");
    assert_eq!(letter.header("kvs.truncated").as_deref(), Some("false"));
    // The bytes are the fragment, which a player can play.
    match Splitter::default().push(&mut letter.value.as_slice()) {
        Ok(Some(Event::Fragment(fragment))) => assert_eq!(fragment.frames.len(), 6),
        other => panic!("{other:?}"),
    }
    let told = records(kafka, &format!("{}-notifications", stage.group()));
    let told = told.iter().map(|record| serde_json::from_slice::<Value>(&record.value).unwrap());
    let mine = format!("its bytes are in topic {}", name("dead"));
    let told = told.filter(|one| one["message"].as_str().unwrap().contains(&mine)).count();
    assert_eq!(told, dead.len());
    assert!(!exists(kafka.bootstrap(), "x"));
}

fn expected_discontinuities(found: &[(String, bool)]) -> usize {
    found.iter().filter(|(_, discontinuity)| *discontinuity).count()
}

#[test]
fn a_fragment_without_a_topic_fails_its_stream_by_name_and_no_other() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("unrouted", 2));
    let of = |sites: &[&'static str]| -> Vec<(Vec<(&'static str, &'static str)>, usize)> {
        sites.iter().map(|site| (vec![("site", *site)], 2)).collect()
    };
    let long: &'static str = "x".repeat(300).leak();
    stage.add("bad", &recording(&stage, "bad", &of(&["a", "b", long, "a"])), 1, Pace::Max);
    stage.add("fine", &recording(&stage, "fine", &of(&["a", "b", "b", "a"])), 1, Pace::Max);
    let worker = bare(&stage, kafka);
    let mut settings = config(&stage, &["bad", "fine"]);
    let name = |rest: &str| format!("{}-{rest}", stage.name);
    settings["topic"] = name("${tag:site}").into();
    put(&worker, &settings);
    wait_for("the stream to fail", || status(&worker, 0)["state"] == "FAILED");
    let trace = status(&worker, 0)["trace"].to_string();
    assert!(
        trace.contains("topic=") && trace.contains("${tag:site}") && trace.contains("is not a topic name"),
        "{trace}"
    );
    stage.wait_all_published(kafka, &["fine"]);
    wait_for("the other to run", || status(&worker, 1)["state"] == "RUNNING");
    let count = |rest: &str, stream: &str| numbers(&records(kafka, &name(rest)), stream).len();
    assert_eq!([count("a", "bad"), count("b", "bad"), count("a", "fine"), count("b", "fine")], [1, 1, 2, 2]);
    // A name that the worker needs for itself is refused, too.
    settings["errors.tolerance"] = "all".into();
    put(&worker, &settings);
    stage.wait_all_published(kafka, &["bad"]);
    assert_eq!(count("a", "bad"), 2);
    wait_for("the count", || worker.metric("kvs_connect_passed_over_fragments_total") == 1.0);
}

#[test]
fn keys_partitions_and_headers_are_chosen() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("envelope", 2));
    let fragments: Vec<_> = (0..20).map(|_| (vec![("site", "Köln")], 2)).collect();
    stage.add("a", &recording(&stage, "keys", &fragments), 1, Pace::Max);
    let worker = bare(&stage, kafka);
    let mut settings = config(&stage, &["a"]);
    for (key, value) in [
        ("record.key", "stream+fragment"),
        ("record.partition", "key"),
        ("record.header.where", "${stream} in ${tag:site}"),
        ("record.header.nobody", "${tag:nobody}"),
        ("record.cloudevents", "true"),
        ("record.traceparent", "true"),
    ] {
        settings[key] = value.into();
    }
    put(&worker, &settings);
    stage.wait_all_published(kafka, &["a"]);
    let found = records(kafka, &stage.topic());
    assert_eq!(found.len(), 20);
    let partitions: BTreeSet<i32> = found.iter().map(|record| record.partition).collect();
    assert!(partitions.len() > 1, "{partitions:?}");
    let mut traces = BTreeMap::new();
    for record in &found {
        let number = record.header("kvs.fragment.number").unwrap();
        assert_eq!(record.key, format!("a/{number}").as_bytes());
        assert_eq!(record.header("where").as_deref(), Some("a in Köln"));
        assert_eq!((record.header("nobody"), record.header("ce_id")), (None, Some(number.clone())));
        assert_eq!(record.header("ce_type").as_deref(), Some("kvs.connect.Fragment"));
        traces.insert(record.header("traceparent").unwrap(), number);
    }
    assert_eq!(traces.len(), 20);
}

#[test]
fn tracks_are_left_out_or_split_into_topics() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("tracks", 2));
    let fragments: Vec<_> = (0..10).map(|_| (vec![], 6)).collect();
    stage.add("call", &recording(&stage, "call", &fragments), 1, Pace::Max);
    let worker = bare(&stage, kafka);
    let name = |rest: &str| format!("{}-{rest}", stage.name);
    let mut settings = config(&stage, &["call"]);
    settings["topic"] = name("${track}").into();
    settings["metadata.topic"] = name("metadata.${track}").into();
    settings["value.format"] = "json".into();
    settings["record.cloudevents"] = "true".into();
    put(&worker, &settings);
    stage.wait_all_published(kafka, &["call"]);
    for (label, track) in [("FROM", 1), ("TO", 2)] {
        let found = records(kafka, &name(label));
        assert_eq!(found.len(), 10);
        for record in &found {
            let number = record.header("kvs.fragment.number").unwrap();
            assert_eq!(record.header("ce_id"), Some(format!("{number}/{label}")));
        }
        for record in records(kafka, &name(&format!("metadata.{label}"))) {
            let value: Value = serde_json::from_slice(&record.value).unwrap();
            let tracks = value["tracks"].as_array().unwrap();
            assert_eq!((tracks.len(), &tracks[0]["number"]), (1, &json!(track)));
            let frames = value["frames"].as_array().unwrap();
            assert!(frames.len() == 3 && frames.iter().all(|frame| frame["track"] == track), "{frames:?}");
        }
    }
    // Each part is a document of its own.
    let played = &crate::frames::read_fragments(kafka, &name("TO"))["call"];
    for fragment in played {
        match Splitter::default().push(&mut fragment.bytes("payload")) {
            Ok(Some(Event::Fragment(part))) => {
                assert_eq!((part.frames.len(), &part.tracks[0].name), (3, &Some("TO".to_owned())));
            }
            other => panic!("{other:?}"),
        }
    }
    let (code, answer) = worker.rest("DELETE", "/connectors/cameras", None);
    assert_eq!(code, 204, "{answer}");
    // Another connector, with one track left.
    let mut settings = config(&stage, &["call"]);
    (settings["name"], settings["tracks.exclude"]) = ("other".into(), "FROM".into());
    settings["topic"] = name("left").into();
    let (code, answer) = worker.rest("PUT", "/connectors/other/config", Some(&settings));
    assert_eq!(code, 201, "{answer}");
    wait_for("the fragments", || exists(kafka.bootstrap(), &name("left")) && records(kafka, &name("left")).len() == 10);
    for fragment in &crate::frames::read_fragments(kafka, &name("left"))["call"] {
        let apache_avro::types::Value::Array(tracks) = fragment.get("tracks") else { panic!("no tracks") };
        assert_eq!(tracks.len(), 1);
    }
    // None is left: the stream says which there are.
    settings["tracks.exclude"] = "audio".into();
    settings["name"] = "none".into();
    let (code, answer) = worker.rest("PUT", "/connectors/none/config", Some(&settings));
    assert_eq!(code, 201, "{answer}");
    let trace = || worker.rest("GET", "/connectors/none/status", None).1["tasks"][0]["trace"].to_string();
    wait_for("the stream to fail", || trace().contains("none of its tracks is chosen"));
    assert!(trace().contains("FROM (audio, number 1), TO (audio, number 2)"), "{}", trace());
}

#[test]
fn a_record_that_its_topic_refuses_goes_to_the_dead_letters() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("refused-size", 2));
    // The metadata of the fourth has an index of 2,000 frames.
    let fragments: Vec<_> = (0..6).map(|index| (vec![], if index == 3 { 2_000 } else { 2 })).collect();
    stage.add("a", &recording(&stage, "large", &fragments), 1, Pace::Max);
    let name = |rest: &str| format!("{}-{rest}", stage.name);
    kafka.create_topic(&name("metadata"), 1, &[("max.message.bytes", "12000")]);
    let worker = bare(&stage, kafka);
    let mut settings = config(&stage, &["a"]);
    settings["metadata.topic"] = name("metadata").into();
    settings["errors.tolerance"] = "all".into();
    settings["errors.deadletterqueue.topic.name"] = name("dead").into();
    settings["errors.retry.delay.base.ms"] = "500".into();
    put(&worker, &settings);
    stage.wait_all_published(kafka, &["a"]);
    let dead = records(kafka, &name("dead"));
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].header("__connect.errors.stage").as_deref(), Some("size"));
    let reason = dead[0].header("__connect.errors.exception.message").unwrap();
    assert!(reason.contains(&name("metadata")) && reason.contains("max.message.bytes"), "{reason}");
    assert_eq!(numbers(&dead, "a"), [stage.held("a")[3].0.clone()]);
    assert_eq!((records(kafka, &stage.topic()).len(), records(kafka, &name("metadata")).len()), (5, 5));
}

#[test]
fn what_cannot_be_parsed_or_has_66_mb_goes_to_the_dead_letters_with_its_bytes() {
    let _turn = Turn::heavy();
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("unparsable", 2));
    let fragments: Vec<Planned<'_>> = (0..4).map(|_| (vec![], 5)).collect();
    let file = recording_with(&stage, "65", &fragments, Some(2));
    stage.add("large", &file, 1, Pace::Max);
    stage.add("broken", &recording(&stage, "broken", &fragments), 1, Pace::Max);
    // The third chunk, with a last block that claims more bytes than its Cluster has.
    let whole = std::fs::read(stage.folder.path().join("broken.mkv")).unwrap();
    let (mut splitter, mut rest, mut third) = (Splitter::default(), whole.as_slice(), None);
    for _ in 0..3 {
        third = splitter.push(&mut rest).unwrap();
    }
    let Some(Event::Fragment(third)) = third else { panic!("{third:?}") };
    let mut bytes = third.payload.to_vec();
    // In front of a frame are the size of its block and four bytes of the block's head.
    bytes[third.frames.last().unwrap().offset - 5] = 0xFE;
    let fragment = stage.held("broken")[2].0.clone();
    let fault = Fault::new(FaultKind::Replace { fragment, bytes: bytes.clone() });
    stage.simulator.add_fault(fault.on("broken").api("GetMedia").times(0));
    let worker = bare(&stage, kafka);
    let dead = format!("{}-dead", stage.name);
    let mut settings = config(&stage, &["large", "broken"]);
    settings["errors.tolerance"] = "all".into();
    settings["errors.deadletterqueue.topic.name"] = dead.as_str().into();
    settings["errors.deadletterqueue.value.max.bytes"] = "500000".into();
    settings["kvs.fragment.max.size.bytes"] = "65000000".into();
    put(&worker, &settings);
    stage.wait_all_published(kafka, &["large", "broken"]);
    let dead = records(kafka, &dead);
    for (stream, reason) in [("large", "kvs.fragment.max.size.bytes"), ("broken", "at byte")] {
        let held: Vec<String> = stage.held(stream).into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers(&dead, stream), [held[2].clone()]);
        let published = numbers(&records(kafka, &stage.topic()), stream);
        assert_eq!(published, [held[0].clone(), held[1].clone(), held[3].clone()]);
        let letter = dead.iter().find(|letter| letter.header("kvs.stream").as_deref() == Some(stream)).unwrap();
        assert_eq!(letter.header("__connect.errors.stage").as_deref(), Some("parse"));
        let said = letter.header("__connect.errors.exception.message").unwrap();
        assert!(said.contains(reason), "{said}");
        // The chunk from its beginning: EBML.
        assert!(letter.value.starts_with(&[0x1A, 0x45, 0xDF, 0xA3]), "{}", letter.value.len());
        if stream == "large" {
            assert_eq!((letter.value.len(), letter.header("kvs.truncated").as_deref()), (500_000, Some("true")));
        } else {
            assert_eq!(letter.value, bytes);
        }
    }
    wait_for("the count", || worker.metric("kvs_connect_passed_over_fragments_total") == 2.0);
}
