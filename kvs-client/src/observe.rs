//! Reports on calls, for logs and metrics.

use std::fmt;
use std::time::Duration;

use kvs_api::Operation;

use crate::stream_ref::StreamRef;

/// A finished call. A call of GetMedia or GetMediaForFragmentList is finished when its response has begun.
#[derive(Debug, Clone)]
pub struct CallReport<'a> {
    /// The operation.
    pub operation: Operation,
    /// The stream that the call was about; `None` for ListStreams.
    pub stream: Option<&'a StreamRef>,
    /// The duration of all attempts together, from the first request to the response.
    pub duration: Duration,
    /// How many times the call was sent.
    pub attempts: u32,
    /// `ok`, or the [`Error::code`](crate::Error::code) of the error: one of a fixed set.
    pub outcome: &'static str,
    /// The HTTP status, if there was a response.
    pub status: Option<u16>,
    /// The request id, if there was one.
    pub request_id: Option<&'a str>,
}

/// Receives a report of each call, for example for metrics. It must not block.
pub trait CallObserver: Send + Sync {
    /// Receives the report of a finished call.
    fn called(&self, report: &CallReport<'_>);
}

/// Logs each call, at level debug.
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

/// An observer, whose `Debug` only shows that there is one.
pub(crate) struct Observer(pub(crate) Box<dyn CallObserver>);

impl fmt::Debug for Observer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CallObserver")
    }
}
