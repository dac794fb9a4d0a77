//! The body of GetMedia: chunk after chunk, and what goes wrong with it on purpose.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::Stream as FutureStream;
use futures::stream;
use tokio::sync::OwnedSemaphorePermit;

use crate::fault::{CutHow, FaultKind};
use crate::limits::Limits;
use crate::server::ConnectionHandle;
use crate::source::writer;
use crate::stream::{Next, Stream};

/// A session in progress.
pub(crate) struct Session {
    stream: Arc<Stream>,
    /// Which fragment comes next.
    index: usize,
    fragments_sent: u64,
    bytes_sent: u64,
    pieces: VecDeque<Bytes>,
    fault: Option<FaultKind>,
    limits: Limits,
    ends_at: Instant,
    idle_since: Instant,
    connection: Option<ConnectionHandle>,
    over: bool,
    // Held until the session is dropped.
    _permit: OwnedSemaphorePermit,
}

/// The body is broken off, which makes the server close the connection.
#[derive(Debug, thiserror::Error)]
#[error("the connection is reset on purpose")]
pub(crate) struct Reset;

impl From<Infallible> for Reset {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl Session {
    pub(crate) fn new(
        stream: Arc<Stream>,
        index: usize,
        fault: Option<FaultKind>,
        limits: Limits,
        connection: Option<ConnectionHandle>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let now = Instant::now();
        let duration = match fault {
            Some(FaultKind::EndSession { after_ms }) => Duration::from_millis(after_ms),
            _ => limits.session_duration,
        };
        Self {
            stream,
            index,
            fragments_sent: 0,
            bytes_sent: 0,
            pieces: VecDeque::new(),
            fault,
            limits,
            ends_at: now + duration,
            idle_since: now,
            connection,
            over: false,
            _permit: permit,
        }
    }

    /// The body as a stream of pieces.
    pub(crate) fn into_body(self) -> impl FutureStream<Item = Result<Bytes, Reset>> + Send {
        stream::unfold(self, |mut session| async move { session.next().await.map(|piece| (piece, session)) })
    }

    async fn next(&mut self) -> Option<Result<Bytes, Reset>> {
        loop {
            if self.over {
                return None;
            }
            let Some(piece) = self.pieces.pop_front() else {
                if !self.fill().await {
                    return None;
                }
                continue;
            };
            let Some(room) = self.room_before_fault() else { return Some(Ok(self.sent(piece))) };
            if room == 0 {
                self.pieces.push_front(piece);
                match self.strike().await {
                    Some(end) => return end,
                    None => continue,
                }
            }
            let count = usize::try_from(room).unwrap_or(usize::MAX).min(piece.len());
            if count < piece.len() {
                self.pieces.push_front(piece.slice(count..));
            }
            return Some(Ok(self.sent(piece.slice(..count))));
        }
    }

    fn sent(&mut self, piece: Bytes) -> Bytes {
        self.bytes_sent += piece.len() as u64;
        piece
    }

    /// Bytes that may still be sent before a fault at a byte strikes; `None`: there is none.
    fn room_before_fault(&self) -> Option<u64> {
        match self.fault {
            Some(FaultKind::Cut { at_byte, .. } | FaultKind::Stall { at_byte, .. }) => {
                Some(at_byte.saturating_sub(self.bytes_sent))
            }
            _ => None,
        }
    }

    /// The fault's byte is reached. `Some`: the body ends so.
    async fn strike(&mut self) -> Option<Option<Result<Bytes, Reset>>> {
        match self.fault.take() {
            Some(FaultKind::Stall { duration_ms, .. }) => {
                tokio::time::sleep(Duration::from_millis(duration_ms)).await;
                None
            }
            Some(FaultKind::Cut { how: CutHow::Reset, .. }) => {
                // Lets the server write out what it has before the connection goes.
                tokio::time::sleep(Duration::from_millis(1)).await;
                if let Some(connection) = &self.connection {
                    connection.reset_on_close();
                }
                self.over = true;
                Some(Some(Err(Reset)))
            }
            _ => Some(None),
        }
    }

    /// Gets the pieces of the next chunk, waiting for it. `false`: the body ends.
    async fn fill(&mut self) -> bool {
        loop {
            let now = Instant::now();
            if now >= self.ends_at {
                return false;
            }
            if let Some(FaultKind::ErrorTag { after_fragments, error_id, error_code }) = &self.fault
                && self.fragments_sent >= *after_fragments
            {
                let number = match self.stream.next(self.index) {
                    Next::Fragment(held) => Some(held.number.clone()),
                    _ => None,
                };
                self.pieces.push_back(writer().error_chunk(number.as_ref(), *error_id, error_code).into());
                self.ends_at = now;
                self.fault = None;
                return true;
            }
            let idle_until = self.idle_since + self.limits.idle_timeout;
            let wait_until = match self.stream.next(self.index) {
                Next::Fragment(held) => {
                    self.pieces.extend(held.pieces());
                    self.index += 1;
                    self.fragments_sent += 1;
                    self.idle_since = now;
                    return true;
                }
                Next::Never if matches!(self.fault, Some(FaultKind::ServeIncomplete {})) => {
                    self.fault = None;
                    let chunks: Vec<_> = self.stream.not_whole().iter().map(|chunk| chunk.bytes.clone()).collect();
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
            tokio::time::sleep_until(wait_until.min(self.ends_at).into()).await;
        }
    }
}
