use super::*;
use crate::selector::StartSelector;

fn class(operation: Operation, status: u16, error_type: &str, selector: Option<StartSelector>) -> ErrorClass {
    let stream: StreamRef = "s".parse().unwrap();
    let error = ServiceError {
        subject: Subject::new(operation, Some(&stream)),
        status,
        error_type: error_type.to_owned(),
        message: "m".to_owned(),
        request_id: Some("r-1".to_owned()),
        selector,
    };
    assert!(error.to_string().contains("request id r-1"));
    Error::Service(Box::new(error)).class()
}

#[test]
fn each_refusal_has_its_class() {
    let token = || Some(StartSelector::ContinuationToken("t".to_owned()));
    let server_time = || Some(StartSelector::ServerTimestamp(kvs_mkv::Timestamp::from_millis(1)));
    let cases = [
        (Operation::GetMedia, 400, "InvalidEndpointException", None, ErrorClass::RefreshEndpoint),
        (Operation::GetMedia, 404, "ResourceNotFoundException", None, ErrorClass::RefreshEndpoint),
        (Operation::GetDataEndpoint, 404, "ResourceNotFoundException", None, ErrorClass::Fatal),
        (Operation::GetMedia, 400, "ClientLimitExceededException", None, ErrorClass::Retry),
        (Operation::GetMedia, 400, "ConnectionLimitExceededException", None, ErrorClass::Retry),
        (Operation::GetMedia, 400, "ThrottlingException", None, ErrorClass::Retry),
        (Operation::ListFragments, 404, "ResourceNotFoundException", None, ErrorClass::RefreshEndpoint),
        (Operation::ListStreams, 401, "AccessDeniedException", None, ErrorClass::Fatal),
        (Operation::GetMedia, 403, "UnrecognizedClientException", None, ErrorClass::RefreshCredentials),
        (Operation::GetMedia, 500, "InternalFailure", None, ErrorClass::Retry),
        (Operation::GetMedia, 429, "", None, ErrorClass::Retry),
        (Operation::GetMedia, 302, "", None, ErrorClass::Fatal),
        (Operation::GetMedia, 400, "InvalidArgumentException", token(), ErrorClass::Position),
        (Operation::GetMedia, 400, "InvalidArgumentException", server_time(), ErrorClass::Position),
        (Operation::GetMedia, 400, "InvalidArgumentException", Some(StartSelector::Earliest), ErrorClass::Fatal),
        (Operation::GetMedia, 401, "NotAuthorizedException", None, ErrorClass::RefreshCredentials),
        (Operation::GetMedia, 403, "NotAuthorizedException", None, ErrorClass::RefreshCredentials),
        (Operation::GetMedia, 403, "ExpiredTokenException", None, ErrorClass::RefreshCredentials),
        (Operation::GetMedia, 403, "AccessDeniedException", None, ErrorClass::Fatal),
        (Operation::GetMedia, 403, "SomethingNew", None, ErrorClass::RefreshCredentials),
        (Operation::GetMedia, 503, "", None, ErrorClass::Retry),
        (Operation::GetMedia, 418, "SomethingNew", None, ErrorClass::Fatal),
    ];
    for (operation, status, error_type, selector, expected) in cases {
        assert_eq!(class(operation, status, error_type, selector), expected, "{status} {error_type}");
    }
}

#[test]
fn each_error_in_the_media_has_its_class() {
    let class = |error_id| {
        let mut report = Box::<ErrorReport>::default();
        report.error_id = error_id;
        Error::InStream { subject: Subject::new(Operation::GetMedia, None), report, request_id: None }.class()
    };
    for (ids, expected) in [
        (vec![3002, 5000, 4503], ErrorClass::Retry),
        (vec![4500, 4501, 4505], ErrorClass::RetrySlowly),
        (vec![4502, 4504, 4506], ErrorClass::Fatal),
        (vec![4000], ErrorClass::Position),
    ] {
        for id in ids {
            assert_eq!(class(Some(id)), expected, "{id}");
        }
    }
    assert_eq!(class(None), ErrorClass::Retry);
}

#[test]
fn a_missing_request_id_is_not_mentioned() {
    let error = |request_id| Error::Transport {
        subject: Subject::new(Operation::GetMedia, None),
        error: Box::new(TransportError::Stalled { timeout: Duration::from_secs(1) }),
        request_id,
    };
    assert_eq!(error(None).to_string(), "GetMedia: no byte arrived for 1 s");
    assert_eq!(error(Some("r-1".to_owned())).to_string(), "GetMedia: no byte arrived for 1 s (request id r-1)");
}

#[test]
fn errors_lead_to_their_sources() {
    use std::error::Error as _;
    let source: BoxError = Box::new(std::io::Error::from_raw_os_error(nix::libc::EMFILE));
    let error = Error::Transport {
        subject: Subject::new(Operation::GetMedia, None),
        error: Box::new(TransportError::Unreachable { server: "host:443".to_owned(), advice: None, source }),
        request_id: None,
    };
    let transport = error.source().and_then(|source| source.downcast_ref::<Box<TransportError>>());
    let io =
        transport.and_then(|transport| transport.source()).and_then(|source| source.downcast_ref::<std::io::Error>());
    assert_eq!(io.and_then(std::io::Error::raw_os_error), Some(nix::libc::EMFILE));
    assert!(error.is_out_of_files() && error.class() == ErrorClass::RefreshEndpoint);
    let endpoint = EndpointError::PlainHttp { endpoint: "http://host".to_owned() };
    assert_eq!(Error::from(endpoint.clone()).to_string(), endpoint.to_string());
}
