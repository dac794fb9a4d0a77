//! Where a stream continues, and what happens to a position that the service no longer knows.
#![cfg_attr(not(all(feature = "archive", feature = "rustls")), allow(unused_imports))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::*;
use kvs_client::{Continuity, PositionLost, Pulled, StartSelector, StreamPosition, Timestamp};
use kvs_simulator::{Fault, FaultKind, Limits, Pace, Repeat, Simulator, SimulatorConfig};

fn fault(kind: FaultKind, count: u64) -> Fault {
    Fault::new(kind).times(count)
}

fn refuse(status: u16, error_type: &str) -> FaultKind {
    FaultKind::Refuse { status, error_type: error_type.to_owned(), message: "on purpose".to_owned() }
}

/// Returns the lost positions that were reported: the last fragment before each, and the first after it.
fn told(others: &[Pulled]) -> Vec<(String, String)> {
    let ends = |other: &Pulled| match other {
        Pulled::PositionLost { before, after, .. } => {
            Some((before.fragment_number.to_string(), after.fragment_number.to_string()))
        }
        _ => None,
    };
    others.iter().filter_map(ends).collect()
}

#[cfg(feature = "archive")]
/// Started at a position's time, the service returns what is left after it: what expired with the retention is
/// reported.
#[tokio::test]
async fn fragments_lost_during_a_pause_are_reported_or_end_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let mut stream = source("s", &recording(folder.path(), 5));
    (stream.repeat, stream.pace) = (Repeat::Forever, Pace::FragmentsPerSecond(50.0));
    // A day is 240 ms.
    let limits = Limits { retention_hour: Duration::from_millis(10), ..Limits::default() };
    let config_ = SimulatorConfig { streams: vec![stream], limits, ..SimulatorConfig::default() };
    let simulator = Simulator::start(config_).await.unwrap();
    let client = client(&simulator).await;
    let (before, _) = pull(&mut puller(&client, "s", None, config()), 3).await;
    let position = StreamPosition::after(&before[2]);
    // Fragments are only made, and expire, while somebody reads.
    pull(&mut puller(&client, "s", None, with(config(), |it| it.start = StartSelector::Now)), 40).await;
    for (position_lost, gap_check) in
        [(PositionLost::Earliest, false), (PositionLost::Earliest, true), (PositionLost::Now, false)]
    {
        let config = with(config(), |it| {
            it.position_lost = position_lost;
            it.gap_check = gap_check;
        });
        let mut puller = puller(&client, "s", Some(position.clone()), config);
        let (mut fragments, mut lost) = (0, None);
        while lost.is_none() && fragments < 200 {
            match puller.next().await.unwrap() {
                Pulled::Fragment(_) => fragments += 1,
                Pulled::PositionLost { before, fetched, .. } => lost = Some((before, fetched)),
                _ => {}
            }
        }
        let (told, fetched) = lost.expect("the loss is reported");
        assert_eq!((told, fetched.is_some()), (position.clone(), gap_check), "{position_lost:?}");
    }
    for gap_check in [false, true] {
        let config = with(config(), |it| {
            it.position_lost = PositionLost::Fail;
            it.gap_check = gap_check;
        });
        let mut puller = puller(&client, "s", Some(position.clone()), config);
        loop {
            match puller.next().await {
                Ok(Pulled::Fragment(pulled)) => panic!("{gap_check}: {}", pulled.fragment.number),
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }
}

#[tokio::test]
async fn a_lost_position_walks_the_ladder() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(vec![source("s", &recording(folder.path(), 5))]).await;
    let client = client(&simulator).await;
    let position = |token: &str| {
        Some(StreamPosition {
            fragment_number: number(1).parse().unwrap(),
            continuation_token: Some(token.to_owned()),
            server_timestamp: Some(Timestamp::from_millis(1_511_852_111_000)),
            producer_timestamp: None,
            continuity: Continuity::default(),
        })
    };
    // A token that the service does not know: the next rung is the fragment's number.
    let (fragments, others) = pull(&mut puller(&client, "s", position("gone"), config()), 3).await;
    assert_eq!(indexes(&fragments), [2, 3, 4]);
    assert!(matches!(others[0], Pulled::PositionRefused { .. }), "{others:?}");
    assert_eq!(told(&others), []);
    // A token that the service cannot have issued is not sent.
    let (fragments, others) = pull(&mut puller(&client, "s", position("2+/=&<>"), config()), 3).await;
    assert_eq!(indexes(&fragments), [2, 3, 4]);
    assert!(matches!(&others[0], Pulled::PositionRefused { error } if error.request_id().is_none()), "{others:?}");
    assert_eq!(told(&others), []);
    // The number is refused, too: the rest from the last fragment's time on.
    let lost = || fault(FaultKind::ErrorTag { after_fragments: 0, error_id: 4000, error_code: "GONE".to_owned() }, 2);
    simulator.add_fault(lost());
    let (fragments, others) = pull(&mut puller(&client, "s", position("token-1"), config()), 4).await;
    assert_eq!(indexes(&fragments), [1, 2, 3, 4]);
    assert_eq!(told(&others), [(number(1), number(2))]);
    // The time as well: everything that is left.
    simulator.add_fault(lost());
    simulator.add_fault(fault(refuse(400, "InvalidArgumentException"), 1));
    let (fragments, others) = pull(&mut puller(&client, "s", position("token-1"), config()), 5).await;
    assert_eq!(indexes(&fragments), [0, 1, 2, 3, 4]);
    assert_eq!(told(&others), [(number(1), number(2))]);
    simulator.add_fault(lost());
    let failing = with(config(), |it| it.position_lost = PositionLost::Fail);
    let mut puller = puller(&client, "s", position("token-1"), failing);
    let error = loop {
        if let Err(error) = puller.next().await {
            break error;
        }
    };
    assert!(error.to_string().contains("4000"), "{error}");
}
