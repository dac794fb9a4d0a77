use super::*;

#[test]
fn frames_at_both_ends_of_time_are_too_far_apart() {
    assert!(is_too_long(i64::MIN, i64::MAX));
    assert!(is_too_long(-1, i64::MAX));
    let longest_ns = FRAGMENT_MAX_MILLIS * 1_000_000;
    assert_eq!((is_too_long(5, 5 + longest_ns), is_too_long(0, longest_ns + 1_000_000)), (false, true));
}
