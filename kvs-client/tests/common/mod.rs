//! A simulator in this process, recordings for it, and pullers.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kvs_client::{
    CallLimits, Client, ClientConfig, CredentialsSource, Fragment, MemoryBudget, Pulled, Puller, PullerConfig,
    RetryPolicy, StreamPosition,
};
use kvs_mkv::{ChunkWriter, FrameData, LeadingTags, Timestamp, Track, TrackKind, TrailingTags};
use kvs_simulator::{Fault, FaultKind, Limits, Pace, Repeat, Simulator, SimulatorConfig, StreamSource};

/// Number of the fragment at `index` of [`recording`].
pub fn number(index: usize) -> String {
    format!("9134385233318143239268206260774392014615{index:07}")
}

/// A chunk as the service sends it; without its trailing tags when `token` is false.
pub fn chunk(index: usize, frames: usize, frame_size: usize, token: bool) -> Vec<u8> {
    make_chunk(index, server_millis(index), (frames, frame_size), token, 0)
}

/// A chunk of 5 frames of 400 bytes that is this far behind the live edge.
pub fn chunk_behind(index: usize, millis_behind_now: i64) -> Vec<u8> {
    make_chunk(index, server_millis(index), (5, 400), true, millis_behind_now)
}

/// A chunk of 5 frames of 40 bytes with this server time.
pub fn chunk_at(index: usize, server_millis: i64) -> Vec<u8> {
    make_chunk(index, server_millis, (5, 40), true, 0)
}

/// A chunk of 5 frames of 40 bytes that its producer made this long after the first one, and whose first frame is at this
/// time by the cluster's clock, in milliseconds.
pub fn chunk_of(index: usize, produced_ms: i64, start_ms: i64) -> Vec<u8> {
    let data = [index as u8; 40];
    let start_ns = start_ms * 1_000_000;
    let frame =
        |frame: i64| FrameData { track: 1, timestamp_ns: start_ns + frame * 33_000_000, key: frame == 0, data: &data };
    let frames: Vec<_> = (0..5).map(frame).collect();
    let leading = LeadingTags {
        number: number(index).parse().unwrap(),
        server_timestamp: Timestamp::from_millis(server_millis(index)),
        producer_timestamp: Timestamp::from_millis(server_millis(0) + produced_ms),
    };
    let trailing = TrailingTags { millis_behind_now: 0, continuation_token: format!("token-{index}") };
    let tracks = [Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC")];
    ChunkWriter::new("kvs-client tests").chunk(&tracks, &[], &leading, start_ns, &frames, &trailing)
}

/// A chunk of this many frames of `frame_size` bytes, whose Cluster has an unknown size if `open`.
pub fn large(index: usize, frames: usize, frame_size: usize, open: bool) -> Vec<u8> {
    let mut chunk = chunk(index, frames, frame_size, true);
    if open {
        let at = chunk.windows(4).position(|four| four == [0x1F, 0x43, 0xB6, 0x75]).unwrap() + 4;
        let length = chunk[at].leading_zeros() as usize + 1;
        chunk.splice(at..at + length, [0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
    }
    chunk
}

fn server_millis(index: usize) -> i64 {
    1_511_852_109_000 + index as i64 * 2_000
}

fn make_chunk(
    index: usize,
    millis: i64,
    (frames, frame_size): (usize, usize),
    token: bool,
    millis_behind_now: i64,
) -> Vec<u8> {
    let writer = ChunkWriter::new("kvs-client tests");
    let data = vec![index as u8; frame_size];
    let frames: Vec<_> = (0..frames)
        .map(|frame| FrameData { track: 1, timestamp_ns: frame as i64 * 33_000_000, key: frame == 0, data: &data })
        .collect();
    let leading = LeadingTags {
        number: number(index).parse().unwrap(),
        server_timestamp: Timestamp::from_millis(millis),
        producer_timestamp: Timestamp::from_millis(millis - 600),
    };
    let trailing = TrailingTags { millis_behind_now, continuation_token: format!("token-{index}") };
    let mut bytes = writer.chunk(
        &[Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC")],
        &[("place", "door")],
        &leading,
        0,
        &frames,
        &trailing,
    );
    if !token {
        bytes.truncate(bytes.len() - writer.trailing_tags(&trailing).len());
    }
    bytes
}

pub fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, bytes).unwrap();
    file
}

/// A recording of `count` fragments with 5 frames of 40 bytes.
pub fn recording(folder: &Path, count: usize) -> PathBuf {
    let bytes: Vec<u8> = (0..count).flat_map(|index| chunk(index, 5, 40, true)).collect();
    write(folder, "recording.mkv", &bytes)
}

pub fn source(name: &str, file: &Path) -> StreamSource {
    StreamSource { name: name.to_owned(), file: file.to_owned(), repeat: Repeat::Times(1), pace: Pace::Max }
}

/// A simulator whose idle sessions end quickly.
pub async fn simulator(streams: Vec<StreamSource>) -> Simulator {
    let limits = Limits { idle_timeout: Duration::from_millis(100), ..Limits::default() };
    Simulator::start(SimulatorConfig { streams, limits, ..SimulatorConfig::default() }).await.unwrap()
}

pub fn client_config(simulator: &Simulator, secret: &str) -> ClientConfig {
    let mut config = ClientConfig::new("us-east-1");
    config.endpoint = Some(simulator.url().to_owned());
    config.http.inactivity_timeout = Duration::from_secs(1);
    config.retry = RetryPolicy::new(Duration::from_millis(2), Duration::from_millis(50));
    config.credentials = CredentialsSource::Static {
        access_key_id: "test".to_owned(),
        secret_access_key: secret.to_owned(),
        session_token: None,
    };
    config
}

pub async fn client_of(config: ClientConfig) -> Arc<Client> {
    Arc::new(Client::new(config, Arc::new(CallLimits::default())).await.unwrap())
}

pub async fn client(simulator: &Simulator) -> Arc<Client> {
    client_of(client_config(simulator, "test")).await
}

/// Returns a value, such as settings, with a change.
pub fn with<T>(mut value: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut value);
    value
}

pub fn config() -> PullerConfig {
    let retry = RetryPolicy::new(Duration::from_millis(2), Duration::from_millis(50));
    with(PullerConfig::default(), |it| it.retry = retry)
}

pub fn puller(client: &Arc<Client>, stream: &str, position: Option<StreamPosition>, config: PullerConfig) -> Puller {
    Puller::new(Arc::clone(client), stream.parse().unwrap(), position, config, MemoryBudget::new(64 << 20))
}

/// Pulls until there are `count` fragments, and returns them with all other events.
pub async fn pull(puller: &mut Puller, count: usize) -> (Vec<Fragment>, Vec<Pulled>) {
    let (mut fragments, mut others) = (Vec::new(), Vec::new());
    let work = async {
        while fragments.len() < count {
            match puller.next().await.unwrap_or_else(|error| panic!("{error}")) {
                Pulled::Fragment(pulled) => fragments.push(pulled.fragment),
                other => others.push(other),
            }
        }
    };
    if tokio::time::timeout(Duration::from_secs(30), work).await.is_err() {
        panic!("{} of {count} fragments came; besides: {others:?}", fragments.len());
    }
    (fragments, others)
}

pub fn indexes(fragments: &[Fragment]) -> Vec<usize> {
    fragments.iter().map(|fragment| fragment.number.as_str()[40..].parse().unwrap()).collect()
}

/// Returns a simulator with five fragments of the stream `s`, and a client of it.
pub async fn stage() -> (tempfile::TempDir, Simulator, Arc<Client>) {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(vec![source("s", &recording(folder.path(), 5))]).await;
    let client = client(&simulator).await;
    (folder, simulator, client)
}

/// Returns the third chunk of a recording with a first block that is cut. The simulator inserts the fragment's own number.
pub fn poison() -> Vec<u8> {
    let mut chunk = chunk(2, 5, 40, true);
    let block = chunk.windows(3).position(|three| three == [0xA3, 0xAC, 0x81]).unwrap();
    chunk[block + 1] = 0x81;
    chunk
}

/// Returns the fault that an operation returns these bytes in place of the third fragment, always.
pub fn replace(bytes: &[u8], api: &str) -> Fault {
    Fault::new(FaultKind::Replace { fragment: number(2), bytes: bytes.to_vec() }).on("s").api(api).times(0)
}
