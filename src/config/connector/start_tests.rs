use kvs_client::{StartSelector, Timestamp};

use super::tests::{problem, with, without_streams};
use super::*;

#[test]
fn start_positions_with_their_companions() {
    let start = |settings: &str| with(settings).unwrap().puller.start;
    assert_eq!(start(r#", "kvs.start.position": "NOW""#), StartSelector::Now);
    let at =
        |text: &str| start(&format!(r#", "kvs.start.position": "SERVER_TIMESTAMP", "kvs.start.timestamp": "{text}""#));
    assert_eq!(
        at("2018-02-23T21:57:47.997Z"),
        StartSelector::ServerTimestamp(Timestamp::from_millis(1_519_423_067_997))
    );
    assert_eq!(at("1519423067.997"), StartSelector::ServerTimestamp(Timestamp::from_millis(1_519_423_067_997)));
    assert!(problem(r#", "kvs.start.position": "FRAGMENT_NUMBER""#).contains("kvs.start.fragment.number: is required"));
    assert!(problem(r#", "kvs.start.timestamp": "1""#).contains("is not used with kvs.start.position=EARLIEST"));
    let token = r#", "kvs.start.position": "CONTINUATION_TOKEN", "kvs.start.continuation.token": "t""#;
    assert!(problem(token).contains("a token belongs to one stream"));
    assert!(problem(r#", "kvs.start.position": "LATEST""#).contains("one of EARLIEST, NOW"));
}

#[test]
fn a_backfill_has_a_beginning_and_an_end() {
    let range = with(r#", "kvs.backfill.from": "2025-11-24T00:00:00Z", "kvs.backfill.to": "1795500000.5""#);
    let range = range.unwrap().backfill.unwrap();
    let millis = (range.from.unwrap().millis(), range.to.unwrap().millis());
    assert_eq!(millis, (1_763_942_400_000, 1_795_500_000_500));
    assert!(
        problem(r#", "kvs.backfill.from": "2099-01-01T00:00:00Z", "kvs.backfill.to": "2099-01-02T00:00:00Z""#)
            .contains("is in the future")
    );
    assert!(problem(r#", "kvs.backfill.from": "1""#).contains("kvs.backfill.to: is required, or kvs.backfill.stop"));
    assert!(problem(r#", "kvs.backfill.to": "1""#).contains("kvs.backfill.from: is required, or kvs.backfill.start"));
    assert!(problem(r#", "kvs.backfill.from": "2", "kvs.backfill.to": "1""#).contains("is before"));
    assert!(problem(r#", "kvs.backfill.from": "x", "kvs.backfill.to": "1""#).contains("RFC 3339"));
    let both = r#", "kvs.backfill.from": "1", "kvs.backfill.to": "2", "kvs.start.position": "NOW""#;
    assert!(problem(both).contains("kvs.start.position: cannot be combined"));
}

#[test]
fn thirteen_digits_are_milliseconds_and_nothing_starts_in_the_future() {
    let start = |text: &str, kind: &str| {
        with(&format!(r#", "kvs.start.position": "{kind}_TIMESTAMP", "kvs.start.timestamp": "{text}""#))
    };
    // As Amazon Connect reports them.
    let config = start("1571360125131", "SERVER").unwrap();
    assert_eq!(config.puller.start, StartSelector::ServerTimestamp(Timestamp::from_millis(1_571_360_125_131)));
    assert_eq!(config.notes, ["kvs.start.timestamp: 1571360125131 is read as milliseconds: 2019-10-18T00:55:25.131Z"]);
    assert!(start("1571360125.131", "SERVER").unwrap().notes.is_empty());
    for text in
        ["157136012513", "15713601251310", "1571360125131000", "1571360125131.5", "1e9", "inf", "-1", "99999999999"]
    {
        let said = start(text, "SERVER").unwrap_err()[0].to_string();
        assert!(said.contains("milliseconds since 1970 (13 digits)"), "{text}: {said}");
    }
    let said = start("2099-01-01T00:00:00Z", "SERVER").unwrap_err()[0].to_string();
    assert!(said.contains("is in the future") && said.contains("2099-01-01T00:00:00.000Z"), "{said}");
    assert!(start("9999999999", "PRODUCER").is_err() && start("4070908800000", "SERVER").is_err());
    let ahead = |seconds: i64| format!("{}", std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64 + seconds);
    // Clocks differ, and a producer's may be far off.
    assert!(start(&ahead(60), "SERVER").is_ok() && start(&ahead(900), "SERVER").is_err());
    assert!(start(&ahead(900), "PRODUCER").is_ok() && start(&ahead(100_000), "PRODUCER").is_err());
    let both = r#", "kvs.backfill.from": "1571360125131", "kvs.backfill.to": "1571360125""#;
    assert!(problem(both).contains("kvs.backfill.to: is before kvs.backfill.from"));
}

/// A connector with one stream.
fn with_one(settings: &str) -> Result<ConnectorConfig, Vec<Problem>> {
    without_streams(&format!(r#", "kvs.streams": "a" {settings}"#))
}

#[test]
fn fragment_numbers_bound_a_backfill_and_a_start_may_include_its_fragment() {
    let (low, high) =
        ("91343852333181432392682062607743920146159169392", "91343852333181432392682062607743920146159169393");
    let bounds = |first: &str, last: &str| {
        let settings = format!(
            r#", "kvs.backfill.start.fragment.number": "{first}", "kvs.backfill.stop.fragment.number": "{last}""#
        );
        with_one(&settings).map(|config| config.backfill.unwrap())
    };
    let read = bounds(low, high).unwrap();
    assert_eq!((read.from, read.to), (None, None));
    assert_eq!((read.first.unwrap().as_str(), read.last.unwrap().as_str()), (low, high));
    assert!(bounds(high, low).unwrap_err()[0].to_string().contains("stop.fragment.number: is before"));
    assert!(bounds("x", low).unwrap_err()[0].to_string().contains("kvs.backfill.start.fragment.number: \"x\""));
    let mixed = format!(r#", "kvs.backfill.start.fragment.number": "{low}", "kvs.backfill.to": "1571360125""#);
    assert!(with_one(&mixed).unwrap().backfill.unwrap().to.is_some());
    assert!(problem(&mixed).contains("belongs to one stream"));

    let start = |more: &str| {
        with_one(&format!(r#", "kvs.start.position": "FRAGMENT_NUMBER", "kvs.start.fragment.number": "{low}" {more}"#))
    };
    assert!(!start("").unwrap().puller.start_inclusive);
    assert!(start(r#", "kvs.start.fragment.inclusive": "true""#).unwrap().puller.start_inclusive);
    assert!(
        problem(r#", "kvs.start.fragment.inclusive": "true""#).contains("requires kvs.start.position=FRAGMENT_NUMBER")
    );
    assert!(problem(r#", "kvs.start.fragment.inclusive": "yes""#).contains("true or false"));
    let two = format!(
        r#", "kvs.start.position": "FRAGMENT_NUMBER", "kvs.start.fragment.number": "{low}", "kvs.start.fragment.inclusive": "true""#
    );
    assert!(problem(&two).contains("belongs to one stream"));
}
