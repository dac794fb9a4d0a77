//! What is known of a fragment that is skipped: its position, its bytes, and what was wrong with it; and fragments that exceed a
//! limit.
#![cfg(feature = "archive")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;

use common::*;
use kvs_client::{
    ArchivePuller, ArchiveRange, Archived, Client, Error, MemoryBudget, PassedOver, Pulled, Puller, PullerConfig,
    StartSelector, Timestamp,
};
use kvs_mkv::{ErrorKind, LimitKind};
use kvs_simulator::{Fault, FaultKind};

fn keeping(raw_max_bytes: usize) -> PullerConfig {
    with(config(), |it| {
        it.pass_over_unparsable = true;
        it.raw_max_bytes = raw_max_bytes;
    })
}

fn puller_of(client: &Arc<Client>, config: PullerConfig, budget: &MemoryBudget) -> Puller {
    Puller::new(Arc::clone(client), "s".parse().unwrap(), None, config, budget.clone())
}

/// Returns the only skipped fragment among these events.
fn only_skipped(others: Vec<Pulled>) -> PassedOver {
    let mut skipped = Vec::new();
    for other in others {
        match other {
            Pulled::PassedOver(one) => skipped.push(*one),
            Pulled::Retrying { error: Error::Media { raw, .. }, .. } => {
                assert!(raw.bytes.is_empty(), "bytes of an attempt that was not the last");
            }
            _ => {}
        }
    }
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    skipped.remove(0)
}

/// Asserts that these are the first bytes of the chunk that the simulator sent, which has its own token.
fn assert_is_start(bytes: &[u8], chunk: &[u8]) {
    let tags = chunk.len() - 120;
    assert_eq!(bytes.get(..tags.min(bytes.len())), chunk.get(..tags.min(bytes.len())));
}

#[tokio::test]
async fn the_bytes_of_a_skipped_fragment_are_kept_up_to_the_limit() {
    let bad = poison();
    let whole = bad.len() as u64;
    for (max, kept, size) in [
        (1 << 20, bad.len(), Some(whole)),
        (bad.len(), bad.len(), Some(whole)),
        (bad.len() - 1, bad.len() - 1, Some(whole)),
        (bad.len() / 4, bad.len() / 4, None),
        (0, 0, None),
    ] {
        let (_folder, simulator, client) = stage().await;
        simulator.add_fault(replace(&bad, "GetMedia"));
        let (fragments, others) = pull(&mut puller(&client, "s", None, keeping(max)), 4).await;
        assert_eq!(indexes(&fragments), [0, 1, 3, 4]);
        let skipped = only_skipped(others);
        assert_eq!((skipped.raw.bytes.len(), skipped.raw.size_bytes), (kept, size), "at most {max}");
        assert_is_start(&skipped.raw.bytes, &bad);
        assert_eq!(skipped.raw.is_cut_off(), kept < bad.len(), "at most {max}");
        assert_eq!(skipped.exceeds, None);
        assert!(skipped.reason.ends_with("it arrived like that 3 times in a row"), "{}", skipped.reason);
        let position = &skipped.position;
        assert_eq!(position.fragment_number.as_str(), number(2));
        assert_eq!(position.server_timestamp.unwrap().millis(), 1_511_852_113_000);
        assert_eq!(position.producer_timestamp.unwrap().millis(), 1_511_852_112_400);
    }
}

#[tokio::test]
async fn the_kept_bytes_count_against_the_budget_until_they_are_dropped() {
    let (_folder, simulator, client) = stage().await;
    simulator.add_fault(replace(&poison(), "GetMedia"));
    let budget = MemoryBudget::new(64 << 20);
    let mut pulling = puller_of(&client, keeping(1 << 20), &budget);
    let (fragments, others) = pull(&mut pulling, 4).await;
    drop((pulling, fragments));
    let skipped = only_skipped(others);
    assert_eq!(budget.used_bytes(), skipped.raw.bytes.len());
    assert_eq!(skipped.raw.permit.size_bytes(), skipped.raw.bytes.len());
    drop(skipped);
    assert_eq!(budget.used_bytes(), 0);
}

/// The stream's last fragment: the end of a response of GetMedia does not show that the chunk has ended.
#[tokio::test]
async fn of_a_fragment_whose_end_is_not_seen_what_came_is_kept() {
    let (_folder, simulator, client) = stage().await;
    let bad = poison();
    let fault = FaultKind::Replace { fragment: number(4), bytes: bad.clone() };
    simulator.add_fault(Fault::new(fault).on("s").api("GetMedia").times(0));
    let mut pulling = puller(&client, "s", None, keeping(1 << 20));
    let mut others = Vec::new();
    while !others.iter().any(|other| matches!(other, Pulled::PassedOver(_))) {
        others.push(pulling.next().await.unwrap());
    }
    let skipped = only_skipped(others);
    assert_eq!((skipped.raw.bytes.len(), skipped.raw.size_bytes), (bad.len(), None));
    assert!(skipped.raw.is_cut_off());
    assert_eq!(skipped.position.fragment_number.as_str(), number(4));
}

fn archive(client: &Arc<Client>, config: PullerConfig, budget: &MemoryBudget) -> ArchivePuller {
    let at = |millis: i64| Timestamp::from_millis(1_511_852_109_000 + millis);
    let range = ArchiveRange { from: at(0), to: at(60_000) };
    ArchivePuller::new(Arc::clone(client), "s".parse().unwrap(), range, None, config, budget.clone())
}

/// Reads the archive to its end: indexes of the fragments, what was skipped, and how many attempts failed.
async fn read(mut puller: ArchivePuller) -> (Vec<usize>, Vec<PassedOver>, usize) {
    let (mut came, mut skipped, mut failed) = (Vec::new(), Vec::new(), 0);
    loop {
        match puller.next().await.unwrap() {
            Archived::Fragment(pulled) => came.push(pulled.fragment),
            Archived::PassedOver(one) => skipped.push(*one),
            Archived::Done => return (indexes(&came), skipped, failed),
            Archived::Retrying { .. } => failed += 1,
            Archived::Listed => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_archive_puller_keeps_the_bytes_too() {
    let (bad, too_large) = (poison(), large(2, 3, 40_000, true));
    for (bytes, exceeds, attempts) in [(&bad, None, 2), (&too_large, Some(LimitKind::FragmentBytes), 0)] {
        let (_folder, simulator, client) = stage().await;
        simulator.add_fault(replace(bytes, "GetMediaForFragmentList"));
        let config = with(keeping(1 << 20), |it| it.limits.fragment_size_bytes = 100_000);
        let budget = MemoryBudget::new(64 << 20);
        let (came, skipped, failed) = read(archive(&client, config, &budget)).await;
        assert_eq!((came, skipped.len(), failed), (vec![0, 1, 3, 4], 1, attempts));
        let one = &skipped[0];
        assert_eq!((one.raw.bytes.len(), one.raw.size_bytes), (bytes.len(), Some(bytes.len() as u64)));
        assert_is_start(&one.raw.bytes, bytes);
        assert_eq!((one.exceeds, budget.used_bytes()), (exceeds, bytes.len()));
    }
}

/// The fragment that the stream should start with comes from the archive alone, so that its end is the body's.
#[tokio::test]
async fn a_first_fragment_keeps_its_bytes() {
    let (_folder, simulator, client) = stage().await;
    let bad = poison();
    simulator.add_fault(replace(&bad, "GetMediaForFragmentList"));
    let config = with(keeping(1 << 20), |it| {
        it.start = StartSelector::FragmentNumber(number(2).parse().unwrap());
        it.start_inclusive = true;
    });
    let (fragments, others) = pull(&mut puller(&client, "s", None, config), 2).await;
    assert_eq!(indexes(&fragments), [3, 4]);
    assert_eq!(only_skipped(others).raw.size_bytes, Some(bad.len() as u64));
}

#[tokio::test]
async fn a_fragment_that_is_too_large_is_skipped_at_once_and_the_stream_continues() {
    for open in [true, false] {
        let (_folder, simulator, client) = stage().await;
        simulator.add_fault(replace(&large(2, 3, 40_000, open), "GetMedia"));
        let config = with(keeping(1_000), |it| it.limits.fragment_size_bytes = 100_000);
        let (fragments, others) = pull(&mut puller(&client, "s", None, config), 4).await;
        assert_eq!(indexes(&fragments), [0, 1, 3, 4]);
        assert!(!others.iter().any(|other| matches!(other, Pulled::Retrying { .. })), "{others:?}");
        let sessions = others.iter().filter(|other| matches!(other, Pulled::Opened { .. })).count();
        assert_eq!(sessions, 2, "{others:?}");
        let skipped = only_skipped(others);
        assert_eq!(skipped.exceeds, Some(LimitKind::FragmentBytes));
        for part in ["fragment bytes would be 120", "the limit is 100000", "at byte"] {
            assert!(skipped.reason.contains(part), "{part:?}: {}", skipped.reason);
        }
        assert!(!skipped.reason.contains("in a row"), "{}", skipped.reason);
        assert_eq!(skipped.position.fragment_number.as_str(), number(2));
        assert!(skipped.position.server_timestamp.is_some() && skipped.position.producer_timestamp.is_some());
        assert_eq!((skipped.raw.bytes.len(), skipped.raw.size_bytes), (1_000, None));
        // A puller that continues from there does not meet it again.
        let mut again = puller(&client, "s", Some(skipped.position), keeping(0));
        assert_eq!(indexes(&pull(&mut again, 2).await.0), [3, 4]);
    }
}

#[tokio::test]
async fn otherwise_the_stream_fails_at_once_with_size_and_limit() {
    let (_folder, simulator, client) = stage().await;
    simulator.add_fault(replace(&large(2, 3, 40_000, true), "GetMedia"));
    let config = with(config(), |it| it.limits.fragment_size_bytes = 100_000);
    let (mut pulling, mut fragments) = (puller(&client, "s", None, config), 0);
    let error = loop {
        match pulling.next().await {
            Ok(Pulled::Fragment(_)) => fragments += 1,
            Ok(Pulled::Retrying { error, .. }) => panic!("it is tried again: {error}"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(fragments, 2);
    let Error::Media { error: media, .. } = &error else { panic!("{error:?}") };
    assert!(matches!(media.kind(), ErrorKind::TooLarge { what: LimitKind::FragmentBytes, limit: 100_000, .. }));
    assert!(error.to_string().contains("fragment bytes would be 120"), "{error}");
}
