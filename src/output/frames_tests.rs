#![allow(clippy::unwrap_used, clippy::panic)]

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use kvs_mkv::{ChunkWriter, Event, FrameData, LeadingTags, Splitter, Timestamp, TrackKind, TrailingTags};

use super::*;
use crate::kafka::DataTopic;
use crate::model::{OffsetKey, RecordTimestamp, StoredOffset};
use crate::output::stream::{Arrived, PublishedWith, StreamOutputs};
use crate::output::{Outputs, TimestampPolicy};

fn output(sample: &str, tracks: &str, skips: bool) -> Outputs {
    static VALUE: SchemaWriter = SchemaWriter::new();
    let timestamps = TimestampPolicy {
        wanted: RecordTimestamp::Ingest,
        retention_ms: None,
        before_max_ms: i64::MAX,
        after_max_ms: i64::MAX,
    };
    let tracks = if tracks.is_empty() { Default::default() } else { tracks.parse().unwrap() };
    let output = FrameOutput {
        envelope: Envelope::new(
            RecordOutput { id: Frames.id(), on_refused: Frames.on_refused() },
            OutputTopic::new("frames", Arc::new(DataTopic::new("frames", 1)), &TopicFacts::default()),
            (RecordForm::default(), Framing::SingleObject),
            (Sequenced::of_frames(&VALUE, ValueFormat::Avro, Framing::SingleObject, &FRAME).unwrap(), &FRAME),
        )
        .unwrap(),
        topic_setting: "frames".to_owned(),
        timestamps,
        options: FrameOptions { tracks, ..FrameOptions::default() },
        sample: sample.parse().unwrap(),
        payload_mode: PayloadMode::Inline,
        skips,
        frame_max_size_bytes: 1 << 20,
    };
    Outputs::new([Arc::new(output) as Arc<dyn Output>])
}

/// Returns a fragment with a frame of PCM for each track and time, in milliseconds.
fn fragment(number: u64, frames: &[(u64, i64)]) -> Fragment {
    let mut tracks = [1, 2].map(|number| kvs_mkv::Track::new(number, TrackKind::Audio, "A_PCM/INT/LIT"));
    tracks[0].codec_private = Some(vec![7, 7]);
    tracks[1].name = Some("second".to_owned());
    let data = [1, 2, 3, 4];
    let frame =
        |&(track, millis): &(u64, i64)| FrameData { track, timestamp_ns: millis * 1_000_000, key: true, data: &data };
    let frames: Vec<FrameData<'_>> = frames.iter().map(frame).collect();
    let leading = LeadingTags {
        number: number.to_string().parse().unwrap(),
        server_timestamp: Timestamp::from_millis(1_511_852_109_126),
        producer_timestamp: Timestamp::from_millis(1_511_852_108_000),
    };
    let trailing = TrailingTags { millis_behind_now: 0, continuation_token: "token".to_owned() };
    let bytes = ChunkWriter::new("tests").chunk(&tracks, &[], &leading, 0, &frames, &trailing);
    match Splitter::default().push(&mut bytes.as_slice()) {
        Ok(Some(Event::Fragment(fragment))) => fragment,
        other => panic!("{other:?}"),
    }
}

/// A stream that is published by tasks that end after each fragment, or not.
struct Stream {
    outputs: Outputs,
    task: Option<StreamOutputs>,
    position: Option<StoredOffset>,
    sequence: i64,
}

impl Stream {
    fn new(outputs: Outputs) -> Self {
        Self { outputs, task: None, position: None, sequence: 0 }
    }

    /// Publishes a fragment and returns its records' values.
    fn publish(&mut self, fragment: Fragment, discontinuity: bool) -> Vec<Vec<(String, Value)>> {
        let key = Arc::new(OffsetKey { connector: "c".to_owned(), stream: "door".to_owned() });
        let task = self
            .task
            .get_or_insert_with(|| StreamOutputs::new(&self.outputs, key, "door", self.position.as_ref()).unwrap());
        let continuity = kvs_mkv::Continuity::default();
        let arrived = Arrived { fragment, content_type: None, discontinuity, continuity, permit: Box::new(()) };
        let mut publication =
            futures::executor::block_on(task.project(arrived, PublishedWith::default())).ok().unwrap();
        publication.set_sequence(Some(self.sequence));
        self.sequence += 1;
        // As it is stored, and read again.
        self.position = publication.offset.map(|offset| StoredOffset::from_bytes(&offset.to_bytes()).unwrap());
        let schema = Schema::parse_str(FRAME.text).unwrap();
        let decoded = publication.records.iter().map(|record| {
            assert_eq!((&*record.topic, &record.key[..]), ("frames", &b"door"[..]));
            let mut bytes = &record.value.as_deref().unwrap()[10..];
            let value = GenericDatumReader::builder(&schema).build().unwrap().read_value(&mut bytes).unwrap();
            let Value::Record(fields) = value else { panic!("{value:?}") };
            fields
        });
        decoded.collect()
    }
}

fn long(fields: &[(String, Value)], name: &str) -> Option<i64> {
    match &fields.iter().find(|(known, _)| known == name).unwrap().1 {
        Value::Long(number) | Value::TimestampMicros(number) => Some(*number),
        Value::Union(_, inner) => match **inner {
            Value::Long(number) | Value::TimestampMicros(number) => Some(number),
            _ => None,
        },
        other => panic!("{name}: {other:?}"),
    }
}

fn is(fields: &[(String, Value)], name: &str) -> bool {
    fields.iter().any(|(known, value)| known == name && *value == Value::Boolean(true))
}

/// Sequence, sequence before, track, index, discontinuity.
fn facts(frames: &[Vec<(String, Value)>]) -> Vec<(i64, Option<i64>, i64, i64, bool)> {
    let of = |fields: &Vec<(String, Value)>| {
        let must = |name: &str| long(fields, name).unwrap();
        let before = long(fields, "previous_sequence");
        (must("sequence"), before, must("track"), must("frame_index"), is(fields, "discontinuity"))
    };
    frames.iter().map(of).collect()
}

#[test]
fn frames_name_the_record_before_them_and_their_own_time() {
    let mut stream = Stream::new(output("all", "", false));
    let first = stream.publish(fragment(1, &[(1, 0), (2, 0), (1, 40)]), true);
    assert_eq!(facts(&first), [(0, None, 1, 0, true), (0, Some(0), 2, 1, true), (0, Some(0), 1, 2, false)]);
    assert_eq!(long(&first[2], "utc"), Some(1_511_852_108_040_000));
    let config = |fields: &[(String, Value)]| fields.iter().find(|(name, _)| name == "config").unwrap().1.clone();
    // With the first record of a track.
    assert_eq!(config(&first[0]), Value::Union(1, Box::new(Value::Bytes(vec![7, 7]))));
    assert_eq!(config(&first[2]), Value::Union(0, Box::new(Value::Null)));
    let data = first[0].iter().find(|(name, _)| name == "data").unwrap();
    assert_eq!(data.1, Value::Bytes(vec![1, 2, 3, 4]));
    let second = stream.publish(fragment(2, &[(1, 80)]), false);
    assert_eq!(facts(&second), [(1, Some(0), 1, 0, false)]);
}

#[test]
fn a_task_that_continues_chooses_the_same_frames_as_one_that_was_never_stopped() {
    for sample in ["all", "key", "every:3", "interval:100ms", "key,every:4"] {
        let mut streams = [Stream::new(output(sample, "", false)), Stream::new(output(sample, "", false))];
        for number in 1..12 {
            let begin = i64::try_from(number).unwrap() * 80;
            let frames = [(1, begin), (2, begin), (1, begin + 40)];
            let frames = if number == 5 { &frames[..0] } else { &frames[..] };
            streams[1].task = None;
            let [stays, stopped] =
                streams.each_mut().map(|stream| facts(&stream.publish(fragment(number, frames), number == 7)));
            assert_eq!(stays, stopped, "{sample}, fragment {number}");
        }
    }
}

/// A discontinuity is not lost with the frames that are not chosen, and sequences of fragments without frames are no holes.
#[test]
fn what_was_not_chosen_leaves_no_hole() {
    let mut stream = Stream::new(output("every:4", "2", false));
    let mut all = Vec::new();
    for number in 1..=9 {
        stream.task = None;
        let begin = i64::try_from(number).unwrap() * 100;
        all.extend(facts(&stream.publish(fragment(number, &[(1, begin), (2, begin)]), matches!(number, 1 | 6))));
    }
    assert_eq!(all, [(0, None, 2, 1, true), (4, Some(0), 2, 1, false), (8, Some(4), 2, 1, true)]);
}

/// What the service repeats counts as published: it changes nothing of what follows.
#[test]
fn a_repeated_fragment_changes_no_choice() {
    let mut plain = Stream::new(output("every:2", "1", false));
    let mut repeating = Stream::new(output("every:2", "1", false));
    for number in 1..6 {
        let frames = [(1, i64::try_from(number).unwrap() * 40)];
        let expected = facts(&plain.publish(fragment(number, &frames), false));
        assert_eq!(facts(&repeating.publish(fragment(number, &frames), false)), expected, "fragment {number}");
        repeating.publish(fragment(number, &frames), false);
        // The shard's owner drops it.
        repeating.sequence -= 1;
    }
}

/// Nobody knows what a consumer of the topic has read before.
#[test]
fn another_topic_and_a_time_without_one_begin_anew() {
    let mut stream = Stream::new(output("all", "1", false));
    assert_eq!(facts(&stream.publish(fragment(1, &[(1, 0)]), true)), [(0, None, 1, 0, true)]);
    stream.task = None;
    stream.position.as_mut().unwrap().frames.as_mut().unwrap().topic = "before".to_owned();
    assert_eq!(facts(&stream.publish(fragment(2, &[(1, 40)]), false)), [(1, None, 1, 0, true)]);
    assert_eq!(facts(&stream.publish(fragment(3, &[(1, 80)]), false)), [(2, Some(1), 1, 0, false)]);
    // Without the output, what it had to remember is forgotten.
    let outputs = std::mem::replace(&mut stream.outputs, Outputs::new([]));
    stream.task = None;
    assert!(stream.publish(fragment(4, &[(1, 120)]), false).is_empty());
    assert_eq!(stream.position.as_ref().unwrap().frames, None);
    stream.outputs = outputs;
    stream.task = None;
    assert_eq!(facts(&stream.publish(fragment(5, &[(1, 160)]), false)), [(4, None, 1, 0, true)]);
}
