//! What is told of each call.

use std::fmt;
use std::time::Duration;

use kvs_api::Operation;

use crate::stream_ref::StreamRef;

/// One call that is over: for GetMedia and GetMediaForFragmentList, whose answer has begun.
#[derive(Debug, Clone)]
pub struct CallReport<'a> {
    /// The operation.
    pub operation: Operation,
    /// The stream it is about.
    pub stream: Option<&'a StreamRef>,
    /// From the first request to the answer, in all its attempts.
    pub duration: Duration,
    /// How often it was sent.
    pub attempts: u32,
    /// `ok`, or the reason of the error: one of a fixed set.
    pub outcome: &'static str,
    /// HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// The request's id.
    pub request_id: Option<&'a str>,
}

/// Hears of each call: for a log of requests, and for metrics. Must not block.
pub trait CallObserver: Send + Sync {
    /// A call is over.
    fn called(&self, report: &CallReport<'_>);
}

/// Writes each call to the log, at level debug.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogCalls;

impl CallObserver for LogCalls {
    fn called(&self, report: &CallReport<'_>) {
        let CallReport { operation, stream, duration, attempts, outcome, status, request_id } = report;
        tracing::debug!(
            api = operation.name(),
            stream = stream.map(StreamRef::as_str),
            duration_ms = duration.as_millis() as u64,
            attempts,
            outcome,
            status,
            request_id,
            "called"
        );
    }
}

/// Whoever is to hear, for a `Debug` that says no more.
pub(crate) struct Observer(pub(crate) Box<dyn CallObserver>);

impl fmt::Debug for Observer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CallObserver")
    }
}
