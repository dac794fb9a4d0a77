use super::*;

#[test]
fn a_recording_may_have_any_times() {
    assert_eq!(play_millis(1_000, 5_000, 2_000), 6_000);
    assert_eq!(play_millis(i64::MIN, i64::MAX, i64::MAX), i64::MAX);
    assert_eq!(play_millis(i64::MAX, i64::MIN, 2_000), 0);
}
