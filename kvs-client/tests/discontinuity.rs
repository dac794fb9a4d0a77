//! Which fragments continue the one before them, and which do not: with what the service does, and with a puller that is
//! stopped after any fragment.
#![cfg(feature = "archive")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::*;
use kvs_client::{
    ArchivePuller, ArchiveRange, Archived, Client, MemoryBudget, PositionLost, Pulled, PulledFragment, PullerConfig,
    StreamPosition, Timestamp,
};
use kvs_simulator::{ErrorTagNames, Fault, FaultKind, Simulator};

/// Index of a fragment, and whether it is a discontinuity.
type Row = (usize, bool);

fn row(pulled: &PulledFragment) -> Row {
    (pulled.fragment.number.as_str()[40..].parse().unwrap(), pulled.discontinuity)
}

async fn stage(chunks: impl IntoIterator<Item = Vec<u8>>) -> (tempfile::TempDir, Simulator, Arc<Client>) {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "recording.mkv", &chunks.into_iter().flatten().collect::<Vec<u8>>());
    let simulator = simulator(vec![source("s", &file)]).await;
    let client = client(&simulator).await;
    (folder, simulator, client)
}

fn intact(count: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|index| chunk(index, 5, 40, true))
}

/// Pulls this many fragments, live, by one puller or by a new one for each fragment and each skipped one.
async fn live(
    client: &Arc<Client>,
    position: Option<StreamPosition>,
    config: &PullerConfig,
    count: usize,
    stops: bool,
) -> Vec<Row> {
    let mut position = position;
    let mut puller_ = puller(client, "s", position.clone(), config.clone());
    let mut rows = Vec::new();
    let work = async {
        while rows.len() < count {
            position = match puller_.next().await.unwrap_or_else(|error| panic!("{error}")) {
                Pulled::Fragment(pulled) => {
                    rows.push(row(&pulled));
                    Some(pulled.position())
                }
                Pulled::PassedOver(passed_over) => Some(passed_over.position),
                _ => continue,
            };
            if stops {
                puller_ = puller(client, "s", position.clone(), config.clone());
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), work).await.expect("all fragments");
    rows
}

/// Reads the archive's first minute in the same two ways.
async fn archived(client: &Arc<Client>, config: &PullerConfig, stops: bool) -> Vec<Row> {
    let at = |millis: i64| Timestamp::from_millis(1_511_852_109_000 + millis);
    let range = ArchiveRange { from: at(0), to: at(60_000) };
    let reader = |position: Option<&StreamPosition>| {
        let budget = MemoryBudget::new(64 << 20);
        ArchivePuller::new(Arc::clone(client), "s".parse().unwrap(), range, position, config.clone(), budget)
    };
    let (mut puller, mut rows) = (reader(None), Vec::new());
    loop {
        let position = match puller.next().await.unwrap() {
            Archived::Fragment(pulled) => {
                rows.push(row(&pulled));
                pulled.position()
            }
            Archived::PassedOver(passed_over) => passed_over.position,
            Archived::Done => return rows,
            _ => continue,
        };
        if stops {
            puller = reader(Some(&position));
        }
    }
}

fn rows(indexes: &[usize], discontinuities: &[usize]) -> Vec<Row> {
    indexes.iter().map(|&index| (index, discontinuities.contains(&index))).collect()
}

fn lost(times: u64) -> Fault {
    let error_code = "FRAGMENT_NOT_FOUND".to_owned();
    let kind = FaultKind::ErrorTag { after_fragments: 0, error_id: 4000, error_code };
    Fault::new(kind).api("GetMedia").times(times)
}

fn position(index: usize) -> StreamPosition {
    StreamPosition {
        fragment_number: number(index).parse().unwrap(),
        continuation_token: Some(format!("token-{index}")),
        server_timestamp: Some(Timestamp::from_millis(1_511_852_109_000 + index as i64 * 2_000)),
        producer_timestamp: None,
        continuity: kvs_client::Continuity::default(),
    }
}

/// The archive lists these fragments, and does not find them.
fn gone(indexes: &[usize]) -> Fault {
    let fragments = indexes.iter().map(|&index| number(index)).collect();
    let error_code = "FRAGMENT_NOT_FOUND".to_owned();
    let (tag_names, goes_on) = (ErrorTagNames::Seen, false);
    let kind = FaultKind::FragmentError { fragments, error_id: 3000, error_code, tag_names, goes_on };
    Fault::new(kind).api("GetMediaForFragmentList").times(0)
}

fn filling(position_lost: PositionLost) -> PullerConfig {
    with(config(), |it| {
        it.position_lost = position_lost;
        it.gap_check = true;
    })
}

#[tokio::test]
async fn only_the_first_fragment_of_an_intact_stream_continues_nothing() {
    let (_folder, _simulator, client) = stage(intact(6)).await;
    for stops in [false, true] {
        assert_eq!(live(&client, None, &config(), 6, stops).await, rows(&[0, 1, 2, 3, 4, 5], &[0]), "{stops}");
        assert_eq!(archived(&client, &config(), stops).await, rows(&[0, 1, 2, 3, 4, 5], &[0]), "{stops}");
    }
    let inclusive = with(config(), |it| {
        it.start = kvs_client::StartSelector::FragmentNumber(number(2).parse().unwrap());
        it.start_inclusive = true;
    });
    assert_eq!(live(&client, None, &inclusive, 3, false).await, rows(&[2, 3, 4], &[2]));
}

#[tokio::test]
async fn an_intact_recording_continues_itself() {
    let Some(folder) = std::env::var_os("KVS_RECORDINGS").filter(|folder| !folder.is_empty()) else {
        println!("SKIPPED: KVS_RECORDINGS is not set, so there are no recordings to pull");
        return;
    };
    for (name, count) in [
        ("output_get_media.mkv", 5),
        ("kinesis_video_renderer_example_output.mkv", 8),
        ("output-get-media-equal-timecode.mkv", 1),
        ("connect_shape_3frag.mkv", 3),
    ] {
        let simulator = simulator(vec![source("s", &Path::new(&folder).join(name))]).await;
        let client = client(&simulator).await;
        for stops in [false, true] {
            let found = live(&client, None, &config(), count, stops).await;
            let discontinuities: Vec<bool> = found.into_iter().map(|(_, discontinuity)| discontinuity).collect();
            let expected: Vec<bool> = (0..count).map(|index| index == 0).collect();
            assert_eq!(discontinuities, expected, "{name} {stops}");
        }
    }
}

#[tokio::test]
async fn the_fragment_after_a_lost_position_continues_nothing() {
    let (_folder, simulator, client) = stage(intact(6)).await;
    simulator.add_fault(lost(2));
    // Started at the position's time, the service repeats its last fragment, which proves nothing.
    assert_eq!(live(&client, Some(position(2)), &config(), 4, false).await, rows(&[2, 3, 4, 5], &[3]));
    simulator.add_fault(lost(2));
    let now = with(config(), |it| it.position_lost = PositionLost::Now);
    assert_eq!(live(&client, Some(position(2)), &now, 1, false).await, rows(&[5], &[5]));
    // Only the token is refused: nothing is lost.
    simulator.add_fault(lost(1));
    assert_eq!(live(&client, Some(position(2)), &config(), 3, false).await, rows(&[3, 4, 5], &[]));
}

#[tokio::test]
async fn a_gap_that_the_archive_fills_is_none() {
    let (_folder, simulator, client) = stage(intact(8)).await;
    for policy in [PositionLost::Earliest, PositionLost::Now, PositionLost::Fail] {
        for stops in [false, true] {
            simulator.add_fault(lost(2));
            let found = live(&client, Some(position(1)), &filling(policy), 6, stops).await;
            assert_eq!(found, rows(&[2, 3, 4, 5, 6, 7], &[]), "{policy:?} {stops}");
            simulator.clear_faults();
        }
    }
    // What the archive cannot send is missing between two fragments.
    simulator.add_fault(gone(&[3, 4]));
    for stops in [false, true] {
        simulator.add_fault(lost(2));
        let found = live(&client, Some(position(1)), &filling(PositionLost::Now), 4, stops).await;
        assert_eq!(found, rows(&[2, 5, 6, 7], &[5]), "{stops}");
    }
}

#[tokio::test]
async fn a_gap_whose_beginning_the_archive_does_not_have_is_one() {
    // The fragment of the position has expired, and so may others.
    let (_folder, simulator, client) =
        stage(intact(8).enumerate().filter(|(index, _)| *index != 1).map(|one| one.1)).await;
    simulator.add_fault(lost(2));
    let found = live(&client, Some(position(1)), &filling(PositionLost::Now), 6, false).await;
    assert_eq!(found, rows(&[2, 3, 4, 5, 6, 7], &[2]));
    // The archive lists nothing at all.
    simulator.add_fault(lost(2));
    simulator.add_fault(Fault::new(FaultKind::Omit { fragments: 9 }).api("ListFragments").times(1));
    let found = live(&client, Some(position(1)), &filling(PositionLost::Now), 1, false).await;
    assert_eq!(found, rows(&[7], &[7]));
}

/// Nothing followed the lost position, according to the archive, and the service sends what follows its time.
#[tokio::test]
async fn a_gap_without_fragments_is_none() {
    let (_folder, simulator, client) = stage(intact(4)).await;
    for (policy, is_one) in [(PositionLost::Earliest, false), (PositionLost::Now, true)] {
        simulator.add_fault(lost(2));
        simulator.add_fault(Fault::new(FaultKind::Omit { fragments: 1 }).api("ListFragments").times(1));
        let mut puller = puller(&client, "s", Some(position(2)), filling(policy));
        let found = loop {
            if let Pulled::Fragment(pulled) = puller.next().await.unwrap()
                && row(&pulled).0 > 2
            {
                break row(&pulled);
            }
        };
        assert_eq!(found, (3, is_one), "{policy:?}");
    }
}

#[tokio::test]
async fn the_fragment_after_a_skipped_one_continues_nothing() {
    let mut poison = chunk(2, 5, 40, true);
    let block = poison.windows(3).position(|three| three == [0xA3, 0xAC, 0x81]).unwrap();
    poison[block + 1] = 0x81;
    let (_folder, simulator, client) = stage(intact(5)).await;
    let tolerant = with(config(), |it| it.pass_over_unparsable = true);
    let too_large = with(tolerant.clone(), |it| it.limits.fragment_size_bytes = 2_000);
    for (bytes, config) in [(poison, tolerant), (chunk(2, 5, 4_000, true), too_large)] {
        simulator.clear_faults();
        let replace = |api| Fault::new(FaultKind::Replace { fragment: number(2), bytes: bytes.clone() }).api(api);
        simulator.add_fault(replace("GetMedia").times(0));
        simulator.add_fault(replace("GetMediaForFragmentList").times(0));
        for stops in [false, true] {
            assert_eq!(live(&client, None, &config, 4, stops).await, rows(&[0, 1, 3, 4], &[0, 3]), "{stops}");
            assert_eq!(archived(&client, &config, stops).await, rows(&[0, 1, 3, 4], &[0, 3]), "{stops}");
        }
    }
}

#[tokio::test]
async fn the_fragment_after_one_that_the_archive_lacks_continues_nothing() {
    let (_folder, simulator, client) = stage(intact(6)).await;
    simulator.add_fault(gone(&[1, 3, 5]));
    for stops in [false, true] {
        assert_eq!(archived(&client, &config(), stops).await, rows(&[0, 2, 4], &[0, 2, 4]), "{stops}");
    }
}

/// The recording from the beginning, under new numbers: the producer's clock goes on, the cluster's begins again.
#[tokio::test]
async fn a_producer_that_begins_again_continues_nothing() {
    let times = |index: usize| (index as i64 * 2_000, (index % 3) as i64 * 2_000);
    let chunks = (0..6).map(|index| {
        let (produced_ms, start_ms) = times(index);
        chunk_of(index, produced_ms, start_ms)
    });
    let (_folder, _simulator, client) = stage(chunks).await;
    for stops in [false, true] {
        assert_eq!(live(&client, None, &config(), 6, stops).await, rows(&[0, 1, 2, 3, 4, 5], &[0, 3]), "{stops}");
        assert_eq!(archived(&client, &config(), stops).await, rows(&[0, 1, 2, 3, 4, 5], &[0, 3]), "{stops}");
    }
    // A clock that was set back, with nothing else to see.
    let back = (0..4).map(|index| chunk_of(index, [0, 2_000, 1_999, 4_000][index], index as i64 * 2_000));
    let (_folder, _simulator, client) = stage(back).await;
    for stops in [false, true] {
        assert_eq!(live(&client, None, &config(), 4, stops).await, rows(&[0, 1, 2, 3], &[0, 2]), "{stops}");
    }
}
