//! The environment of a test: a simulator in this process, recordings for it, and unique names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use kvs_harness::{Connector, ConnectorFile, Isolation, Kafka, Seen, Turn, WorkerFile, read_topic, wait_for};
use kvs_mkv::{ChunkWriter, FrameData, LeadingTags, Timestamp, Track, TrackKind, TrailingTags};
use kvs_simulator::{Limits, Pace, Repeat, Simulator, SimulatorConfig, StreamSource};
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use tempfile::TempDir;

/// How far another connector of the same streams may be ahead. What is lost is reported when this has passed.
const OTHERS_AHEAD_MAX: Duration = Duration::from_secs(60);

/// The connector's program.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_kvs-connect"))
}

/// A fragment that the simulator holds, or that a consumer saw: number and digest.
pub type Digest = (String, String);

pub struct Stage {
    /// Held while the test needs the machine for itself.
    _turn: Turn,
    /// Runs the simulator as long as the stage exists.
    _runtime: tokio::runtime::Runtime,
    pub simulator: Simulator,
    pub folder: TempDir,
    /// A name that no other test has.
    pub name: String,
    /// Partitions of the offsets topic.
    pub shards: u32,
}

impl Stage {
    /// Creates a simulator without streams, with twelve shards.
    pub fn new(test: &str) -> Self {
        Self::with_shards(test, 12)
    }

    /// Creates a simulator without streams.
    pub fn with_shards(test: &str, shards: u32) -> Self {
        let limits = Limits { idle_timeout: Duration::from_millis(500), ..Limits::default() };
        Self { shards, ..Self::with_simulator(test, SimulatorConfig { limits, ..SimulatorConfig::default() }) }
    }

    /// Creates a simulator with this configuration, with twelve shards.
    pub fn with_simulator(test: &str, config: SimulatorConfig) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let turn = Turn::beside_others();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let simulator = runtime.block_on(Simulator::start(config)).unwrap();
        let name = format!("{test}-{}-{count}", std::process::id());
        Self { _turn: turn, _runtime: runtime, simulator, folder: tempfile::tempdir().unwrap(), name, shards: 12 }
    }

    pub fn topic(&self) -> String {
        format!("{}-fragments", self.name)
    }

    pub fn group(&self) -> String {
        format!("{}-group", self.name)
    }

    pub fn worker(&self, kafka: &Kafka) -> WorkerFile {
        self.worker_at(kafka.bootstrap())
    }

    fn worker_at(&self, bootstrap: &str) -> WorkerFile {
        WorkerFile::new(bootstrap, &self.group()).set("offset.storage.partitions", &self.shards.to_string())
    }

    pub fn connector(&self, streams: &[&str]) -> ConnectorFile {
        ConnectorFile::new("cameras", self.simulator.url(), streams, &self.topic())
    }

    pub fn start(&self, worker: &WorkerFile, connector: &ConnectorFile) -> Connector {
        Connector::start(program(), worker, std::slice::from_ref(connector))
    }

    pub fn add(&self, name: &str, file: &Path, repeat: u64, pace: Pace) {
        self.add_repeated(name, file, Repeat::Times(repeat), pace);
    }

    /// Adds a live stream, until [`Simulator::end_playback`], so that a test may take as long as it needs.
    pub fn add_live(&self, name: &str, file: &Path, fragments_per_second: f64) {
        self.add_repeated(name, file, Repeat::Forever, Pace::FragmentsPerSecond(fragments_per_second));
    }

    fn add_repeated(&self, name: &str, file: &Path, repeat: Repeat, pace: Pace) {
        let source = StreamSource { name: name.to_owned(), file: file.to_owned(), repeat, pace };
        self.simulator.add_stream(&source).unwrap();
    }

    /// Writes a recording of `count` fragments with `frames` frames of `frame_size` bytes.
    pub fn recording(&self, count: usize, frames: usize, frame_size: usize) -> PathBuf {
        let file = self.folder.path().join(format!("{count}-{frames}-{frame_size}.mkv"));
        let bytes: Vec<u8> = (0..count).flat_map(|index| chunk(index, frames, frame_size)).collect();
        std::fs::write(&file, bytes).unwrap();
        file
    }

    /// Returns what the simulator holds of a stream, in order.
    pub fn held(&self, stream: &str) -> Vec<Digest> {
        let path = format!("/simulator/streams/{stream}/fragments");
        let address = self.simulator.address().to_string();
        let (_, body) = kvs_harness::connector::http_get(&address, &path).expect("the simulator responds");
        let listed: serde_json::Value = serde_json::from_str(&body).unwrap();
        let text = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
        let rows = listed["fragments"].as_array().unwrap();
        rows.iter().map(|row| (text(row, "fragmentNumber"), text(row, "sha256"))).collect()
    }

    /// Returns what a read_committed consumer sees of each stream, in order.
    pub fn seen(&self, kafka: &Kafka) -> BTreeMap<String, Vec<Digest>> {
        by_stream(read_topic(kafka.bootstrap(), &self.topic(), Isolation::Committed))
    }

    /// Waits until every stream is completely published according to its offset, then compares everything.
    pub fn expect_all(&self, kafka: &Kafka, streams: &[&str]) {
        self.expect_all_at(kafka.bootstrap(), streams);
    }

    /// Does the same on any Kafka.
    pub fn expect_all_at(&self, bootstrap: &str, streams: &[&str]) {
        let expected: BTreeMap<String, Vec<Digest>> =
            streams.iter().map(|stream| ((*stream).to_owned(), self.held(stream))).collect();
        self.wait_published(bootstrap, &expected);
        // The offset may have been that of another connector, which has the same streams and another topic.
        let until = Instant::now() + OTHERS_AHEAD_MAX;
        let seen = loop {
            let seen = read_topic(bootstrap, &self.topic(), Isolation::Committed);
            let count = |stream: &str| seen.iter().filter(|fragment| fragment.stream == stream).count();
            if streams.iter().all(|stream| count(stream) >= expected[*stream].len()) || Instant::now() > until {
                break seen;
            }
            std::thread::sleep(Duration::from_millis(200));
        };
        for stream in streams {
            expect_sequence(&seen, stream);
        }
        let seen = by_stream(seen);
        for stream in streams {
            let (held, seen) = (&expected[*stream], seen.get(*stream).cloned().unwrap_or_default());
            compare(stream, held, &seen);
        }
    }

    /// Compares only the numbers: chunks of the archive have no distance and no token.
    pub fn expect_numbers(&self, kafka: &Kafka, stream: &str) {
        let numbers = |digests: &[Digest]| digests.iter().map(|one| one.0.clone()).collect::<Vec<_>>();
        let held = self.held(stream);
        self.wait_published(kafka.bootstrap(), &BTreeMap::from([(stream.to_owned(), held.clone())]));
        let seen = read_topic(kafka.bootstrap(), &self.topic(), Isolation::Committed);
        expect_sequence(&seen, stream);
        assert_eq!(numbers(&by_stream(seen)[stream]), numbers(&held));
    }

    /// Waits until every stream is completely published according to its offset.
    pub fn wait_all_published(&self, kafka: &Kafka, streams: &[&str]) {
        let held = streams.iter().map(|stream| ((*stream).to_owned(), self.held(stream))).collect();
        self.wait_published(kafka.bootstrap(), &held);
    }

    fn wait_published(&self, bootstrap: &str, expected: &BTreeMap<String, Vec<Digest>>) {
        let last: BTreeMap<&str, &str> =
            expected.iter().filter_map(|(stream, held)| Some((stream.as_str(), held.last()?.0.as_str()))).collect();
        let mut listed = String::new();
        let worker = self.folder.path().join("list.toml");
        let text: String =
            self.worker_at(bootstrap).lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        std::fs::write(&worker, text).unwrap();
        wait_for("every stream to be published completely", || {
            let output = std::process::Command::new(program())
                .args(["offsets", "list", "--json", "--worker"])
                .arg(&worker)
                .output()
                .unwrap();
            listed = String::from_utf8(output.stdout).unwrap();
            let places: BTreeMap<String, String> = listed
                .lines()
                .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
                .map(|row| {
                    let text = |name: &str| row[name].as_str().unwrap().to_owned();
                    (text("stream"), text("fragment_number"))
                })
                .collect();
            last.iter().all(|(stream, number)| places.get(*stream).map(String::as_str) == Some(*number))
        });
    }
}

/// Writes records to a topic, as another program would.
pub fn produce(kafka: &Kafka, topic: &str, partition: i32, key: &[u8], value: &[u8]) {
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
    let producer: BaseProducer =
        rdkafka::ClientConfig::new().set("bootstrap.servers", kafka.bootstrap()).create().unwrap();
    producer.send(BaseRecord::to(topic).partition(partition).key(key).payload(value)).unwrap();
    producer.flush(Duration::from_secs(20)).unwrap();
}

/// Returns the keys and values of all records in a topic's partition, as stored on disk, in one string.
pub fn text_of(kafka: &Kafka, topic: &str) -> String {
    kvs_harness::topic::read_raw(kafka.bootstrap(), topic).into_iter().fold(String::new(), |text, (key, value)| {
        format!("{text}{}={}\n", String::from_utf8_lossy(&key), String::from_utf8_lossy(&value))
    })
}

/// Fails with the numbers of lost, duplicated and disordered fragments.
pub fn compare(stream: &str, held: &[Digest], seen: &[Digest]) {
    let lost = held.iter().filter(|fragment| !seen.contains(fragment)).count();
    let mut sorted = seen.to_vec();
    sorted.sort();
    let doubled = sorted.windows(2).filter(|pair| pair[0].0 == pair[1].0).count();
    let disordered = seen.windows(2).filter(|pair| pair[0].0 >= pair[1].0).count();
    assert!(
        held == seen,
        "stream {stream}: sent {}, seen {}, lost {lost}, duplicated {doubled}, out of order {disordered}",
        held.len(),
        seen.len()
    );
}

/// Expects that a stream's sequence is 0, 1, 2, … without holes or repetitions.
pub fn expect_sequence(seen: &[Seen], stream: &str) {
    let sequences: Vec<Option<i64>> =
        seen.iter().filter(|fragment| fragment.stream == stream).map(|fragment| fragment.sequence).collect();
    let expected: Vec<Option<i64>> = (0..sequences.len() as i64).map(Some).collect();
    assert!(sequences == expected, "stream {stream}: the sequence has holes or repeats: {sequences:?}");
}

pub fn by_stream(seen: Vec<Seen>) -> BTreeMap<String, Vec<Digest>> {
    let mut streams: BTreeMap<String, Vec<Digest>> = BTreeMap::new();
    let mut partitions: BTreeMap<String, i32> = BTreeMap::new();
    for fragment in seen {
        let partition = *partitions.entry(fragment.stream.clone()).or_insert(fragment.partition);
        assert_eq!(partition, fragment.partition, "a stream keeps to one partition");
        streams.entry(fragment.stream).or_default().push((fragment.number, fragment.sha256));
    }
    streams
}

pub fn chunk(index: usize, frames: usize, frame_size: usize) -> Vec<u8> {
    let data: Vec<u8> = (0..frame_size).map(|byte| (byte * 31 + index * 7) as u8).collect();
    let frames: Vec<_> = (0..frames)
        .map(|frame| FrameData { track: 1, timestamp_ns: frame as i64 * 33_000_000, key: frame == 0, data: &data })
        .collect();
    let millis = 1_511_852_109_000 + index as i64 * 2_000;
    let number = format!("9134385233318143239268206260774392014615{index:07}");
    let leading = LeadingTags {
        number: number.parse().unwrap(),
        server_timestamp: Timestamp::from_millis(millis),
        producer_timestamp: Timestamp::from_millis(millis - 600),
    };
    let trailing = TrailingTags { millis_behind_now: 0, continuation_token: number };
    let tracks = [Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC")];
    ChunkWriter::new("e2e").chunk(&tracks, &[("place", "door")], &leading, 0, &frames, &trailing)
}

/// Sets all of a topic's own settings.
pub fn configure(kafka: &Kafka, topic: &str, settings: &[(&str, &str)]) {
    let admin: AdminClient<DefaultClientContext> =
        rdkafka::ClientConfig::new().set("bootstrap.servers", kafka.bootstrap()).create().unwrap();
    let wanted = settings
        .iter()
        .fold(AlterConfig::new(ResourceSpecifier::Topic(topic)), |wanted, (key, value)| wanted.set(key, value));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let done = runtime.block_on(admin.alter_configs(&[wanted], &AdminOptions::new())).unwrap();
    assert!(done.iter().all(Result::is_ok), "{done:?}");
}
