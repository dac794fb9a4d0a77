use super::*;

#[test]
fn the_lag_of_any_record_can_be_shown() {
    assert_eq!(lag_ms(5_000, 3_000), 2_000);
    assert_eq!((lag_ms(5_000, i64::MIN), lag_ms(5_000, i64::MAX)), (i64::MAX, 0));
}
