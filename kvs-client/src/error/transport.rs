//! An answer that did not come, or not to its end: from which server, why, and what to look at.

use std::time::Duration;

use nix::libc::{EMFILE, ENFILE};

use super::BoxError;
use crate::shown::with_causes;

/// Why no answer came, or why one broke off.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No connection could be made.
    #[error("{server} cannot be reached: {}{}", cause(source), with_semicolon(*advice))]
    Unreachable {
        /// Host and port.
        server: String,
        /// What to look at, where the cause tells.
        advice: Option<&'static str>,
        /// What the HTTP client says.
        source: BoxError,
    },
    /// A connection was made, and broke before an answer came.
    #[error("{server} does not answer: {}{}", cause(source), with_semicolon(*advice))]
    Unanswered {
        /// Host and port.
        server: String,
        /// What to look at, where the cause tells.
        advice: Option<&'static str>,
        /// What the HTTP client says.
        source: BoxError,
    },
    /// No answer came in time.
    #[error("no answer{} within {} s", from_server(server.as_deref()), timeout.as_secs_f64())]
    TimedOut {
        /// Host and port, if they are known.
        server: Option<String>,
        /// How long the answer was awaited.
        timeout: Duration,
    },
    /// The body of an answer broke off.
    #[error("the body broke off: {}", with_causes(&**source))]
    BodyBroken {
        /// What the HTTP client says.
        source: BoxError,
    },
    /// A fragment that had begun was not whole in time, though bytes came.
    #[error("a fragment was not whole after {} s", timeout.as_secs_f64())]
    FragmentTimedOut {
        /// The fragment timeout.
        timeout: Duration,
    },
    /// No byte came in the middle of a fragment for the inactivity timeout.
    #[error("no byte came for {} s", timeout.as_secs_f64())]
    Stalled {
        /// The inactivity timeout.
        timeout: Duration,
    },
}

impl TransportError {
    /// Describes a request that had no answer. `is_tls` says whether it was sent over TLS.
    pub(crate) fn no_answer(server: String, is_tls: bool, error: reqwest::Error) -> Self {
        let connecting = error.is_connect();
        // The URL may hold a password.
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

    /// Returns whether the server may be the wrong one, for it gave no answer at all.
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

/// Returns whether one of these error numbers of the system is among an error's causes.
fn has_os_error(error: &(dyn std::error::Error + 'static), numbers: &[i32]) -> bool {
    if let Some(io) = error.downcast_ref::<std::io::Error>() {
        if io.raw_os_error().is_some_and(|number| numbers.contains(&number)) {
            return true;
        }
        // An `io::Error` that wraps another one leaves it out of its sources.
        if io.get_ref().is_some_and(|inner| has_os_error(inner, numbers)) {
            return true;
        }
    }
    error.source().is_some_and(|source| has_os_error(source, numbers))
}

fn cause(source: &BoxError) -> String {
    let text = with_causes(&**source);
    // What stands before this is the same for every failure to connect.
    text.split_once("client error (Connect): ").map_or(text.clone(), |(_, cause)| cause.to_owned())
}

fn with_semicolon(advice: Option<&'static str>) -> String {
    advice.map_or(String::new(), |advice| format!("; {advice}"))
}

fn from_server(server: Option<&str>) -> String {
    server.map_or(String::new(), |server| format!(" from {server}"))
}

/// Returns what to look at. reqwest, hyper and rustls give no codes for these causes, so their texts decide;
/// `tests/unanswered.rs` provokes each one.
fn advice(text: &str, is_tls: bool) -> Option<&'static str> {
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if has(&["Connection refused"]) {
        Some("nothing listens there: check the endpoint with its port, the region, and the proxy if there is one")
    } else if has(&["dns error"]) {
        Some("no address is known of that host: check how the endpoint or the region is written, and the machine's DNS")
    } else if has(&["InvalidContentType", "wrong version number"]) {
        Some("what listens there does not speak TLS: check the endpoint, its port, and whether http:// is meant")
    } else if has(&["invalid peer certificate", "certificate verify failed"]) {
        Some("check the endpoint's host, and that its authority is among the certificates that are trusted")
    } else if has(&["invalid URL, scheme is not http"]) {
        Some("this build has no TLS: see the feature `rustls` of kvs-client")
    } else if !is_tls && has(&["invalid HTTP version", "IncompleteMessage", "connection closed before message"]) {
        Some("check the endpoint, its port, and whether https:// is meant")
    } else if has(&["deadline has elapsed", "timed out", "unreachable", "No route to host"]) {
        Some("check the endpoint, the region, and what is between this machine and that one (firewall, proxy)")
    } else {
        None
    }
}

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
