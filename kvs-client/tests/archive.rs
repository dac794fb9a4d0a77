//! The archive: ranges of time, in order, complete, from any position; and gaps after lost positions.
#![cfg(feature = "archive")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;

use common::*;
use kvs_client::{
    ArchiveBounds, ArchivePuller, ArchiveRange, Archived, Client, Continuity, Error, Fragment, FragmentNumber,
    MemoryBudget, PositionLost, Pulled, PullerConfig, StreamPosition, Timestamp,
};
use kvs_simulator::{CutHow, Fault, FaultKind, Simulator};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_511_852_109_000 + millis)
}

fn range(from: i64, to: i64) -> ArchiveRange {
    ArchiveRange { from: at(from), to: at(to) }
}

fn archive(client: &Arc<Client>, range: impl Into<ArchiveBounds>, position: Option<&StreamPosition>) -> ArchivePuller {
    let budget = MemoryBudget::new(64 << 20);
    ArchivePuller::new(Arc::clone(client), "s".parse().unwrap(), range, position, config(), budget)
}

#[derive(Default, Debug)]
struct Read {
    range: Option<ArchiveRange>,
    fragments: Vec<Fragment>,
    missing: Vec<FragmentNumber>,
    errors: Vec<String>,
}

async fn read(puller: &mut ArchivePuller) -> Read {
    let mut read = Read::default();
    loop {
        match puller.next().await.unwrap() {
            Archived::Fragment(pulled) => read.fragments.push(pulled.fragment),
            Archived::Missing { numbers } => read.missing.extend(numbers),
            Archived::Retrying { error, .. } => read.errors.push(error.to_string()),
            Archived::Begun { range } => read.range = Some(range),
            Archived::Listed => {}
            Archived::Done => return read,
            other => panic!("{other:?}"),
        }
    }
}

async fn stage(count: usize) -> (tempfile::TempDir, Simulator, Arc<Client>) {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(vec![source("s", &recording(folder.path(), count))]).await;
    let client = client(&simulator).await;
    (folder, simulator, client)
}

#[tokio::test]
async fn a_range_is_read_once_and_in_order() {
    let (_folder, _simulator, client) = stage(10).await;
    let mut puller = archive(&client, range(2_000, 14_000), None);
    let Read { fragments, missing, errors, range: begun } = read(&mut puller).await;
    assert_eq!(indexes(&fragments), [1, 2, 3, 4, 5, 6, 7]);
    assert!(missing.is_empty() && errors.is_empty() && begun.is_none());
    assert!(fragments.iter().all(|one| one.complete && one.continuation_token.is_none() && one.frames.len() == 5));
    assert_eq!((puller.progress().fragments, puller.progress().permille), (7, 1_000));
    assert!(read(&mut archive(&client, range(100_000, 200_000), None)).await.fragments.is_empty());
}

#[tokio::test]
async fn a_range_continues_from_any_fragment() {
    let (_folder, _simulator, client) = stage(6).await;
    for done in 0..6 {
        let mut first = archive(&client, range(0, 60_000), None);
        let mut position = None;
        for _ in 0..done {
            let fragment = loop {
                match first.next().await.unwrap() {
                    Archived::Fragment(pulled) => break pulled.fragment,
                    Archived::Listed => {}
                    other => panic!("{other:?}"),
                }
            };
            position = Some(StreamPosition::after(&fragment));
        }
        drop(first);
        let mut second = archive(&client, range(0, 60_000), position.as_ref());
        // The fragment at `done` began `done - 1` times 2 s after the range.
        assert_eq!(second.progress().permille, (done.max(1) as u32 - 1) * 2_000 / 60);
        let rest = read(&mut second).await;
        assert_eq!(indexes(&rest.fragments), (done..6).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn fragments_that_do_not_arrive_are_requested_again() {
    let (_folder, simulator, client) = stage(8).await;
    let faults = [
        FaultKind::Omit { fragments: 3 },
        FaultKind::LeaveOut { index: 2 },
        FaultKind::LeaveOut { index: 0 },
        FaultKind::Cut { at_byte: 1_000, how: CutHow::Clean },
        FaultKind::Cut { at_byte: 2_000, how: CutHow::Reset },
        FaultKind::ErrorTag { after_fragments: 2, error_id: 5000, error_code: "INTERNAL".to_owned() },
        FaultKind::ErrorTag { after_fragments: 0, error_id: 4000, error_code: "GONE?".to_owned() },
        FaultKind::Refuse { status: 500, error_type: "InternalFailure".to_owned(), message: String::new() },
    ];
    for kind in faults {
        simulator.add_fault(Fault::new(kind.clone()).api("GetMediaForFragmentList").times(2));
        let Read { fragments, missing, .. } = read(&mut archive(&client, range(0, 60_000), None)).await;
        assert_eq!(indexes(&fragments), (0..8).collect::<Vec<_>>(), "{kind:?}");
        assert!(missing.is_empty(), "{kind:?}");
        assert!(simulator.pending_faults().is_empty(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_fragment_that_is_listed_and_never_sent_is_said_and_given_up() {
    let (_folder, simulator, client) = stage(5).await;
    simulator.add_fault(Fault::new(FaultKind::LeaveOut { index: 0 }).api("GetMediaForFragmentList").times(0));
    let config = with(config(), |it| it.retry = it.retry.with_attempts_max(8));
    let bounds = range(0, 60_000);
    let budget = MemoryBudget::new(64 << 20);
    let mut puller = ArchivePuller::new(client, "s".parse().unwrap(), bounds, None, config, budget);
    let mut said = 0;
    let error = loop {
        match puller.next().await {
            Ok(Archived::Retrying { error: Error::NotSent { number: late, .. }, .. }) => {
                assert_eq!(late.as_str(), number(0));
                said += 1;
            }
            Ok(Archived::Fragment(_) | Archived::Done) => panic!("nothing was to be sent"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(said >= 1 && matches!(error, Error::NotSent { .. }), "{said}: {error}");
}

#[tokio::test]
async fn fragments_that_are_no_longer_listed_are_reported_as_missing() {
    let (_folder, simulator, client) = stage(5).await;
    // The last fragment never arrives, and is no longer listed the second time.
    simulator.add_fault(Fault::new(FaultKind::Omit { fragments: 1 }).api("GetMediaForFragmentList").times(1));
    let refused =
        FaultKind::Refuse { status: 404, error_type: "ResourceNotFoundException".to_owned(), message: String::new() };
    simulator.add_fault(Fault::new(refused).api("GetMediaForFragmentList").times(3));
    let mut puller = archive(&client, range(0, 60_000), None);
    let mut fragments = Vec::new();
    while fragments.len() < 4 {
        if let Archived::Fragment(pulled) = puller.next().await.unwrap() {
            fragments.push(pulled.fragment);
        }
    }
    simulator.add_fault(Fault::new(FaultKind::Omit { fragments: 1 }).api("ListFragments").times(1));
    let rest = read(&mut puller).await;
    assert!(rest.fragments.is_empty());
    assert_eq!(rest.missing.iter().map(|number| number.as_str().to_owned()).collect::<Vec<_>>(), [number(4)]);
}

fn lost() -> Fault {
    let error_code = "FRAGMENT_NOT_FOUND".to_owned();
    Fault::new(FaultKind::ErrorTag { after_fragments: 0, error_id: 4000, error_code }).times(2)
}

fn position(index: usize) -> StreamPosition {
    StreamPosition {
        fragment_number: number(index).parse().unwrap(),
        continuation_token: Some(format!("token-{index}")),
        server_timestamp: Some(at(index as i64 * 2_000)),
        producer_timestamp: None,
        continuity: Continuity::default(),
    }
}

#[tokio::test]
async fn missed_fragments_are_fetched_when_the_position_is_lost() {
    let (_folder, simulator, client) = stage(9).await;
    for (policy, gap_check, expected, fetched) in [
        (PositionLost::Now, false, vec![8], None),
        (PositionLost::Now, true, vec![2, 3, 4, 5, 6, 7, 8], Some(7)),
        (PositionLost::Fail, true, vec![2, 3, 4, 5, 6, 7, 8], Some(7)),
    ] {
        simulator.add_fault(lost());
        let config = with(config(), |it| {
            it.position_lost = policy;
            it.gap_check = gap_check;
        });
        let mut puller = puller(&client, "s", Some(position(1)), config);
        let (fragments, others) = pull(&mut puller, expected.len()).await;
        assert_eq!(indexes(&fragments), expected, "{policy:?} {gap_check}");
        let told = others.iter().find_map(|other| match other {
            Pulled::PositionLost { before, after, fetched, .. } => Some((before.clone(), after.clone(), *fetched)),
            _ => None,
        });
        match fetched {
            // The loss is reported with the first fragment that GetMedia returns: there is none here.
            Some(_) => assert!(told.is_none()),
            None => {
                let (before, after, fetched) = told.expect("the loss is reported");
                assert_eq!(
                    (before.fragment_number.as_str(), after.fragment_number.as_str()),
                    (&*number(1), &*number(8))
                );
                assert_eq!(fetched, None);
            }
        }
    }
}

#[tokio::test]
async fn a_gap_that_the_archive_cannot_fill_is_reported_with_both_positions() {
    let (_folder, simulator, client) = stage(9).await;
    simulator.add_fault(lost());
    simulator.add_fault(Fault::new(FaultKind::Omit { fragments: 9 }).api("ListFragments").times(1));
    let config = with(config(), |it| {
        it.position_lost = PositionLost::Now;
        it.gap_check = true;
    });
    let mut puller = puller(&client, "s", Some(position(1)), config);
    let (fragments, others) = pull(&mut puller, 1).await;
    assert_eq!(indexes(&fragments), [8]);
    let told = others.iter().any(|other| {
        matches!(other, Pulled::PositionLost { before, after, fetched: Some(0), missing: 0 }
            if before.fragment_number.as_str() == number(1) && after.fragment_number.as_str() == number(8))
    });
    assert!(told, "{others:?}");
}

/// A service whose server times do not rise with its numbers, across the end of an hour that is listed at once.
#[tokio::test]
async fn fragments_that_are_listed_too_late_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let times = [0, 3_600_002, 3_599_998, 3_601_000].map(|after| at(after).millis());
    let chunks = times.iter().enumerate().flat_map(|(index, &millis)| chunk_at(index, millis));
    let file = write(folder.path(), "recording.mkv", &chunks.collect::<Vec<u8>>());
    let simulator = simulator(vec![source("s", &file)]).await;
    let client = client(&simulator).await;
    let numbers = |read: &Read| read.missing.iter().map(|one| one.as_str().to_owned()).collect::<Vec<_>>();
    let whole = read(&mut archive(&client, range(0, 7_000_000), None)).await;
    assert_eq!(indexes(&whole.fragments), [0, 2, 3]);
    assert_eq!(numbers(&whole), [number(1)]);
    // Fragments that existed when a run began are not news to it.
    let position = StreamPosition { server_timestamp: Some(at(3_599_998)), ..position(2) };
    let rest = read(&mut archive(&client, range(0, 7_000_000), Some(&position))).await;
    assert_eq!((indexes(&rest.fragments), numbers(&rest)), (vec![3], vec![]));
}

/// From one fragment to another, both included.
fn numbers(first: Option<usize>, last: Option<usize>) -> ArchiveBounds {
    let bound = |index: Option<usize>| index.map(|index| number(index).parse().unwrap());
    ArchiveBounds { first: bound(first), last: bound(last), ..ArchiveBounds::default() }
}

#[tokio::test]
async fn fragment_numbers_bound_a_range_with_or_without_times() {
    let (_folder, simulator, client) = stage(10).await;
    let fault = FaultKind::Cut { at_byte: 300, how: CutHow::Clean };
    simulator.add_fault(Fault::new(fault).api("GetMediaForFragmentList").times(2));
    let mut puller = archive(&client, numbers(Some(2), Some(6)), None);
    let Read { fragments, missing, range: begun, .. } = read(&mut puller).await;
    assert_eq!(indexes(&fragments), [2, 3, 4, 5, 6]);
    assert!(missing.is_empty());
    // A second around the two, so that rounding excludes neither.
    assert_eq!(begun.unwrap(), range(3_000, 13_000));
    assert_eq!(puller.progress().permille, 1_000);
    let one = read(&mut archive(&client, numbers(Some(4), Some(4)), None)).await;
    assert_eq!(indexes(&one.fragments), [4]);
    for (bounds, expected) in [
        (ArchiveBounds { to: Some(at(9_000)), ..numbers(Some(2), None) }, vec![2, 3, 4]),
        (ArchiveBounds { from: Some(at(9_000)), ..numbers(None, Some(7)) }, vec![5, 6, 7]),
        (ArchiveBounds { from: Some(at(5_000)), to: Some(at(60_000)), ..numbers(Some(2), Some(4)) }, vec![3, 4]),
        (ArchiveBounds { from: Some(at(0)), to: Some(at(9_000)), ..numbers(Some(2), Some(8)) }, vec![2, 3, 4]),
    ] {
        assert_eq!(indexes(&read(&mut archive(&client, bounds.clone(), None)).await.fragments), expected, "{bounds:?}");
    }
}

#[tokio::test]
async fn a_range_by_numbers_continues_from_any_fragment() {
    let (_folder, _simulator, client) = stage(8).await;
    for done in 0..=5 {
        let position = (done > 0).then(|| position(done));
        let rest = read(&mut archive(&client, numbers(Some(1), Some(5)), position.as_ref())).await;
        assert_eq!(indexes(&rest.fragments), (done + 1..=5).collect::<Vec<_>>(), "{done}");
    }
}

#[tokio::test]
async fn a_bound_that_the_archive_does_not_have_is_missing_and_the_rest_is_read() {
    let (_folder, _simulator, client) = stage(4).await;
    // Numbers before the first and after the last fragment.
    let low = "1".parse::<FragmentNumber>().unwrap();
    let bounds =
        ArchiveBounds { first: Some(low.clone()), last: Some(number(99).parse().unwrap()), from: None, to: None };
    let first = read(&mut archive(&client, bounds.clone(), None)).await;
    assert_eq!(indexes(&first.fragments), [0, 1, 2, 3]);
    assert_eq!(first.missing, [low, number(99).parse().unwrap()]);
    // The missing bound was reported before this position.
    let second = read(&mut archive(&client, bounds, Some(&position(1)))).await;
    assert_eq!(indexes(&second.fragments), [2, 3]);
    assert!(second.missing.is_empty());
}

fn inclusive(index: usize) -> PullerConfig {
    let start = kvs_client::StartSelector::FragmentNumber(number(index).parse().unwrap());
    with(config(), |it| {
        it.start = start;
        it.start_inclusive = true;
    })
}

#[tokio::test]
async fn an_inclusive_start_yields_its_fragment_first_and_once() {
    let (_folder, simulator, client) = stage(6).await;
    for kind in [
        None,
        Some(FaultKind::Cut { at_byte: 500, how: CutHow::Reset }),
        Some(FaultKind::Omit { fragments: 1 }),
        Some(FaultKind::ErrorTag { after_fragments: 0, error_id: 5000, error_code: "INTERNAL".to_owned() }),
        Some(FaultKind::Refuse { status: 500, error_type: "InternalFailure".to_owned(), message: String::new() }),
    ] {
        if let Some(kind) = &kind {
            simulator.add_fault(Fault::new(kind.clone()).api("GetMediaForFragmentList").times(2));
        }
        let (fragments, _) = pull(&mut puller(&client, "s", None, inclusive(2)), 4).await;
        assert_eq!(indexes(&fragments), [2, 3, 4, 5], "{kind:?}");
        assert!(fragments[0].complete);
    }
    // Without a position the stream starts with the fragment again, with one it continues after it.
    let (fragments, _) = pull(&mut puller(&client, "s", Some(position(2)), inclusive(2)), 3).await;
    assert_eq!(indexes(&fragments), [3, 4, 5]);
    let exclusive = with(inclusive(2), |it| it.start_inclusive = false);
    let (fragments, _) = pull(&mut puller(&client, "s", None, exclusive), 3).await;
    assert_eq!(indexes(&fragments), [3, 4, 5]);
}

#[tokio::test]
async fn an_inclusive_start_with_an_unknown_fragment_is_an_error() {
    let (_folder, _simulator, client) = stage(3).await;
    let mut puller = puller(&client, "s", None, inclusive(77));
    let error = loop {
        match puller.next().await {
            Ok(Pulled::Fragment(pulled)) => panic!("{:?}", pulled.fragment.number),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, Error::StartFragmentMissing { number: missing, .. } if missing.as_str() == number(77)));
    assert!(error.to_string().contains(&number(77)), "{error}");
}
