#![allow(clippy::panic)]

use kvs_mkv::{ChunkWriter, FrameData, LeadingTags, Splitter, Timestamp, Track, TrackKind, TrailingTags};

use super::*;

fn budget(size_bytes: usize) -> (MemoryBudget, Waits) {
    let budget = MemoryBudget::new(size_bytes).with_stalled_after(Duration::from_millis(100));
    (budget, Arc::new(watch::Sender::new(None)))
}

fn claim(budget: &MemoryBudget, waits: &Waits) -> Claim {
    Claim::new(budget, MemoryPermit::default(), Arc::clone(waits), 1)
}

/// Polls once: available memory is granted at once.
async fn is_waiting(claim: &mut Claim, count: usize) -> bool {
    tokio::time::timeout(Duration::ZERO, claim.extend(count)).await.is_err()
}

async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(20), work).await {
        Ok(done) => done,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

#[tokio::test]
async fn permits_come_back() {
    let (budget, waits) = budget(100);
    let mut claim = claim(&budget, &waits);
    claim.extend(60).await;
    let whole = claim.split(50, 10);
    assert_eq!((claim.size_bytes(), whole.size_bytes(), budget.used_bytes()), (10, 50, 60));
    drop(whole);
    assert_eq!((budget.used_bytes(), budget.peak_used_bytes()), (10, 60));
}

#[tokio::test]
async fn each_byte_takes_as_much_memory_as_the_factor_says() {
    let (budget, waits) = budget(1_000);
    let mut claim = Claim::new(&budget, MemoryPermit::default(), Arc::clone(&waits), 3);
    claim.extend(60).await;
    claim.extend(40).await;
    assert_eq!((claim.size_bytes(), budget.used_bytes()), (300, 300));
    let whole = claim.split(50, 10);
    assert_eq!((claim.size_bytes(), whole.size_bytes(), budget.used_bytes()), (30, 150, 180));
    // One fragment at a time may exceed the budget, whatever the factor, and what the next fragment has of it is owed.
    claim.extend(500).await;
    assert_eq!((claim.size_bytes(), budget.used_bytes()), (30 + 1_500, 180));
    let other = claim.split(400, 110);
    drop((whole, other));
    assert_eq!(budget.used_bytes(), 0);
    claim.extend(0).await;
    assert_eq!((claim.size_bytes(), budget.used_bytes()), (330, 330));
    // What a fragment gave back is taken from the memory with which the next session begins.
    drop(claim);
    let begins_with = budget.readmit(90, &waits).await;
    let mut again = Claim::new(&budget, begins_with, waits, 3);
    again.extend(40).await;
    assert_eq!(budget.used_bytes(), 120);
}

#[tokio::test]
async fn one_fragment_at_a_time_may_exceed_the_budget() {
    let (budget, waits) = budget(100);
    let (mut first, mut second, mut third) = (claim(&budget, &waits), claim(&budget, &waits), claim(&budget, &waits));
    first.extend(60).await;
    second.extend(40).await;
    // No fragment is complete and the budget is used up: the first continues nevertheless.
    first.extend(500).await;
    first.extend(500).await;
    assert_eq!(first.size_bytes(), 1060);
    assert!(is_waiting(&mut third, 1).await);
    let whole = first.split(1060, 0);
    assert_eq!(first.size_bytes(), 0);
    drop(whole);
    third.extend(1).await;
    assert_eq!(budget.used_bytes(), 41);
}

#[tokio::test]
async fn a_piece_larger_than_the_budget_is_overdrawn() {
    let (budget, waits) = budget(10);
    let mut claim = claim(&budget, &waits);
    claim.extend(1000).await;
    assert_eq!((claim.size_bytes(), budget.used_bytes()), (1000, 0));
}

#[tokio::test]
async fn the_overdraft_is_released_with_the_fragment_that_needed_it() {
    let (budget, waits) = budget(100);
    let mut claim = claim(&budget, &waits);
    claim.extend(100).await;
    // 60 bytes beyond the budget, of which the fragment uses 50 and the next one 10.
    claim.extend(60).await;
    let whole = claim.split(150, 10);
    assert_eq!(whole.size_bytes(), 150);
    assert!(is_waiting(&mut claim, 1).await, "the next fragment continues beyond the budget");
    drop(whole);
    assert_eq!(budget.used_bytes(), 0);
}

/// 16 MiB, used up by fragments that do not grow, one of them on the overdraft.
async fn full(reading: bool) -> (MemoryBudget, Waits, Vec<Claim>) {
    let (budget, waits) = budget(16 << 20);
    let mut claims = Vec::new();
    while claims.len() < 15 {
        let mut claim = claim(&budget, &waits);
        claim.extend(1 << 20).await;
        claim.set_reading(reading);
        claims.push(claim);
    }
    assert_eq!(budget.used_bytes(), 14 << 20);
    (budget, waits, claims)
}

#[tokio::test]
async fn small_fragments_have_a_reserve_and_large_ones_get_their_turn() {
    let (budget, waits, mut large) = full(false).await;
    let mut waiting = claim(&budget, &waits);
    let mut waits_long = std::pin::pin!(waiting.extend(1 << 20));
    assert!(tokio::time::timeout(Duration::from_millis(20), &mut waits_long).await.is_err());
    let mut small = claim(&budget, &waits);
    soon("room for a small one", small.extend(200 << 10)).await;
    // With more bytes it is no longer small.
    assert!(is_waiting(&mut small, 100 << 10).await);
    // Small fragments that come later do not get the memory that a large one has waited for: they have the reserve.
    let mut others: Vec<Claim> = (0..7).map(|_| claim(&budget, &waits)).collect();
    for other in &mut others {
        soon("room for a small one", other.extend(256 << 10)).await;
    }
    let mut last = claim(&budget, &waits);
    assert!(is_waiting(&mut last, 256 << 10).await);
    drop(large.pop());
    // That was the fragment on the overdraft, which the next in turn gets now.
    soon("the large one's turn", waits_long).await;
}

#[tokio::test]
async fn a_stalled_fragment_gives_its_memory_back_and_waits_behind_others() {
    let (budget, _, stalled) = full(true).await;
    let evicted = stalled.into_iter().map(|claim| {
        tokio::spawn(async move {
            claim.evicted().await;
        })
    });
    let evicted: Vec<_> = evicted.collect();
    let (mut healthy, healthy_waits) = (Vec::new(), Arc::new(watch::Sender::new(None)));
    for _ in 0..4 {
        let mut claim = claim(&budget, &healthy_waits);
        // Larger than a small fragment.
        soon("memory that others have", claim.extend(600 << 10)).await;
        healthy.push(claim);
    }
    assert!(evicted.iter().any(tokio::task::JoinHandle::is_finished));
    assert!(healthy_waits.borrow().is_none());
    // No more than those that waited need.
    assert!(evicted.iter().any(|task| !task.is_finished()));
    for task in &evicted {
        task.abort();
    }
}

#[tokio::test]
async fn a_fragment_that_grows_or_whose_reader_waits_keeps_its_memory() {
    let (budget, waits, claims) = full(false).await;
    let mut waiting = claim(&budget, &waits);
    assert!(tokio::time::timeout(Duration::from_millis(500), waiting.extend(1 << 20)).await.is_err());
    // The waiting is reported.
    assert!(waits.borrow().is_some());
    for claim in &claims {
        assert!(tokio::time::timeout(Duration::ZERO, claim.evicted()).await.is_err());
    }
}

#[tokio::test]
async fn a_fragment_that_gave_its_memory_back_waits_behind_others() {
    let (budget, waits, mut claims) = full(false).await;
    let mut again = std::pin::pin!(budget.readmit(1 << 20, &waits));
    assert!(tokio::time::timeout(Duration::from_millis(20), &mut again).await.is_err());
    let mut healthy = claim(&budget, &waits);
    let mut turn = std::pin::pin!(healthy.extend(4 << 20));
    assert!(tokio::time::timeout(Duration::from_millis(20), &mut turn).await.is_err());
    // Enough for the one that gave its memory back, if the other were not there.
    claims.drain(..3);
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut again).await.is_err());
    claims.drain(..1);
    soon("the one that asked later", turn).await;
    claims.truncate(6);
    let mut readmitted = Claim::new(&budget, soon("room", again).await, Arc::clone(&waits), 1);
    let used = budget.used_bytes();
    // It gets as much as it had before.
    readmitted.extend(1 << 20).await;
    assert_eq!(budget.used_bytes(), used);
}

#[tokio::test]
async fn a_waiter_that_gives_up_blocks_nobody() {
    let (budget, waits, mut claims) = full(false).await;
    let (mut gone, mut next) = (claim(&budget, &waits), claim(&budget, &waits));
    let mut behind = std::pin::pin!(next.extend(1 << 20));
    {
        let mut leaving = std::pin::pin!(gone.extend(8 << 20));
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut leaving).await.is_err());
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut behind).await.is_err());
        drop(claims.remove(0));
        assert!(tokio::time::timeout(Duration::from_millis(300), &mut behind).await.is_err(), "its turn is not yet");
    }
    soon("the one behind", behind).await;
}

#[tokio::test]
async fn a_grant_that_is_never_received_is_returned() {
    let (budget, waits) = budget(100);
    let mut holder = claim(&budget, &waits);
    holder.extend(100).await;
    // The overdraft, so that the next one waits.
    holder.extend(1).await;
    let mut gone = claim(&budget, &waits);
    {
        let mut leaving = std::pin::pin!(gone.extend(60));
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut leaving).await.is_err());
        // The grant has been sent when its receiver is dropped.
        drop(holder);
        assert_eq!(budget.used_bytes(), 60);
    }
    assert_eq!(budget.used_bytes(), 0);
}

/// Receives most of a fragment with the budget's buffers, and drops it.
fn receive_and_drop(budget: &MemoryBudget) {
    let leading = LeadingTags {
        number: "7".parse().unwrap(),
        server_timestamp: Timestamp::from_millis(0),
        producer_timestamp: Timestamp::from_millis(0),
    };
    let frames = [FrameData { track: 1, timestamp_ns: 0, key: true, data: &[7; 300_000] }];
    let trailing = TrailingTags { millis_behind_now: 0, continuation_token: "7".to_owned() };
    let tracks = [Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC")];
    let chunk = ChunkWriter::new("tests").chunk(&tracks, &[], &leading, 0, &frames, &trailing);
    let mut splitter = Splitter::default().with_pool(budget.buffers());
    assert!(splitter.push(&mut &chunk[..chunk.len() - 1]).unwrap().is_none());
}

#[tokio::test]
async fn buffers_are_kept_only_in_memory_that_nobody_has() {
    let (budget, waits) = budget(8 << 20);
    receive_and_drop(&budget);
    assert!(budget.buffers().kept_bytes() > 300_000);
    let mut claim = claim(&budget, &waits);
    claim.extend(6 << 20).await;
    assert!(budget.buffers().kept_bytes() > 300_000);
    claim.extend(1 << 20).await;
    assert_eq!(budget.buffers().kept_bytes(), 0);
    receive_and_drop(&budget);
    assert_eq!(budget.buffers().kept_bytes(), 0);
    drop(claim);
    receive_and_drop(&budget);
    assert!(budget.buffers().kept_bytes() > 300_000);
}
