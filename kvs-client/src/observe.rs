//! Reports of calls, for a log of requests and for metrics.

use std::fmt;
use std::time::Duration;

use kvs_api::Operation;

use crate::stream_ref::StreamRef;

/// A call that is over. A call of GetMedia or GetMediaForFragmentList is over when its response has begun.
#[derive(Debug, Clone)]
pub struct CallReport<'a> {
    /// The operation.
    pub operation: Operation,
    /// The stream that was called about; `None` for ListStreams.
    pub stream: Option<&'a StreamRef>,
    /// How long all attempts took together, from the first request to the answer.
    pub duration: Duration,
    /// How many times the call was sent.
    pub attempts: u32,
    /// `ok`, or the [`Error::code`](crate::Error::code) of the error: one of a fixed set.
    pub outcome: &'static str,
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// The request id, when there was one.
    pub request_id: Option<&'a str>,
}

/// Is told about each call, for example for metrics. It must not block.
pub trait CallObserver: Send + Sync {
    /// Takes the report of a call that is over.
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

/// An observer with a `Debug` that says only that it is one.
pub(crate) struct Observer(pub(crate) Box<dyn CallObserver>);

impl fmt::Debug for Observer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CallObserver")
    }
}
