use kvs_client::{ErrorClass, check_endpoint};

use super::*;

#[test]
fn errors_name_the_setting_to_change() {
    let stream = || "front-door".parse().unwrap();
    let number = || "7".parse().unwrap();
    for (error, setting) in [
        (Error::PositionLost { stream: stream(), fragment_number: Some(number()) }, "kvs.position.lost"),
        (Error::StartFragmentMissing { stream: stream(), number: number() }, "kvs.start.fragment.inclusive"),
        (ConfigError::NoRegion.into(), "kvs.region"),
        (ConfigError::Clock.into(), "kvs.clock.offset.ms"),
        (check_endpoint("http://10.0.0.7:9100", false).unwrap_err().into(), "kvs.endpoint.plain.http"),
    ] {
        assert_eq!(error.class(), ErrorClass::Fatal);
        assert!(!error.to_string().contains("kvs."), "the client does not know the setting: {error}");
        let explained = explain(&error);
        assert!(explained.starts_with(&error.to_string()) && explained.contains(setting), "{explained}");
    }
    let other = check_endpoint("ftp://host", false).unwrap_err();
    assert_eq!(explain_endpoint(&other), other.to_string());
}

#[test]
fn why_a_fragment_is_passed_over_names_the_setting_if_it_is_too_large() {
    let passed_over = |exceeds| PassedOver {
        position: kvs_client::StreamPosition {
            fragment_number: "7".parse().unwrap(),
            continuation_token: None,
            server_timestamp: None,
            producer_timestamp: None,
            continuity: kvs_mkv::Continuity::default(),
        },
        reason: "what is wrong".to_owned(),
        request_id: None,
        raw: kvs_client::RawChunk::default(),
        exceeds,
    };
    for (exceeds, expected) in [
        (Some(LimitKind::FragmentBytes), "what is wrong (kvs.fragment.max.size.bytes)"),
        (Some(LimitKind::Tags), "what is wrong"),
        (None, "what is wrong"),
    ] {
        assert_eq!(explain_passed_over(&passed_over(exceeds)), expected);
    }
}
