use super::*;

#[test]
fn reads_what_the_service_writes() {
    let cases = [
        ("1511852109.126", Some(1_511_852_109_126)),
        ("0.000", Some(0)),
        ("5.000", Some(5_000)),
        ("17", Some(17_000)),
        ("1.5", Some(1_500)),
        ("1.23456", Some(1_234)),
        ("-2.250", Some(-2_250)),
        ("", None),
        (".5", None),
        ("1e9", None),
        ("99999999999999999999", None),
        ("9223372036854775807.9", None),
    ];
    for (text, millis) in cases {
        assert_eq!(Timestamp::from_seconds_text(text.as_bytes()).map(Timestamp::millis), millis, "{text}");
    }
}

#[test]
fn writes_what_it_reads() {
    for text in ["1511852109.126", "0.000", "-2.250", "5.007"] {
        assert_eq!(Timestamp::from_seconds_text(text.as_bytes()).map(|t| t.to_string()).as_deref(), Some(text));
    }
}
