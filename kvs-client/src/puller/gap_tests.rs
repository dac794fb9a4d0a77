use super::*;

#[test]
fn a_server_time_in_the_future_is_not_waited_for() {
    let now = Timestamp::from_millis(1_700_000_000_000);
    let range = |from_ms: i64| {
        let range = missed(Timestamp::from_millis(from_ms), now)?;
        Some((range.from.millis(), range.to.millis()))
    };
    assert_eq!(range(1_699_999_000_000), Some((1_699_999_000_000, 1_700_000_000_000)));
    // The service's clock is a little ahead of ours.
    assert_eq!(range(1_700_000_060_000), Some((1_700_000_060_000, 1_700_000_060_000)));
    for nonsense in [i64::MIN, -1, 1_700_000_300_001, 9_000_000_000_000_000, i64::MAX] {
        assert_eq!(range(nonsense), None, "{nonsense}");
    }
}
