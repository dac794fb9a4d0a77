//! The body of GetMedia: one chunk after another, waiting for fragments that are still to arrive.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::Stream as FutureStream;
use futures::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::replace::replacement;
use crate::fault::FaultKind;
use crate::limits::Limits;
use crate::model::{Next, Stream, writer};

/// A session of GetMedia.
pub(crate) struct GetMediaSession {
    stream: Arc<Stream>,
    arrivals: watch::Receiver<u64>,
    /// Index of the next fragment in the stream.
    index: usize,
    fragments_sent: u64,
    pieces: VecDeque<Bytes>,
    fault: Option<FaultKind>,
    limits: Limits,
    ends_at: Instant,
    idle_since: Instant,
    // Held until the session is dropped.
    _permit: OwnedSemaphorePermit,
}

impl GetMediaSession {
    pub(crate) fn new(
        stream: Arc<Stream>,
        index: usize,
        fault: Option<FaultKind>,
        limits: Limits,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let now = Instant::now();
        let duration = match fault {
            Some(FaultKind::EndSession { after_ms }) => Duration::from_millis(after_ms),
            _ => limits.session_duration,
        };
        Self {
            arrivals: stream.arrivals(),
            stream,
            index,
            fragments_sent: 0,
            pieces: VecDeque::new(),
            fault,
            limits,
            ends_at: now + duration,
            idle_since: now,
            _permit: permit,
        }
    }

    /// Returns the body as a stream of pieces.
    pub(crate) fn into_body(self) -> impl FutureStream<Item = Result<Bytes, Infallible>> + Send {
        stream::unfold(self, |mut session| async move { session.next().await.map(|piece| (Ok(piece), session)) })
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Some(piece);
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// Waits for the next chunk and queues its pieces. Returns `false` if the body ends.
    async fn fill(&mut self) -> bool {
        loop {
            self.stream.catch_up().await;
            let now = Instant::now();
            if now >= self.ends_at || self.stream.deleted.is_cancelled() {
                return false;
            }
            self.arrivals.mark_unchanged();
            if let Some(FaultKind::ErrorTag { after_fragments, error_id, error_code }) = &self.fault
                && self.fragments_sent >= *after_fragments
            {
                let number = match self.stream.next(self.index) {
                    Next::Fragment { fragment, .. } => Some(fragment.number.clone()),
                    _ => None,
                };
                self.pieces.push_back(writer().error_chunk(number.as_ref(), *error_id, error_code).into());
                self.ends_at = now;
                self.fault = None;
                return true;
            }
            let idle_until = self.idle_since + self.limits.idle_timeout;
            let wait_until = match self.stream.next(self.index) {
                Next::Fragment { index, fragment, latest_millis } => {
                    match replacement(self.fault.as_ref(), &fragment) {
                        Some(bytes) => self.pieces.push_back(bytes),
                        None => self.pieces.extend(fragment.pieces(latest_millis)),
                    }
                    self.index = index + 1;
                    self.fragments_sent += 1;
                    self.idle_since = now;
                    return true;
                }
                Next::Never if matches!(self.fault, Some(FaultKind::ServeIncomplete {})) => {
                    self.fault = None;
                    let chunks: Vec<_> = self.stream.unterminated().iter().map(|chunk| chunk.bytes.clone()).collect();
                    self.pieces.extend(chunks);
                    self.ends_at = now;
                    return !self.pieces.is_empty();
                }
                Next::Never => idle_until,
                Next::At(due) => due.min(idle_until),
            };
            if now >= idle_until {
                return false;
            }
            tokio::select! {
                () = tokio::time::sleep_until(wait_until.min(self.ends_at).into()) => {}
                _ = self.arrivals.changed() => {}
                () = self.stream.deleted.cancelled() => {}
            }
        }
    }
}
