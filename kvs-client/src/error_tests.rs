use super::*;

fn class(api: &'static str, status: u16, error_type: &str, selector: Option<StartSelector>) -> ErrorClass {
    let stream = "s".parse().unwrap();
    let error = ServiceError {
        api,
        stream,
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
    let cases = [
        ("GetMedia", 400, "InvalidEndpointException", None, ErrorClass::RefreshEndpoint),
        ("GetMedia", 404, "ResourceNotFoundException", None, ErrorClass::RefreshEndpoint),
        ("GetDataEndpoint", 404, "ResourceNotFoundException", None, ErrorClass::Fatal),
        ("GetMedia", 400, "ClientLimitExceededException", None, ErrorClass::Retry),
        ("GetMedia", 400, "ConnectionLimitExceededException", None, ErrorClass::Retry),
        ("GetMedia", 400, "ThrottlingException", None, ErrorClass::Retry),
        ("GetMedia", 400, "InvalidArgumentException", token(), ErrorClass::Position),
        ("GetMedia", 400, "InvalidArgumentException", Some(StartSelector::Earliest), ErrorClass::Fatal),
        ("GetMedia", 401, "NotAuthorizedException", None, ErrorClass::RefreshCredentials),
        ("GetMedia", 403, "NotAuthorizedException", None, ErrorClass::RefreshCredentials),
        ("GetMedia", 403, "ExpiredTokenException", None, ErrorClass::RefreshCredentials),
        ("GetMedia", 403, "AccessDeniedException", None, ErrorClass::Fatal),
        ("GetMedia", 403, "SomethingNew", None, ErrorClass::RefreshCredentials),
        ("GetMedia", 503, "", None, ErrorClass::Retry),
        ("GetMedia", 418, "SomethingNew", None, ErrorClass::Fatal),
    ];
    for (api, status, error_type, selector, expected) in cases {
        assert_eq!(class(api, status, error_type, selector), expected, "{status} {error_type}");
    }
}

#[test]
fn each_error_in_the_media_has_its_class() {
    let class = |error_id| {
        let report = Box::new(ErrorReport { fragment_number: None, error_id, error_code: None, message: None });
        let stream = "s".parse().unwrap();
        Error::InStream { api: "GetMedia", stream, report, request_id: None }.class()
    };
    assert_eq!(class(Some(3002)), ErrorClass::Retry);
    assert_eq!(class(Some(4000)), ErrorClass::Position);
    assert_eq!(class(Some(4500)), ErrorClass::RetrySlowly);
    assert_eq!(class(Some(4503)), ErrorClass::Retry);
    assert_eq!(class(Some(4506)), ErrorClass::Fatal);
    assert_eq!(class(Some(5000)), ErrorClass::Retry);
    assert_eq!(class(None), ErrorClass::Retry);
}
