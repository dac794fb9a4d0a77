//! Fragments that cannot be parsed, or that the archive does not find: skipped once, or reported; never retried for
//! ever.
#![cfg(feature = "archive")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;

use common::*;
use kvs_client::{
    ArchivePuller, ArchiveRange, Archived, Client, Continuity, Error, MemoryBudget, PassedOver, PositionLost, Pulled,
    PullerConfig, StartSelector, StreamPosition, Timestamp,
};
use kvs_simulator::{ErrorTagNames, Fault, FaultKind};

fn tolerant() -> PullerConfig {
    with(config(), |it| it.pass_over_unparsable = true)
}

fn archive(client: &Arc<Client>, config: PullerConfig) -> ArchivePuller {
    let at = |millis: i64| Timestamp::from_millis(1_511_852_109_000 + millis);
    let range = ArchiveRange { from: at(0), to: at(60_000) };
    ArchivePuller::new(Arc::clone(client), "s".parse().unwrap(), range, None, config, MemoryBudget::new(64 << 20))
}

#[tokio::test]
async fn a_fragment_that_is_always_broken_is_skipped_if_tolerated() {
    let (_folder, simulator, client) = stage().await;
    simulator.add_fault(replace(&poison(), "GetMedia"));
    let mut pulling = puller(&client, "s", None, tolerant());
    let (fragments, others) = pull(&mut pulling, 4).await;
    assert_eq!(indexes(&fragments), [0, 1, 3, 4]);
    let passed_over: Vec<&PassedOver> = others
        .iter()
        .filter_map(|other| if let Pulled::PassedOver(one) = other { Some(&**one) } else { None })
        .collect();
    assert_eq!(passed_over.len(), 1, "{others:?}");
    assert_eq!(passed_over[0].position.fragment_number.as_str(), number(2));
    assert!(passed_over[0].reason.contains("SimpleBlock (id 0xA3) at byte"), "{passed_over:?}");
    // The fragment is not skipped at once: it may have been broken in transit.
    assert_eq!(others.iter().filter(|other| matches!(other, Pulled::Retrying { .. })).count(), 2, "{others:?}");
    // A puller that continues from there returns neither this fragment nor one twice.
    let mut again = puller(&client, "s", Some(passed_over[0].position.clone()), tolerant());
    assert_eq!(indexes(&pull(&mut again, 2).await.0), [3, 4]);
}

#[tokio::test]
async fn otherwise_the_stream_fails_with_number_byte_and_reason() {
    let (_folder, simulator, client) = stage().await;
    simulator.add_fault(replace(&poison(), "GetMedia"));
    let mut pulling = puller(&client, "s", None, config());
    let mut fragments = 0;
    let error = loop {
        match pulling.next().await {
            Ok(Pulled::Fragment(_)) => fragments += 1,
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(fragments, 2);
    assert!(matches!(error, Error::Unparsable { times: 3, .. }), "{error}");
    for part in [number(2).as_str(), "SimpleBlock", "at byte", "3 times in a row"] {
        assert!(error.to_string().contains(part), "{part:?}: {error}");
    }
}

#[tokio::test]
async fn a_fragment_broken_in_transit_is_pulled_again() {
    let (_folder, simulator, client) = stage().await;
    for times in [1, 2] {
        simulator.add_fault(replace(&poison(), "GetMedia").times(times));
        let (fragments, others) = pull(&mut puller(&client, "s", None, tolerant()), 5).await;
        assert_eq!(indexes(&fragments), [0, 1, 2, 3, 4]);
        assert!(!others.iter().any(|other| matches!(other, Pulled::PassedOver(_))), "{others:?}");
    }
}

#[tokio::test]
async fn a_broken_head_does_not_hide_the_number_and_one_without_a_number_is_not_skipped() {
    let (_folder, simulator, client) = stage().await;
    let mut chunk = poison();
    // A Tracks element with invalid content, in front of the service's tags.
    let tags = chunk.windows(4).position(|four| four == [0x12, 0x54, 0xC3, 0x67]).unwrap();
    chunk.splice(tags..tags, [0x16, 0x54, 0xAE, 0x6B, 0x82, 0x00, 0x00]);
    simulator.add_fault(replace(&chunk, "GetMedia"));
    let (fragments, others) = pull(&mut puller(&client, "s", None, tolerant()), 4).await;
    assert_eq!(indexes(&fragments), [0, 1, 3, 4], "{others:?}");

    let (_folder, simulator, client) = stage().await;
    simulator.add_fault(replace(&vec![0xFF; 400], "GetMedia"));
    let mut pulling = puller(&client, "s", None, tolerant());
    let error = loop {
        if let Err(error) = pulling.next().await {
            break error.to_string();
        }
    };
    assert!(error.contains(&format!("the fragment after {}, whose number cannot be read", number(1))), "{error}");
}

#[tokio::test]
async fn the_archive_puller_skips_it_too() {
    let (_folder, simulator, client) = stage().await;
    simulator.add_fault(replace(&poison(), "GetMediaForFragmentList"));
    let (mut puller, mut came, mut passed) = (archive(&client, tolerant()), Vec::new(), Vec::new());
    loop {
        match puller.next().await.unwrap() {
            Archived::Fragment(pulled) => came.push(pulled.fragment),
            Archived::PassedOver(one) => passed.push(one.position),
            Archived::Done => break,
            Archived::Retrying { .. } | Archived::Listed => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(indexes(&came), [0, 1, 3, 4]);
    assert_eq!(passed.len(), 1);
    assert_eq!(passed[0].fragment_number.as_str(), number(2));
    assert!(passed[0].server_timestamp.is_some());
    let mut puller = archive(&client, config());
    let error = loop {
        match puller.next().await {
            Ok(Archived::Done) => panic!("it is done"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Unparsable { .. }) && error.to_string().contains(&number(2)), "{error}");
}

/// The fragment that a stream should start with comes from the archive, and the next ones by GetMedia.
#[tokio::test]
async fn a_first_fragment_that_is_always_broken_is_skipped_and_the_stream_continues() {
    let (_folder, simulator, client) = stage().await;
    simulator.add_fault(replace(&poison(), "GetMediaForFragmentList"));
    let start = StartSelector::FragmentNumber(number(2).parse().unwrap());
    let config = with(tolerant(), |it| {
        it.start = start;
        it.start_inclusive = true;
    });
    let (fragments, others) = pull(&mut puller(&client, "s", None, config), 2).await;
    assert_eq!(indexes(&fragments), [3, 4]);
    let passed_over = others.iter().filter(|other| matches!(other, Pulled::PassedOver(_)));
    assert_eq!(passed_over.count(), 1, "{others:?}");
}

#[tokio::test]
async fn fragments_that_the_archive_lists_but_does_not_find_are_missing() {
    for (tag_names, goes_on) in
        [(ErrorTagNames::Seen, false), (ErrorTagNames::Documented, false), (ErrorTagNames::Seen, true)]
    {
        let (_folder, simulator, client) = stage().await;
        let gone = FaultKind::FragmentError {
            fragments: vec![number(1), number(3)],
            error_id: 3000,
            error_code: "FRAGMENT_NOT_FOUND".to_owned(),
            tag_names,
            goes_on,
        };
        simulator.add_fault(Fault::new(gone.clone()).on("s").api("GetMediaForFragmentList").times(0));
        let (mut puller, mut came, mut missing) = (archive(&client, config()), Vec::new(), Vec::new());
        loop {
            match puller.next().await.unwrap() {
                Archived::Fragment(pulled) => came.push(pulled.fragment),
                Archived::Missing { numbers } => missing.extend(numbers.into_iter().map(|one| one.as_str().to_owned())),
                Archived::Done => break,
                Archived::Retrying { .. } | Archived::Listed => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(indexes(&came), [0, 2, 4], "{gone:?}");
        assert_eq!(missing, [number(1), number(3)]);
    }
}

#[tokio::test]
async fn a_gap_is_filled_except_for_what_the_archive_does_not_find() {
    let (_folder, simulator, client) = stage().await;
    let lost = FaultKind::ErrorTag { after_fragments: 0, error_id: 4000, error_code: "FRAGMENT_NOT_FOUND".to_owned() };
    simulator.add_fault(Fault::new(lost).api("GetMedia").times(2));
    let gone = FaultKind::FragmentError {
        fragments: vec![number(2)],
        error_id: 3000,
        error_code: "FRAGMENT_NOT_FOUND".to_owned(),
        tag_names: ErrorTagNames::Seen,
        goes_on: false,
    };
    simulator.add_fault(Fault::new(gone).api("GetMediaForFragmentList").times(0));
    let position = StreamPosition {
        fragment_number: number(0).parse().unwrap(),
        continuation_token: Some("t".to_owned()),
        server_timestamp: Some(Timestamp::from_millis(1_511_852_109_000)),
        producer_timestamp: None,
        continuity: Continuity::default(),
    };
    let config = with(config(), |it| {
        it.position_lost = PositionLost::Now;
        it.gap_check = true;
    });
    let (fragments, _) = pull(&mut puller(&client, "s", Some(position), config), 3).await;
    assert_eq!(indexes(&fragments), [1, 3, 4]);
}
