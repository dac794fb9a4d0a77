use super::*;

#[test]
fn progress_is_correct_for_any_times() {
    assert_eq!(permille(1_000, 2_000, 1_250), 250);
    assert_eq!((permille(1_000, 2_000, i64::MIN), permille(1_000, 2_000, i64::MAX)), (0, 1_000));
    assert_eq!(permille(i64::MIN, i64::MAX, 0), 500);
    assert_eq!((permille(i64::MIN, i64::MAX, i64::MIN), permille(i64::MIN, i64::MAX, i64::MAX)), (0, 1_000));
    // An empty range, and one whose end is before its beginning.
    assert_eq!((permille(5, 5, 5), permille(i64::MAX, i64::MIN, 0)), (0, 0));
}

#[test]
fn a_fragment_of_any_size_fills_a_batch() {
    assert_eq!((with_next(0, 0), with_next(5, 7)), (1, 12));
    assert!(with_next(1, u64::MAX) > BATCH_BYTES);
}
