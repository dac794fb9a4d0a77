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
