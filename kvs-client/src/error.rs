//! Reasons why a call or a session failed, and what to do about it.
//!
//! The text of an [`Error`] is complete: it includes the texts of its sources, shortened and safe to show. The sources
//! are for code that looks for one of them.

mod answer;
mod config;
mod service;
mod transport;

use std::fmt;
use std::time::Duration;

use kvs_api::{Operation, Violation};
use kvs_mkv::{Broken, ErrorReport, FragmentNumber};

use crate::selector::is_about_the_token;
use crate::stream_ref::StreamRef;

pub use answer::AnswerError;
pub use config::{ConfigError, CredentialsError, EndpointError};
pub use service::ServiceError;
pub use transport::TransportError;

/// An error of a dependency, whose type is not part of this crate's interface.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What an error is about: an operation, and the stream that it was for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subject {
    /// The operation of the service's API.
    pub operation: Operation,
    /// The stream; `None` for ListStreams.
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
#[non_exhaustive]
pub enum ErrorClass {
    /// Try again after a while.
    Retry,
    /// Try again after a long while: an operator has to act first.
    RetrySlowly,
    /// Request the data endpoint again, then retry.
    RefreshEndpoint,
    /// Fetch credentials again, then retry.
    RefreshCredentials,
    /// Start from another position: the service refused the start selector.
    Position,
    /// Give up: trying again does not help.
    Fatal,
}

/// Reasons why a call or a session failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service refused a call.
    #[error(transparent)]
    Service(Box<ServiceError>),
    /// The service ended a session with an error that it reported within the media.
    #[error("{subject}: the service ended the session: {}{}", describe_report(report), in_request(request_id))]
    InStream {
        /// The session's operation and stream.
        subject: Subject,
        /// What the service reported.
        report: Box<ErrorReport>,
        /// The session's request id.
        request_id: Option<String>,
    },
    /// There was no response, or an incomplete one.
    #[error("{subject}: {error}{}", in_request(request_id))]
    Transport {
        /// The operation and stream.
        subject: Subject,
        /// What happened to the connection.
        #[source]
        error: Box<TransportError>,
        /// The request id, if the response had begun.
        request_id: Option<String>,
    },
    /// No byte arrived between two fragments within the inactivity timeout.
    #[error("{subject}: no byte arrived for {} s{}", timeout.as_secs_f64(), in_request(request_id))]
    Silent {
        /// The session's operation and stream.
        subject: Subject,
        /// The inactivity timeout.
        timeout: Duration,
        /// The session's request id.
        request_id: Option<String>,
    },
    /// The service's response is not what its API promises.
    #[error("{subject}: the response cannot be used: {error}{}", in_request(request_id))]
    BadAnswer {
        /// The operation and stream.
        subject: Subject,
        /// What is wrong with the response.
        #[source]
        error: Box<AnswerError>,
        /// The request id.
        request_id: Option<String>,
    },
    /// The media is malformed or exceeds a limit.
    #[error("{subject}: the media cannot be split: {error}{}", in_request(request_id))]
    Media {
        /// The session's operation and stream.
        subject: Subject,
        /// What is wrong, and where.
        #[source]
        error: kvs_mkv::Error,
        /// What had been read of the fragment, without its bytes.
        broken: Box<Broken>,
        /// The fragment's bytes; see [`PassedOver::raw`](crate::PassedOver::raw).
        raw: Box<crate::raw::RawChunk>,
        /// The session's request id.
        request_id: Option<String>,
    },
    /// A fragment cannot be parsed, and was broken in the same way each time it was pulled.
    #[error(
        "{subject}: {} cannot be parsed: {}; it arrived like that {times} times in a row{}",
        describe_fragment(number.as_ref(), after.as_ref()),
        describe_media_error(error, *byte),
        in_request(request_id)
    )]
    Unparsable {
        /// The session's operation and stream.
        subject: Box<Subject>,
        /// The fragment's number, if it could be read.
        number: Option<FragmentNumber>,
        /// The last complete fragment before it; `None` for a stream's first.
        after: Option<FragmentNumber>,
        /// What is wrong.
        #[source]
        error: kvs_mkv::Error,
        /// Where in the fragment, in bytes from its beginning.
        byte: u64,
        /// How many consecutive times it arrived like that.
        times: u32,
        /// The request id of the last session.
        request_id: Option<String>,
    },
    /// The archive lists a fragment, and does not send it, time after time.
    #[error("{subject}: the archive lists fragment {number}, and does not send it however often it is requested")]
    NotSent {
        /// The operation and stream.
        subject: Subject,
        /// The fragment.
        number: FragmentNumber,
    },
    /// The service would refuse the request, so it was not sent.
    #[error("{subject}: the request is not valid: {}", join(violations))]
    Parameters {
        /// The operation and stream.
        subject: Subject,
        /// Everything that is wrong with the request.
        violations: Vec<Violation>,
    },
    /// The service no longer knows the stream's position, and [`PositionLost::Fail`](crate::PositionLost::Fail) is set.
    #[error(
        "stream {stream}: the service no longer knows its position{}, and the settings end the stream in that case: \
         fragments may be gone",
        in_parentheses(fragment_number.as_ref())
    )]
    PositionLost {
        /// The stream.
        stream: StreamRef,
        /// The last fragment before the loss.
        fragment_number: Option<FragmentNumber>,
    },
    /// The archive does not have the fragment with which the stream should start.
    #[error(
        "stream {stream}: the archive does not have fragment {number}, with which the stream should start: it is older \
         than the stream's retention, or belongs to another stream; start after it, or elsewhere"
    )]
    StartFragmentMissing {
        /// The stream.
        stream: StreamRef,
        /// The fragment.
        number: FragmentNumber,
    },
    /// There are no credentials.
    #[error("no AWS credentials: {0}")]
    Credentials(#[source] Box<CredentialsError>),
    /// The settings cannot be used.
    #[error(transparent)]
    Config(Box<ConfigError>),
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Config(Box::new(error))
    }
}

impl From<EndpointError> for Error {
    fn from(error: EndpointError) -> Self {
        ConfigError::Endpoint(error).into()
    }
}

/// Returns the end of an error's text: the request id, if there is one.
fn in_request(request_id: &Option<String>) -> String {
    request_id.as_ref().map_or(String::new(), |id| format!(" (request id {id})"))
}

fn in_parentheses(number: Option<&FragmentNumber>) -> String {
    number.map_or(String::new(), |number| format!(" (fragment {number})"))
}

fn join(violations: &[Violation]) -> String {
    violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn describe_fragment(number: Option<&FragmentNumber>, after: Option<&FragmentNumber>) -> String {
    match (number, after) {
        (Some(number), _) => format!("fragment {number}"),
        (None, Some(after)) => format!("the fragment after {after}, whose number cannot be read,"),
        (None, None) => "the first fragment, whose number cannot be read,".to_owned(),
    }
}

/// Returns what is wrong with a fragment's media, with the position in the fragment instead of the one in the session.
pub(crate) fn describe_media_error(error: &kvs_mkv::Error, byte: u64) -> String {
    format!("{} (id 0x{:X}) at byte {byte}: {}", error.element(), error.element_id(), error.kind())
}

fn describe_report(report: &ErrorReport) -> String {
    let number = report.fragment_number.as_ref().map_or(String::new(), |number| format!(" at fragment {number}"));
    let id = report.error_id.map_or("without an id".to_owned(), |id| id.to_string());
    let code = report.error_code.as_deref().unwrap_or("no code");
    let message = report.message.as_deref().map_or(String::new(), |message| format!(": {message}"));
    format!("error {id} ({code}){number}{message}{}", report.error_id.map_or("", advice))
}

/// Returns what an operator has to do about an error within the media (AWS API reference, GetMedia).
fn advice(error_id: u32) -> &'static str {
    match error_id {
        4500 => "; grant kms:Decrypt on the stream's KMS key to the connector's credentials",
        4501 => "; the stream's KMS key is disabled: enable it in KMS",
        4505 => "; the stream's KMS key cannot be used in its state (pending deletion or import): check it in KMS",
        4502 => "; KMS considers the stream's key invalid: check the stream's KmsKeyId",
        4504 => "; the stream's KMS key is not for encryption: give the stream another one",
        4506 => "; the stream's KMS key was deleted: what it encrypted can no longer be read",
        _ => "",
    }
}

impl Error {
    /// Returns the error for a response that is not as it should be.
    pub(crate) fn bad_answer(
        operation: Operation,
        stream: Option<&StreamRef>,
        error: AnswerError,
        request_id: Option<String>,
    ) -> Self {
        Self::BadAnswer { subject: Subject::new(operation, stream), error: Box::new(error), request_id }
    }

    /// Returns whether a connection failed because the process, or the machine, has no file descriptors left.
    pub fn is_out_of_files(&self) -> bool {
        matches!(self, Self::Transport { error, .. } if error.is_out_of_files())
    }

    /// Returns what to do about the error.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Service(error) => error.class(),
            Self::InStream { report, .. } => match report.error_id {
                Some(4000) => ErrorClass::Position,
                Some(4500 | 4501 | 4505) => ErrorClass::RetrySlowly,
                Some(4502 | 4504 | 4506) => ErrorClass::Fatal,
                _ => ErrorClass::Retry,
            },
            Self::Transport { error, .. } if error.is_before_the_answer() => ErrorClass::RefreshEndpoint,
            Self::Transport { .. }
            | Self::Silent { .. }
            | Self::BadAnswer { .. }
            | Self::NotSent { .. }
            | Self::Credentials(_) => ErrorClass::Retry,
            Self::Media { error, .. } if matches!(error.kind(), kvs_mkv::ErrorKind::TooLarge { .. }) => {
                ErrorClass::Fatal
            }
            // A body that was broken in transit is intact the next time.
            Self::Media { .. } => ErrorClass::Retry,
            Self::Parameters { violations, .. } if is_about_the_token(violations) => ErrorClass::Position,
            Self::Config(_)
            | Self::Parameters { .. }
            | Self::PositionLost { .. }
            | Self::StartFragmentMissing { .. }
            | Self::Unparsable { .. } => ErrorClass::Fatal,
        }
    }

    /// Returns the request id, if there is one.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Service(error) => error.request_id.as_deref(),
            Self::InStream { request_id, .. }
            | Self::Transport { request_id, .. }
            | Self::Silent { request_id, .. }
            | Self::BadAnswer { request_id, .. }
            | Self::Media { request_id, .. }
            | Self::Unparsable { request_id, .. } => request_id.as_deref(),
            Self::Credentials(_)
            | Self::Config(_)
            | Self::NotSent { .. }
            | Self::Parameters { .. }
            | Self::PositionLost { .. }
            | Self::StartFragmentMissing { .. } => None,
        }
    }

    /// Returns a short name of the kind of error, one of a fixed set, for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Service(_) => "service",
            Self::InStream { .. } => "in_stream",
            Self::Transport { .. } => "transport",
            Self::Silent { .. } => "silent",
            Self::BadAnswer { .. } | Self::NotSent { .. } => "bad_answer",
            Self::Media { .. } | Self::Unparsable { .. } => "media",
            Self::Credentials(_) => "credentials",
            Self::Config(_) | Self::PositionLost { .. } | Self::StartFragmentMissing { .. } => "config",
            Self::Parameters { .. } => "parameters",
        }
    }

    /// Returns the HTTP status of an error response.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Service(error) => Some(error.status),
            _ => None,
        }
    }

    /// Returns the service's id of an error within the media, or its type of an error response, for metrics: one of the
    /// documented ones, or `other`. For an error of another kind this is its [`Error::reason`].
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
            Self::Service(error) => error.known_type(),
            _ => self.reason(),
        }
    }

    /// Returns the operation that failed.
    pub fn operation(&self) -> Option<Operation> {
        match self {
            Self::Service(error) => Some(error.subject.operation),
            Self::InStream { subject, .. }
            | Self::Transport { subject, .. }
            | Self::Silent { subject, .. }
            | Self::BadAnswer { subject, .. }
            | Self::Media { subject, .. }
            | Self::NotSent { subject, .. }
            | Self::Parameters { subject, .. } => Some(subject.operation),
            Self::Unparsable { subject, .. } => Some(subject.operation),
            Self::Credentials(_) | Self::Config(_) | Self::PositionLost { .. } | Self::StartFragmentMissing { .. } => {
                None
            }
        }
    }

    /// Returns the fragment that the archive reported within the media as missing (3000 FRAGMENT_NOT_FOUND). The inner
    /// `None` stands for a report that names no fragment.
    #[cfg(feature = "archive")]
    pub(crate) fn missing_fragment(&self) -> Option<Option<&FragmentNumber>> {
        let Self::InStream { report, .. } = self else { return None };
        let missing = match report.error_id {
            Some(id) => id == 3000,
            None => report.error_code.as_deref() == Some("FRAGMENT_NOT_FOUND"),
        };
        missing.then_some(report.fragment_number.as_ref())
    }

    /// Returns whether the service says that there is no such stream or fragment.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Service(error) if error.error_type == "ResourceNotFoundException")
    }
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
