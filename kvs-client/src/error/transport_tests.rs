use std::io::{Error, ErrorKind};

use super::*;

fn unreachable(source: impl Into<BoxError>) -> TransportError {
    TransportError::Unreachable { server: "host:443".to_owned(), advice: None, source: source.into() }
}

#[test]
fn missing_file_descriptors_are_detected_at_any_depth() {
    for number in [EMFILE, ENFILE] {
        assert!(unreachable(Error::from_raw_os_error(number)).is_out_of_files());
        let wrapped = Error::other(Error::new(ErrorKind::NotConnected, Error::from_raw_os_error(number)));
        assert!(unreachable(wrapped).is_out_of_files());
    }
    assert!(!unreachable(Error::from_raw_os_error(nix::libc::ECONNREFUSED)).is_out_of_files());
    // A text about descriptors alone does not count.
    assert!(!unreachable("Too many open files (os error 24)").is_out_of_files());
    assert!(!TransportError::TimedOut { server: None, timeout: Duration::ZERO }.is_out_of_files());
}

#[test]
fn a_failure_is_described_once_with_its_advice() {
    let error = TransportError::Unreachable {
        server: "host:443".to_owned(),
        advice: Some("look there"),
        source: "client error (Connect): refused".into(),
    };
    assert_eq!(error.to_string(), "host:443 cannot be reached: refused; look there");
    let timed_out = |server: Option<&str>, seconds| TransportError::TimedOut {
        server: server.map(str::to_owned),
        timeout: Duration::from_secs_f32(seconds),
    };
    assert_eq!(timed_out(Some("host:443"), 20.0).to_string(), "no response from host:443 within 20 s");
    assert_eq!(timed_out(None, 0.5).to_string(), "no response within 0.5 s");
}
