//! What can go wrong, and what to do about it.

use std::fmt;

use kvs_api::{Operation, Violation};
use kvs_mkv::{Broken, ErrorReport, FragmentNumber};

use crate::selector::{StartSelector, is_about_the_token};
use crate::stream_ref::StreamRef;

/// What an error is about: an operation, and the stream it was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The operation.
    pub operation: Operation,
    /// The stream; none for ListStreams.
    pub stream: Option<StreamRef>,
}

impl Subject {
    pub(crate) fn new(operation: Operation, stream: Option<&StreamRef>) -> Self {
        Self { operation, stream: stream.cloned() }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stream {
            Some(stream) => write!(formatter, "{} of stream {stream}", self.operation.name()),
            None => formatter.write_str(self.operation.name()),
        }
    }
}

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
    #[error("{subject}: the service ended the session: {}{}", describe_report(report), in_request(request_id))]
    InStream {
        /// What it is about.
        subject: Subject,
        /// What the service said.
        report: Box<ErrorReport>,
        /// The request's id.
        request_id: Option<String>,
    },
    /// No answer, or one that broke off.
    #[error("{subject}: {reason}{}", in_request(request_id))]
    Transport {
        /// What it is about.
        subject: Subject,
        /// What happened.
        reason: String,
        /// Whether no connection could be made.
        connecting: bool,
        /// The request's id.
        request_id: Option<String>,
    },
    /// Nothing came for long, between two fragments.
    #[error("{subject}: no byte came for {seconds} s{}", in_request(request_id))]
    Silent {
        /// What it is about.
        subject: Subject,
        /// For how long.
        seconds: f64,
        /// The request's id.
        request_id: Option<String>,
    },
    /// The answer is not what the API promises.
    #[error("{subject}: the answer cannot be used: {reason}{}", in_request(request_id))]
    BadAnswer {
        /// What it is about.
        subject: Subject,
        /// What is wrong.
        reason: String,
        /// The request's id.
        request_id: Option<String>,
    },
    /// The media is malformed or passes a limit.
    #[error("{subject}: the media cannot be split: {error}{}", in_request(request_id))]
    Media {
        /// What it is about.
        subject: Subject,
        /// What is wrong, and where.
        error: kvs_mkv::Error,
        /// What had been read of the fragment.
        broken: Box<Broken>,
        /// The request's id.
        request_id: Option<String>,
    },
    /// A fragment cannot be parsed, however often it is pulled.
    #[error(
        "{subject}: {fragment} cannot be parsed: {reason}; it came like that {times} times running. It is passed over, with a \
         notification, if errors.tolerance is all and its number is known; else set the stream's offset behind it{}",
        in_request(request_id)
    )]
    Unparsable {
        /// What it is about.
        subject: Subject,
        /// Which fragment, as far as that is known.
        fragment: Box<str>,
        /// What is wrong, and at which byte of the fragment.
        reason: Box<str>,
        /// How often running it came like that.
        times: u32,
        /// The request's id.
        request_id: Option<String>,
    },
    /// The request would be refused: it was not sent.
    #[error("{subject}: the request is not valid: {}", join(violations))]
    Parameters {
        /// What it is about.
        subject: Subject,
        /// Everything that is wrong with it.
        violations: Vec<Violation>,
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

/// EMFILE and ENFILE, as an [`std::io::Error`] ends its text.
const OUT_OF_FILES: [&str; 2] = ["(os error 24)", "(os error 23)"];

/// A refusal.
#[derive(Debug)]
pub struct ServiceError {
    /// What it is about.
    pub subject: Subject,
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
        let Self { subject, status, error_type, message, request_id, selector } = self;
        write!(formatter, "{subject}: {error_type} (HTTP {status}): {message}")?;
        if let Some(selector) = selector {
            write!(formatter, " (start selector {})", selector.kind())?;
        }
        write!(formatter, "{}", in_request(request_id))
    }
}

/// The end of an error's text: which request it was, if the service said so.
fn in_request(request_id: &Option<String>) -> String {
    request_id.as_ref().map_or(String::new(), |id| format!(" (request id {id})"))
}

fn join(violations: &[Violation]) -> String {
    violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn describe_report(report: &ErrorReport) -> String {
    let number = report.fragment_number.as_ref().map_or(String::new(), |number| format!(" at fragment {number}"));
    let id = report.error_id.map_or("without an id".to_owned(), |id| id.to_string());
    let code = report.error_code.as_deref().unwrap_or("no code");
    let message = report.message.as_deref().map_or(String::new(), |message| format!(": {message}"));
    format!("error {id} ({code}){number}{message}{}", report.error_id.map_or("", advice))
}

/// What an operator has to do about an in-stream error (AWS API reference, GetMedia).
fn advice(error_id: u32) -> &'static str {
    match error_id {
        4500 => "; grant kms:Decrypt on the stream's KMS key to the connector's credentials",
        4501 => "; the stream's KMS key is disabled: enable it in KMS",
        4505 => "; the stream's KMS key is not usable in its state (pending deletion or import): see it in KMS",
        4502 => "; KMS finds the stream's key not valid: see the stream's KmsKeyId",
        4504 => "; the stream's KMS key is not one for encryption: give the stream another one",
        4506 => "; the stream's KMS key is gone: what it encrypted cannot be read any more",
        _ => "",
    }
}

impl Error {
    /// Returns whether no connection could be made because the process, or the machine, has no file descriptors left.
    pub fn is_out_of_files(&self) -> bool {
        matches!(self, Self::Transport { reason, .. } if OUT_OF_FILES.iter().any(|text| reason.contains(text)))
    }

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
            Self::Transport { .. } | Self::Silent { .. } | Self::BadAnswer { .. } | Self::Credentials { .. } => {
                ErrorClass::Retry
            }
            Self::Media { error, .. } if matches!(error.kind(), kvs_mkv::ErrorKind::TooLarge { .. }) => {
                ErrorClass::Fatal
            }
            // A body broken by the way it came is whole the next time.
            Self::Media { .. } => ErrorClass::Retry,
            Self::Parameters { violations, .. } if is_about_the_token(violations) => ErrorClass::Position,
            Self::Config { .. } | Self::Parameters { .. } | Self::Unparsable { .. } => ErrorClass::Fatal,
        }
    }

    /// The request's id, when the service gave one.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Service(error) => error.request_id.as_deref(),
            Self::InStream { request_id, .. }
            | Self::Transport { request_id, .. }
            | Self::Silent { request_id, .. }
            | Self::BadAnswer { request_id, .. }
            | Self::Media { request_id, .. }
            | Self::Unparsable { request_id, .. } => request_id.as_deref(),
            Self::Credentials { .. } | Self::Config { .. } | Self::Parameters { .. } => None,
        }
    }

    /// A short name for metrics: one of a fixed set.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Service(_) => "service",
            Self::InStream { .. } => "in_stream",
            Self::Transport { .. } => "transport",
            Self::Silent { .. } => "silent",
            Self::BadAnswer { .. } => "bad_answer",
            Self::Media { .. } | Self::Unparsable { .. } => "media",
            Self::Credentials { .. } => "credentials",
            Self::Config { .. } => "config",
            Self::Parameters { .. } => "parameters",
        }
    }

    /// HTTP status, when the service refused.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Service(error) => Some(error.status),
            _ => None,
        }
    }

    /// The service's id of an error it told within the media, or its type of a refusal, for metrics: one of those the
    /// service has, or `other`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InStream { report, .. } => match report.error_id {
                Some(3000) => "3000",
                Some(3002) => "3002",
                Some(4000) => "4000",
                Some(4500) => "4500",
                Some(4501) => "4501",
                Some(4502) => "4502",
                Some(4503) => "4503",
                Some(4504) => "4504",
                Some(4505) => "4505",
                Some(4506) => "4506",
                Some(5000) => "5000",
                _ => "other",
            },
            Self::Service(error) => KNOWN_TYPES.iter().find(|known| **known == error.error_type).unwrap_or(&"other"),
            _ => self.reason(),
        }
    }

    /// The operation it is about.
    pub fn operation(&self) -> Option<Operation> {
        match self {
            Self::Service(error) => Some(error.subject.operation),
            Self::InStream { subject, .. }
            | Self::Transport { subject, .. }
            | Self::Silent { subject, .. }
            | Self::BadAnswer { subject, .. }
            | Self::Media { subject, .. }
            | Self::Unparsable { subject, .. }
            | Self::Parameters { subject, .. } => Some(subject.operation),
            Self::Credentials { .. } | Self::Config { .. } => None,
        }
    }

    /// The fragment that the archive says, within the media, it does not have (3000 FRAGMENT_NOT_FOUND); the number is
    /// `None` where it is not named.
    pub(crate) fn missing_fragment(&self) -> Option<Option<&FragmentNumber>> {
        let Self::InStream { report, .. } = self else { return None };
        let missing = match report.error_id {
            Some(id) => id == 3000,
            None => report.error_code.as_deref() == Some("FRAGMENT_NOT_FOUND"),
        };
        missing.then_some(report.fragment_number.as_ref())
    }

    /// Whether the service says that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Service(error) if error.error_type == "ResourceNotFoundException")
    }
}

/// Error types that metrics tell apart.
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
    fn class(&self) -> ErrorClass {
        let is_data_plane = self.subject.operation.endpoint_name().is_some();
        match self.error_type.as_str() {
            "InvalidEndpointException" => ErrorClass::RefreshEndpoint,
            // A data endpoint that has become stale knows the stream no more; the control plane is never stale.
            "ResourceNotFoundException" if is_data_plane => ErrorClass::RefreshEndpoint,
            "ResourceNotFoundException" => ErrorClass::Fatal,
            "ClientLimitExceededException" | "ConnectionLimitExceededException" => ErrorClass::Retry,
            name if name.starts_with("Throttl") || name == "TooManyRequestsException" => ErrorClass::Retry,
            "InvalidArgumentException" if self.selector.as_ref().is_some_and(StartSelector::is_a_place) => {
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
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
