#![allow(clippy::unwrap_used)]

use super::*;

fn refused(status: u16, code: &str) -> StoreError {
    let refusal = Refusal { status, code: code.to_owned(), message: "on purpose".to_owned(), region: None };
    let url = StoreUrl::parse("s3://bucket/a").unwrap();
    StoreError::writing(&url, "s3://bucket/a/door/17.mkv", &refusal)
}

#[test]
fn the_kind_follows_from_the_code_before_the_status() {
    use StoreErrorKind::{Busy, Credentials, Denied, Full, NoBucket, Other, WrongRegion};
    for (status, code, kind) in [
        (403, "AccessDenied", Denied),
        (403, "AuthorizationFailure", Denied),
        (403, "InvalidAccessKeyId", Credentials),
        (403, "SignatureDoesNotMatch", Credentials),
        (400, "ExpiredToken", Credentials),
        (403, "RequestTimeTooSkewed", Credentials),
        (401, "", Credentials),
        (404, "NoSuchBucket", NoBucket),
        (404, "", NoBucket),
        (301, "PermanentRedirect", WrongRegion),
        (307, "", WrongRegion),
        (400, "AuthorizationHeaderMalformed", WrongRegion),
        (503, "SlowDown", Busy),
        (429, "", Busy),
        (507, "", Full),
        (400, "EntityTooLarge", Other),
    ] {
        assert_eq!(refused(status, code).kind, kind, "{status} {code}");
    }
    assert!(refused(403, "RequestTimeTooSkewed").to_string().ends_with("; set the clock of this machine"));
    assert_eq!(
        refused(403, "AccessDenied").to_string(),
        "cannot write s3://bucket/a/door/17.mkv: HTTP 403 AccessDenied: on purpose; allow s3:PutObject on the prefix for these \
         credentials, and kms:GenerateDataKey if the bucket has a KMS key"
    );
}

#[test]
fn a_full_or_read_only_disk_is_named() {
    let url = StoreUrl::parse("file:///payloads").unwrap();
    for (errno, kind, said) in [
        (28, StoreErrorKind::Full, "make room"),
        (122, StoreErrorKind::Full, "make room"),
        (30, StoreErrorKind::ReadOnly, "write to the folder"),
        (13, StoreErrorKind::ReadOnly, "write to the folder"),
        (110, StoreErrorKind::TimedOut, ""),
        (5, StoreErrorKind::Other, ""),
    ] {
        let io = std::io::Error::from_raw_os_error(errno);
        let wrapped = object_store::Error::Generic { store: "LocalFileSystem", source: Box::new(io) };
        let error = StoreError::writing(&url, "file:///payloads/door/17.mkv", &wrapped);
        assert!(error.kind == kind && error.to_string().contains(said), "{errno}: {error}");
    }
}
