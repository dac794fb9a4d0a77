//! What can go wrong, and what to do about it.

use std::fmt;

use kvs_mkv::ErrorReport;

use crate::selector::StartSelector;
use crate::stream_ref::StreamRef;

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// Try again after a while.
    Retry,
    /// Try again after a long while: an operator has to do something first.
    RetrySlowly,
    /// Get the data endpoint again, then try again.
    RefreshEndpoint,
    /// Get credentials again, then try again.
    RefreshCredentials,
    /// The start selector is refused: start from something else.
    Position,
    /// Trying again does not help.
    Fatal,
}

/// Why a call or a session failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service refused a call.
    #[error("{0}")]
    Service(Box<ServiceError>),
    /// The service ended a session with an error, told within the media.
    #[error(
        "{api} of stream {stream}: the service ended the session: {} (request id {})",
        describe_report(report),
        or_none(request_id)
    )]
    InStream {
        /// The operation.
        api: &'static str,
        /// The stream.
        stream: StreamRef,
        /// What the service said.
        report: Box<ErrorReport>,
        /// The request's id.
        request_id: Option<String>,
    },
    /// No answer, or one that broke off.
    #[error("{api} of stream {stream}: {reason} (request id {})", or_none(request_id))]
    Transport {
        /// The operation.
        api: &'static str,
        /// The stream.
        stream: StreamRef,
        /// What happened.
        reason: String,
        /// Whether no connection could be made.
        connecting: bool,
        /// The request's id.
        request_id: Option<String>,
    },
    /// The answer is not what the API promises.
    #[error("{api} of stream {stream}: the answer cannot be used: {reason} (request id {})", or_none(request_id))]
    BadAnswer {
        /// The operation.
        api: &'static str,
        /// The stream.
        stream: StreamRef,
        /// What is wrong.
        reason: String,
        /// The request's id.
        request_id: Option<String>,
    },
    /// The media is malformed or passes a limit.
    #[error("GetMedia of stream {stream}: the media cannot be split: {error} (request id {})", or_none(request_id))]
    Media {
        /// The stream.
        stream: StreamRef,
        /// What is wrong, and where.
        error: kvs_mkv::Error,
        /// The request's id.
        request_id: Option<String>,
    },
    /// There are no credentials.
    #[error("no AWS credentials: {reason}")]
    Credentials {
        /// What the chain says.
        reason: String,
    },
    /// The client cannot be made from its settings.
    #[error("{reason}")]
    Config {
        /// What is wrong.
        reason: String,
    },
}

/// A refusal.
#[derive(Debug)]
pub struct ServiceError {
    /// The operation.
    pub api: &'static str,
    /// The stream.
    pub stream: StreamRef,
    /// HTTP status.
    pub status: u16,
    /// `x-amzn-ErrorType` without what may follow a colon, or the body's `__type`.
    pub error_type: String,
    /// The body's message.
    pub message: String,
    /// The request's id.
    pub request_id: Option<String>,
    /// The start selector that was asked for.
    pub selector: Option<StartSelector>,
}

impl fmt::Display for ServiceError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { api, stream, status, error_type, message, request_id, selector } = self;
        write!(formatter, "{api} of stream {stream}: {error_type} (HTTP {status}): {message}")?;
        if let Some(selector) = selector {
            write!(formatter, " (start selector {})", selector.kind())?;
        }
        write!(formatter, " (request id {})", or_none(request_id))
    }
}

fn or_none(request_id: &Option<String>) -> &str {
    request_id.as_deref().unwrap_or("none")
}

fn describe_report(report: &ErrorReport) -> String {
    let number = report.fragment_number.as_ref().map_or(String::new(), |number| format!(" at fragment {number}"));
    let id = report.error_id.map_or("without an id".to_owned(), |id| id.to_string());
    let code = report.error_code.as_deref().unwrap_or("no code");
    let message = report.message.as_deref().map_or(String::new(), |message| format!(": {message}"));
    format!("error {id} ({code}){number}{message}{}", report.error_id.map_or("", advice))
}

/// What an operator has to do about an in-stream error (AWS developer guide, GetMedia).
fn advice(error_id: u32) -> &'static str {
    match error_id {
        4500 | 4501 | 4505 => "; let the connector's role use the stream's KMS key (kms:Decrypt)",
        4502 | 4504 | 4506 => "; the stream's KMS key is disabled, gone or not usable for this: see the key in KMS",
        _ => "",
    }
}

impl Error {
    /// What to do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Service(error) => error.class(),
            Self::InStream { report, .. } => match report.error_id {
                Some(4000) => ErrorClass::Position,
                Some(4500 | 4501 | 4505) => ErrorClass::RetrySlowly,
                Some(4502 | 4504 | 4506) => ErrorClass::Fatal,
                _ => ErrorClass::Retry,
            },
            Self::Transport { connecting: true, .. } => ErrorClass::RefreshEndpoint,
            Self::Transport { .. } | Self::BadAnswer { .. } | Self::Credentials { .. } => ErrorClass::Retry,
            Self::Media { error, .. } if matches!(error.kind(), kvs_mkv::ErrorKind::TooLarge { .. }) => {
                ErrorClass::Fatal
            }
            // A body broken by the way it came is whole the next time.
            Self::Media { .. } => ErrorClass::Retry,
            Self::Config { .. } => ErrorClass::Fatal,
        }
    }

    /// The request's id, when the service gave one.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Service(error) => error.request_id.as_deref(),
            Self::InStream { request_id, .. }
            | Self::Transport { request_id, .. }
            | Self::BadAnswer { request_id, .. }
            | Self::Media { request_id, .. } => request_id.as_deref(),
            Self::Credentials { .. } | Self::Config { .. } => None,
        }
    }

    /// A short name for metrics: one of a fixed set.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Service(_) => "service",
            Self::InStream { .. } => "in_stream",
            Self::Transport { .. } => "transport",
            Self::BadAnswer { .. } => "bad_answer",
            Self::Media { .. } => "media",
            Self::Credentials { .. } => "credentials",
            Self::Config { .. } => "config",
        }
    }
}

impl ServiceError {
    fn class(&self) -> ErrorClass {
        let is_data_plane = self.api == "GetMedia";
        match self.error_type.as_str() {
            "InvalidEndpointException" => ErrorClass::RefreshEndpoint,
            // A data endpoint that has become stale knows the stream no more; the control plane is never stale.
            "ResourceNotFoundException" if is_data_plane => ErrorClass::RefreshEndpoint,
            "ResourceNotFoundException" => ErrorClass::Fatal,
            "ClientLimitExceededException" | "ConnectionLimitExceededException" => ErrorClass::Retry,
            name if name.starts_with("Throttl") || name == "TooManyRequestsException" => ErrorClass::Retry,
            "InvalidArgumentException" => match self.selector {
                Some(StartSelector::ContinuationToken(_) | StartSelector::FragmentNumber(_)) => ErrorClass::Position,
                _ => ErrorClass::Fatal,
            },
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
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
