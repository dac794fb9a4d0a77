//! Media of known content.
#![allow(dead_code, missing_docs, unreachable_pub)]

use std::path::Path;

use kvs_mkv::{ChunkWriter, FrameData, LeadingTags, Timestamp, Track, TrackKind, TrailingTags};
use kvs_simulator::{Pace, Repeat, Simulator, SimulatorConfig, StreamSource};

const BEGIN_MILLIS: i64 = 1_511_852_109_000;

pub fn number(index: usize) -> String {
    format!("9134385233318143239268206260774392014615{index:07}")
}

pub fn numbers_of(count: usize) -> Vec<String> {
    (0..count).map(number).collect()
}

fn tracks() -> Vec<Track> {
    vec![Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC")]
}

pub fn cluster(at_millis: i64) -> Vec<u8> {
    let data = [7_u8; 300];
    let frames: Vec<_> = (0..5)
        .map(|frame| FrameData {
            track: 1,
            timestamp_ns: (at_millis + frame * 200) * 1_000_000,
            key: frame == 0,
            data: &data,
        })
        .collect();
    ChunkWriter::new("test").cluster(at_millis * 1_000_000, &frames)
}

/// Returns a chunk as GetMedia sends it.
pub fn chunk(index: usize) -> Vec<u8> {
    let writer = ChunkWriter::new("test");
    let millis = BEGIN_MILLIS + index as i64 * 2_000;
    let leading = LeadingTags {
        number: number(index).parse().unwrap(),
        server_timestamp: Timestamp::from_millis(millis),
        producer_timestamp: Timestamp::from_millis(millis - 600),
    };
    let trailing = TrailingTags { millis_behind_now: 0, continuation_token: number(index) };
    [
        writer.head(&tracks()),
        writer.tags(&[("place", "door")]),
        writer.leading_tags(&leading),
        cluster(0),
        writer.trailing_tags(&trailing),
    ]
    .concat()
}

/// Returns a stream that is played from a recording of `count` fragments.
pub fn recorded(folder: &Path, name: &str, count: usize) -> StreamSource {
    let file = folder.join(format!("{name}.mkv"));
    std::fs::write(&file, (0..count).flat_map(chunk).collect::<Vec<u8>>()).unwrap();
    StreamSource { name: name.to_owned(), file, repeat: Repeat::Times(1), pace: Pace::Max }
}

/// Returns a producer's document of `count` clusters of a second each.
pub fn producer_document(count: usize) -> Vec<u8> {
    let mut document = ChunkWriter::new("test").head(&tracks());
    (0..count).for_each(|index| document.extend(cluster(index as i64 * 1_000)));
    document
}

pub async fn simulator_with(config: SimulatorConfig) -> Simulator {
    Simulator::start(config).await.unwrap()
}

/// Waits until `condition` returns true.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(30), waiting).await;
    waited.unwrap_or_else(|_| panic!("waited in vain for: {what}"));
}
