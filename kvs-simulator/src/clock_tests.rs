use super::*;

#[test]
fn a_clock_with_any_offset_can_be_written_as_a_date() {
    let date = |offset_millis: i64| {
        let now = Clock { offset_millis }.now();
        (humantime::format_rfc3339_seconds(now).to_string(), httpdate::fmt_http_date(now))
    };
    assert_eq!(date(i64::MIN), ("1970-01-01T00:00:00Z".to_owned(), "Thu, 01 Jan 1970 00:00:00 GMT".to_owned()));
    assert_eq!(date(i64::MAX), ("9999-01-01T00:00:00Z".to_owned(), "Fri, 01 Jan 9999 00:00:00 GMT".to_owned()));
    let ahead = Clock { offset_millis: 3_600_000 }.now().duration_since(SystemTime::now());
    assert!(ahead.is_ok_and(|ahead| ahead > Duration::from_secs(3_000)));
}
