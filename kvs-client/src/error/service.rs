//! Error responses of the service, and what to do about each type.

use std::fmt;

use super::{ErrorClass, Subject, in_request};
use crate::selector::StartSelector;

/// A call that the service refused.
#[derive(Debug)]
#[non_exhaustive]
pub struct ServiceError {
    /// The operation and stream.
    pub subject: Subject,
    /// The HTTP status.
    pub status: u16,
    /// The error's type: `x-amzn-ErrorType` up to a colon, or the body's `__type`.
    pub error_type: String,
    /// The message in the body, shortened to 500 characters and safe to show.
    pub message: String,
    /// The request id.
    pub request_id: Option<String>,
    /// The start selector of the request, for GetMedia.
    pub selector: Option<StartSelector>,
}

impl std::error::Error for ServiceError {}

impl fmt::Display for ServiceError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, status, error_type, message, request_id, selector } = self;
        write!(formatter, "{subject}: {error_type} (HTTP {status}): {message}")?;
        if let Some(selector) = selector {
            write!(formatter, " (start selector {})", selector.kind())?;
        }
        write!(formatter, "{}", in_request(request_id))
    }
}

/// The error types that metrics distinguish.
const KNOWN_TYPES: [&str; 16] = [
    "ResourceNotFoundException",
    "NotAuthorizedException",
    "InvalidEndpointException",
    "ClientLimitExceededException",
    "ConnectionLimitExceededException",
    "InvalidArgumentException",
    "AccessDeniedException",
    "ExpiredTokenException",
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "RequestTimeTooSkewed",
    "ThrottlingException",
    "InternalFailure",
    "ServiceUnavailable",
    "VersionMismatchException",
    "UnknownOperationException",
];

impl ServiceError {
    /// Returns the error's type if it is one of a fixed set, otherwise `other`.
    pub(super) fn known_type(&self) -> &'static str {
        KNOWN_TYPES.iter().find(|known| **known == self.error_type).unwrap_or(&"other")
    }

    /// Returns what to do about the refusal.
    pub(super) fn class(&self) -> ErrorClass {
        let is_data_plane = self.subject.operation.endpoint_name().is_some();
        match self.error_type.as_str() {
            "InvalidEndpointException" => ErrorClass::RefreshEndpoint,
            // A stale data endpoint no longer knows the stream; the control plane is never stale.
            "ResourceNotFoundException" if is_data_plane => ErrorClass::RefreshEndpoint,
            "ResourceNotFoundException" => ErrorClass::Fatal,
            "ClientLimitExceededException" | "ConnectionLimitExceededException" => ErrorClass::Retry,
            name if name.starts_with("Throttl") || name == "TooManyRequestsException" => ErrorClass::Retry,
            "InvalidArgumentException" if self.selector.as_ref().is_some_and(StartSelector::is_position) => {
                ErrorClass::Position
            }
            "InvalidArgumentException" => ErrorClass::Fatal,
            "AccessDeniedException" | "AccessDenied" => ErrorClass::Fatal,
            "NotAuthorizedException"
            | "ExpiredTokenException"
            | "ExpiredToken"
            | "RequestExpired"
            | "RequestTimeTooSkewed"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "IncompleteSignatureException"
            | "MissingAuthenticationTokenException" => ErrorClass::RefreshCredentials,
            _ => match self.status {
                401 | 403 => ErrorClass::RefreshCredentials,
                408 | 425 | 429 | 500..=599 => ErrorClass::Retry,
                _ => ErrorClass::Fatal,
            },
        }
    }

    /// Returns whether the refusal may be caused by a wrong clock.
    pub(crate) fn is_about_time(&self) -> bool {
        matches!(
            self.error_type.as_str(),
            "RequestTimeTooSkewed" | "RequestExpired" | "InvalidSignatureException" | "SignatureDoesNotMatch"
        )
    }
}
