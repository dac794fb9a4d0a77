//! How much of the memory budget fragments take.
#![cfg(feature = "archive")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::*;
use kvs_client::{ArchivePuller, ArchiveRange, Archived, MemoryBudget, Pulled, Puller, Timestamp};
use kvs_simulator::{Fault, FaultKind};

#[tokio::test]
async fn a_fragments_permit_is_its_payload_times_the_factor() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(vec![source("s", &recording(folder.path(), 3))]).await;
    let client = client(&simulator).await;
    for factor in [0, 1, 3] {
        let config = with(config(), |it| it.memory_factor = factor);
        let times = factor.max(1) as usize;
        let budget = MemoryBudget::new(64 << 20);
        let mut puller = Puller::new(Arc::clone(&client), "s".parse().unwrap(), None, config.clone(), budget.clone());
        let mut live = Vec::new();
        while live.len() < 3 {
            if let Pulled::Fragment(pulled) = puller.next().await.unwrap() {
                live.push(pulled);
            }
        }
        let from = Timestamp::from_millis(1_511_852_109_000);
        let range = ArchiveRange { from, to: Timestamp::from_millis(from.millis() + 60_000) };
        let stream = "s".parse().unwrap();
        let mut archive = ArchivePuller::new(Arc::clone(&client), stream, range, None, config, budget.clone());
        let mut archived = Vec::new();
        loop {
            match archive.next().await.unwrap() {
                Archived::Fragment(pulled) => archived.push(pulled),
                Archived::Done => break,
                _ => {}
            }
        }
        assert_eq!((live.len(), archived.len()), (3, 3));
        let mut sum = 0;
        for pulled in live.iter().chain(&archived) {
            assert_eq!(pulled.permit.size_bytes(), pulled.fragment.payload.len() * times, "factor {factor}");
            sum += pulled.permit.size_bytes();
        }
        // The connections are closed with their sessions.
        drop((puller, archive));
        assert_eq!(budget.used_bytes(), sum);
        drop((live, archived));
        assert_eq!(budget.used_bytes(), 0);
    }
}

/// What arrives of a fragment before it is known to be too large is within the limit, and what follows is not received.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_for_a_fragment_that_is_too_large_stays_within_the_limit() {
    const LIMIT: usize = 8 << 20;
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(vec![source("s", &recording(folder.path(), 5))]).await;
    let too_large = FaultKind::Replace { fragment: number(2), bytes: large(2, 9, 1 << 20, true) };
    simulator.add_fault(Fault::new(too_large).on("s").api("GetMedia").times(0));
    let client = client_of(with(client_config(&simulator, "test"), |it| {
        // The simulator searches the bytes for tags before it sends the first one.
        it.http.inactivity_timeout = Duration::from_secs(20);
    }))
    .await;
    let budget = MemoryBudget::new(64 << 20);
    let config = with(config(), |it| {
        it.pass_over_unparsable = true;
        it.limits.fragment_size_bytes = LIMIT;
    });
    let mut pulling = Puller::new(client, "s".parse().unwrap(), None, config, budget.clone());
    let (fragments, others) = pull(&mut pulling, 4).await;
    assert_eq!(indexes(&fragments), [0, 1, 3, 4]);
    assert!(others.iter().any(|other| matches!(other, Pulled::PassedOver(_))), "{others:?}");
    // Besides the fragment there are the buffers of a connection and the piece that was read last.
    let most = budget.peak_used_bytes();
    assert!((LIMIT / 2..LIMIT + (3 << 20)).contains(&most), "{most} bytes");
}
