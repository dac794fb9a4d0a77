use std::time::Duration;

use super::*;

#[tokio::test]
async fn permits_come_back() {
    let budget = MemoryBudget::new(100);
    let mut permit = MemoryPermit::default();
    budget.extend(&mut permit, 60).await;
    let whole = permit.split(50);
    assert_eq!((permit.size_bytes(), whole.size_bytes(), budget.used_bytes()), (10, 50, 60));
    drop(whole);
    assert_eq!(budget.used_bytes(), 10);
}

#[tokio::test]
async fn one_at_a_time_may_go_past_the_budget() {
    let budget = MemoryBudget::new(100);
    let mut first = MemoryPermit::default();
    let mut second = MemoryPermit::default();
    let mut third = MemoryPermit::default();
    budget.extend(&mut first, 60).await;
    budget.extend(&mut second, 40).await;
    // Nobody is whole yet and the budget is spent: the first goes on all the same.
    budget.extend(&mut first, 500).await;
    budget.extend(&mut first, 500).await;
    assert_eq!(first.size_bytes(), 1060);
    let waits = tokio::time::timeout(Duration::from_millis(20), budget.extend(&mut third, 1)).await;
    assert!(waits.is_err());
    let whole = first.split(1060);
    assert_eq!(first.size_bytes(), 0);
    drop(whole);
    budget.extend(&mut third, 1).await;
    assert_eq!(budget.used_bytes(), 41);
}

#[tokio::test]
async fn a_piece_larger_than_the_budget_is_overdrawn() {
    let budget = MemoryBudget::new(10);
    let mut permit = MemoryPermit::default();
    budget.extend(&mut permit, 1000).await;
    assert_eq!((permit.size_bytes(), budget.used_bytes()), (1000, 0));
}

#[tokio::test]
async fn the_overdraft_ends_with_the_fragment_that_needed_it() {
    let budget = MemoryBudget::new(100);
    let mut permit = MemoryPermit::default();
    budget.extend(&mut permit, 100).await;
    // 60 bytes past the budget, of which the fragment takes 50 and the next one has 10.
    budget.extend(&mut permit, 60).await;
    let whole = permit.split(150);
    assert_eq!(whole.size_bytes(), 150);
    let waits = tokio::time::timeout(Duration::from_millis(20), budget.extend(&mut permit, 1)).await;
    assert!(waits.is_err(), "the next fragment goes on past the budget");
    drop(whole);
    let mut next = MemoryPermit { owed_bytes: 10, ..MemoryPermit::default() };
    budget.extend(&mut next, 1).await;
    assert_eq!(budget.used_bytes(), 11);
}
