#![allow(clippy::unwrap_used)]

use super::*;

fn date(text: &str) -> SystemTime {
    httpdate::parse_http_date(text).unwrap()
}

#[test]
fn an_implausible_date_does_not_change_the_clock() {
    let clock = ServiceClock::new(None);
    for nonsense in ["Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"] {
        assert!(!clock.learn(date(nonsense)), "{nonsense}");
    }
    assert_eq!(clock.offset_ms.load(Ordering::Relaxed), 0);
    assert!(clock.learn(SystemTime::now() + Duration::from_secs(365 * 86_400)));
    assert!(clock.learn(SystemTime::now()));
}

#[test]
fn only_years_of_four_digits_can_be_signed() {
    assert!(can_be_written(SystemTime::now()) && can_be_written(SystemTime::UNIX_EPOCH));
    assert!(can_be_written(date("Thu, 31 Dec 9998 23:59:59 GMT")));
    assert!(!can_be_written(date("Fri, 01 Jan 9999 00:00:00 GMT")));
    assert!(!can_be_written(SystemTime::UNIX_EPOCH - Duration::from_secs(1)));
    for offset_ms in [i64::MAX, i64::MIN, 300_000_000_000_000] {
        let now = ServiceClock::new(Some(offset_ms)).now();
        assert!(!can_be_written(now) || apart(now, SystemTime::now()) < Duration::from_secs(60), "{offset_ms}");
    }
}
