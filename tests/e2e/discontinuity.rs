//! Records that say where a stream's media does not go on: whatever happens to the worker, the same records do.

use std::collections::HashMap;
use std::path::PathBuf;

use apache_avro::types::Value;
use kvs_harness::{Connector, Isolation, Kafka, read_notifications, read_topic, wait_for};
use kvs_mkv::{ChunkWriter, FrameData, LeadingTags, Timestamp, Track, TrackKind, TrailingTags};
use kvs_simulator::{Fault, FaultKind, Pace};

use crate::stage::{Stage, program};

const FRAGMENTS: usize = 300;
/// Fragments of each session of a producer: so few that every other kill falls between two sessions.
const SESSION: usize = 2;

/// The numbers of a stream's published fragments that continue nothing, in order.
pub fn discontinuities(stage: &Stage, kafka: &Kafka, stream: &str) -> Vec<String> {
    let seen = read_topic(kafka.bootstrap(), &stage.topic(), Isolation::Committed);
    let breaks = seen.into_iter().filter(|one| one.stream == stream && one.discontinuity == Some(true));
    breaks.map(|one| one.number).collect()
}

/// The notifications that are not about the ordinary life of a stream.
fn about_fragments(kafka: &Kafka, topic: &str) -> Vec<HashMap<String, Value>> {
    let is_about = |kind: &Value| {
        let is = |name: &str| *kind == Value::String(name.to_owned());
        is("POSITION_LOST") || is("FRAGMENT_PASSED_OVER") || is("FRAGMENTS_MISSING")
    };
    let all = read_notifications(kafka.bootstrap(), topic);
    all.into_iter().filter(|one| is_about(&one["kind"])).collect()
}

fn held(stage: &Stage, stream: &str) -> Vec<String> {
    stage.held(stream).into_iter().map(|(number, _)| number).collect()
}

fn published(stage: &Stage, kafka: &Kafka, stream: &str) -> Vec<String> {
    stage.seen(kafka).remove(stream).unwrap_or_default().into_iter().map(|(number, _)| number).collect()
}

/// How a producer tells the time of its media.
#[derive(Clone, Copy)]
enum Clock {
    /// From the beginning of each session. Nothing else differs between two sessions.
    OfSession,
    /// Since 1970. Each session has its own TrackUID.
    Absolute,
}

/// Writes what a producer sends that begins again every [`SESSION`] fragments.
fn sessions(stage: &Stage, clock: Clock) -> PathBuf {
    let chunk = |index: usize| {
        let (session, millis) = (index / SESSION, 1_511_852_109_000 + index as i64 * 2_000);
        let mut track = Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC");
        let start_ms = match clock {
            Clock::OfSession => (index % SESSION) as i64 * 2_000,
            Clock::Absolute => {
                track.uid = session as u64;
                millis
            }
        };
        let start_ns = start_ms * 1_000_000;
        let frame = |frame: i64| FrameData {
            track: 1,
            timestamp_ns: start_ns + frame * 33_000_000,
            key: frame == 0,
            data: &[7; 500],
        };
        let frames: Vec<_> = (0..5).map(frame).collect();
        let number = format!("9134385233318143239268206260774392014615{index:07}");
        let leading = LeadingTags {
            number: number.parse().unwrap(),
            server_timestamp: Timestamp::from_millis(millis + 150),
            producer_timestamp: Timestamp::from_millis(millis),
        };
        let trailing = TrailingTags { millis_behind_now: 0, continuation_token: number };
        ChunkWriter::new("e2e").chunk(&[track], &[], &leading, start_ns, &frames, &trailing)
    };
    let name = if matches!(clock, Clock::Absolute) { "absolute.mkv" } else { "of-session.mkv" };
    let file = stage.folder.path().join(name);
    std::fs::write(&file, (0..FRAGMENTS).flat_map(chunk).collect::<Vec<u8>>()).unwrap();
    file
}

#[test]
fn a_producer_that_starts_again_is_seen_in_the_same_records_through_kills() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("sessions", 2));
    let streams = ["of-session", "absolute", "intact"];
    for (stream, clock) in [("of-session", Clock::OfSession), ("absolute", Clock::Absolute)] {
        stage.add(stream, &sessions(&stage, clock), 1, Pace::FragmentsPerSecond(40.0));
    }
    stage.add("intact", &stage.recording(FRAGMENTS, 5, 500), 1, Pace::FragmentsPerSecond(40.0));
    let settings = stage.worker(kafka).set("session.timeout.ms", "1500");
    let mut worker = stage.start(&settings, &stage.connector(&streams));
    worker.wait_healthy();
    for _ in 0..4 {
        // Counted by each process anew.
        wait_for("fragments", || worker.metric("kvs_connect_fragments_total") > 20.0);
        worker.kill();
        worker.restart(program());
    }
    wait_for("the files", || streams.iter().all(|stream| stage.held(stream).len() == FRAGMENTS));
    stage.expect_all(kafka, &streams);
    for stream in ["of-session", "absolute"] {
        let begins: Vec<String> = held(&stage, stream).into_iter().step_by(SESSION).collect();
        assert_eq!(discontinuities(&stage, kafka, stream), begins, "{stream}");
    }
    assert_eq!(discontinuities(&stage, kafka, "intact"), held(&stage, "intact")[..1]);
}

#[test]
fn the_fragment_after_a_lost_position_continues_nothing() {
    for policy in ["now", "earliest"] {
        let (kafka, stage) = (Kafka::shared(), Stage::new("lost"));
        stage.add_live("s", &stage.recording(200, 2, 500), 25.0);
        let connector = stage.connector(&["s"]).set("kvs.position.lost", policy);
        let mut worker = stage.start(&stage.worker(kafka), &connector);
        worker.wait_healthy();
        wait_for("some fragments", || worker.metric("kvs_connect_fragments_total") > 20.0);
        worker.kill();
        let before = stage.held("s").len();
        wait_for("some more that nobody pulls", || stage.held("s").len() > before + 50);
        let error_code = "FRAGMENT_NOT_FOUND".to_owned();
        let gone = FaultKind::ErrorTag { after_fragments: 0, error_id: 4000, error_code };
        stage.simulator.add_fault(Fault::new(gone).times(2));
        worker.restart(program());
        worker.wait_healthy();
        // Only what arrives after the loss tells where the stream goes on.
        let notifications = format!("{}-notifications", stage.group());
        wait_for("the loss to be told", || !about_fragments(kafka, &notifications).is_empty());
        assert!(stage.simulator.end_playback("s"));
        let held = held(&stage, "s");
        wait_for("its last fragment", || published(&stage, kafka, "s").last() == held.last());
        let told = about_fragments(kafka, &notifications);
        assert_eq!(told.len(), 1, "{told:?}");
        let Value::String(next) = &told[0]["next_fragment_number"] else { panic!("{told:?}") };
        assert_eq!(discontinuities(&stage, kafka, "s"), [held[0].clone(), next.clone()], "{policy}");
    }
}

/// The worker is killed after the stream's position has moved past the fragment, and before the next one is published.
#[test]
fn the_fragment_after_a_skipped_one_continues_nothing_also_for_the_worker_after_a_kill() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("skipped"));
    let file = stage.recording(6, 2, 500);
    // The others arrive when the worker has been killed.
    stage.add("s", &file, 1, Pace::FragmentsPerSecond(0.25));
    let skipped = format!("9134385233318143239268206260774392014615{:07}", 1);
    let chunk = std::fs::read(&file).unwrap();
    let mut chunk = chunk[..chunk.len() / 6].to_vec();
    // The first block ends at once.
    let block = chunk.windows(4).position(|four| four[0] == 0xA3 && four[3] == 0x81).unwrap();
    chunk[block + 1..block + 3].copy_from_slice(&[0x40, 0x01]);
    let fault = Fault::new(FaultKind::Replace { fragment: skipped.clone(), bytes: chunk });
    stage.simulator.add_fault(fault.api("GetMedia").times(0));
    let connector = stage.connector(&["s"]).set("errors.tolerance", "all");
    let mut worker: Connector = stage.start(&stage.worker(kafka), &connector);
    worker.wait_healthy();
    let notifications = format!("{}-notifications", stage.group());
    wait_for("the fragment to be skipped", || worker.metric("kvs_connect_passed_over_fragments_total") == 1.0);
    wait_for("its notification, and the position with it", || !about_fragments(kafka, &notifications).is_empty());
    worker.kill();
    worker.restart(program());
    worker.wait_healthy();
    wait_for("the rest of the file", || published(&stage, kafka, "s").len() == 5);
    let mut expected = held(&stage, "s");
    assert_eq!(expected.remove(1), skipped);
    assert_eq!(published(&stage, kafka, "s"), expected);
    assert_eq!(discontinuities(&stage, kafka, "s"), expected[..2]);
    // It was skipped once: the second worker continued behind it.
    assert_eq!(about_fragments(kafka, &notifications).len(), 1);
}
