use super::*;

const NOW_MS: i64 = 1_800_000_000_000;

#[test]
fn the_past_is_listed_in_long_windows() {
    assert_eq!(window(1_000, NOW_MS, WINDOW_MS, NOW_MS), Window::Settled { to_ms: 3_600_999 });
    assert_eq!(window(1_000, 2_000, WINDOW_MS, NOW_MS), Window::Settled { to_ms: 2_000 });
    assert_eq!(window(i64::MAX - 5, i64::MAX, i64::MAX, i64::MAX), Window::Settled { to_ms: i64::MAX });
}

#[test]
fn the_present_is_followed_minute_by_minute() {
    let end_ms = NOW_MS + 86_400_000;
    assert_eq!(window(NOW_MS - 90_000, end_ms, WINDOW_MS, NOW_MS), Window::Settled { to_ms: NOW_MS });
    assert_eq!(window(NOW_MS - 20_000, end_ms, WINDOW_MS, NOW_MS), Window::Unsettled { wait_ms: 39_999 });
    // The last window of a range may be shorter than a minute.
    assert_eq!(window(NOW_MS - 20_000, NOW_MS + 5, WINDOW_MS, NOW_MS), Window::Unsettled { wait_ms: 5 });
    assert_eq!(window(NOW_MS - 20_000, NOW_MS, WINDOW_MS, NOW_MS), Window::Settled { to_ms: NOW_MS });
    // A range that begins in the future is waited for.
    assert_eq!(window(end_ms, i64::MAX, WINDOW_MS, NOW_MS), Window::Unsettled { wait_ms: 86_400_000 + 59_999 });
}
