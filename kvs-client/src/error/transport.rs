//! Responses that did not arrive, or not completely: from which server, why, and what to check.

use std::time::Duration;

use nix::libc::{EMFILE, ENFILE};

use super::BoxError;
use crate::shown::with_causes;

/// Reasons why there was no response, or an incomplete one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No connection could be made.
    #[error("{server} cannot be reached: {}{}", cause(source), with_semicolon(*advice))]
    Unreachable {
        /// Host and port.
        server: String,
        /// What to check, if the cause is known.
        advice: Option<&'static str>,
        /// The HTTP client's error.
        source: BoxError,
    },
    /// A connection was made, and broke before a response.
    #[error("{server} does not respond: {}{}", cause(source), with_semicolon(*advice))]
    Unanswered {
        /// Host and port.
        server: String,
        /// What to check, if the cause is known.
        advice: Option<&'static str>,
        /// The HTTP client's error.
        source: BoxError,
    },
    /// There was no response in time.
    #[error("no response{} within {} s", from_server(server.as_deref()), timeout.as_secs_f64())]
    TimedOut {
        /// Host and port, if they are known.
        server: Option<String>,
        /// The timeout.
        timeout: Duration,
    },
    /// The body of a response broke off.
    #[error("the body broke off: {}", with_causes(&**source))]
    BodyBroken {
        /// The HTTP client's error.
        source: BoxError,
    },
    /// A fragment was not completed in time, although bytes arrived.
    #[error("a fragment was not complete after {} s", timeout.as_secs_f64())]
    FragmentTimedOut {
        /// The fragment timeout.
        timeout: Duration,
    },
    /// No byte arrived in the middle of a fragment within the inactivity timeout.
    #[error("no byte arrived for {} s", timeout.as_secs_f64())]
    Stalled {
        /// The inactivity timeout.
        timeout: Duration,
    },
}

impl TransportError {
    /// Describes a request without a response. `is_tls`: it was sent over TLS.
    pub(crate) fn no_answer(server: String, is_tls: bool, error: reqwest::Error) -> Self {
        let connecting = error.is_connect();
        // The URL may contain a password.
        let source: BoxError = Box::new(error.without_url());
        let advice = advice(&with_causes(&*source), is_tls);
        if connecting {
            Self::Unreachable { server, advice, source }
        } else {
            Self::Unanswered { server, advice, source }
        }
    }

    pub(crate) fn body_broken(error: reqwest::Error) -> Self {
        Self::BodyBroken { source: Box::new(error.without_url()) }
    }

    /// Returns whether the server may be the wrong one, because it sent no response at all.
    pub(super) fn is_before_the_answer(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Unanswered { .. })
    }

    /// Returns whether the process or the machine had no file descriptors left.
    pub(super) fn is_out_of_files(&self) -> bool {
        let (Self::Unreachable { source, .. } | Self::Unanswered { source, .. } | Self::BodyBroken { source }) = self
        else {
            return false;
        };
        has_os_error(&**source, &[EMFILE, ENFILE])
    }
}

/// Returns whether one of these error numbers of the operating system is among an error's causes.
fn has_os_error(error: &(dyn std::error::Error + 'static), numbers: &[i32]) -> bool {
    if let Some(io) = error.downcast_ref::<std::io::Error>() {
        if io.raw_os_error().is_some_and(|number| numbers.contains(&number)) {
            return true;
        }
        // An `io::Error` that wraps another one does not list it among its sources.
        if io.get_ref().is_some_and(|inner| has_os_error(inner, numbers)) {
            return true;
        }
    }
    error.source().is_some_and(|source| has_os_error(source, numbers))
}

fn cause(source: &BoxError) -> String {
    let text = with_causes(&**source);
    // The text in front of this is the same for every failure to connect.
    text.split_once("client error (Connect): ").map_or(text.clone(), |(_, cause)| cause.to_owned())
}

fn with_semicolon(advice: Option<&'static str>) -> String {
    advice.map_or(String::new(), |advice| format!("; {advice}"))
}

fn from_server(server: Option<&str>) -> String {
    server.map_or(String::new(), |server| format!(" from {server}"))
}

/// Returns what to check. reqwest, hyper and rustls give no codes for these causes, so their texts decide;
/// `tests/unanswered.rs` provokes each one.
fn advice(text: &str, is_tls: bool) -> Option<&'static str> {
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if has(&["Connection refused"]) {
        Some("nothing is listening there: check the endpoint with its port, the region, and the proxy if there is one")
    } else if has(&["dns error"]) {
        Some("the host name has no address: check the spelling of the endpoint or the region, and the machine's DNS")
    } else if has(&["InvalidContentType", "wrong version number"]) {
        Some("the server does not use TLS: check the endpoint, its port, and whether it should be http://")
    } else if has(&["invalid peer certificate", "certificate verify failed"]) {
        Some("check the endpoint's host, and that its authority is among the trusted certificates")
    } else if has(&["invalid URL, scheme is not http"]) {
        Some("this build has no TLS: see the feature `rustls` of kvs-client")
    } else if !is_tls && has(&["invalid HTTP version", "IncompleteMessage", "connection closed before message"]) {
        Some("check the endpoint, its port, and whether it should be https://")
    } else if has(&["deadline has elapsed", "timed out", "unreachable", "No route to host"]) {
        Some("check the endpoint, the region, and the network between this machine and the server (firewall, proxy)")
    } else {
        None
    }
}

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
