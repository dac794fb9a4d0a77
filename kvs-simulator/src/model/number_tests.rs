use super::*;

#[test]
fn no_number_follows_the_highest() {
    let before = |counter| compose(counter, 1_700_000_000_000, 7);
    assert!(following(Some(&before(u64::MAX)), 1, 1_700_000_000_000, 0, "a").is_none());
    let next = following(Some(&before(u64::MAX - 1)), 1, 1_700_000_000_000, 0, "a");
    assert!(next.is_some_and(|(_, value)| value > before(u64::MAX - 1)));
}
