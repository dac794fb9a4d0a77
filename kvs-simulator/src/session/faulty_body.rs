//! A response's body with the faults that strike it (cut, stall, drip) and the rate at which it is sent.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::time::Instant;

use crate::connection::ConnectionHandle;
use crate::fault::{CutHow, FaultKind};

/// The error with which a body is aborted, so that the server closes the connection.
#[derive(Debug, thiserror::Error)]
#[error("the connection is reset on purpose")]
struct Reset;

struct Faulty {
    inner: BodyDataStream,
    pieces: VecDeque<Bytes>,
    sent_bytes: u64,
    fault: Option<FaultKind>,
    rate: Option<u64>,
    began: Instant,
    connection: Option<ConnectionHandle>,
    ended: bool,
}

/// Applies a fault and a rate, in bytes per second, to a body.
pub(crate) fn with_faults(
    body: Body,
    fault: Option<FaultKind>,
    rate: Option<u64>,
    connection: Option<ConnectionHandle>,
) -> Body {
    let strikes = matches!(fault, Some(FaultKind::Cut { .. } | FaultKind::Stall { .. } | FaultKind::Drip { .. }));
    if !strikes && rate.is_none() {
        return body;
    }
    let faulty = Faulty {
        inner: body.into_data_stream(),
        pieces: VecDeque::new(),
        sent_bytes: 0,
        fault,
        rate,
        began: Instant::now(),
        connection,
        ended: false,
    };
    Body::from_stream(stream::unfold(
        faulty,
        |mut faulty| async move { faulty.next().await.map(|piece| (piece, faulty)) },
    ))
}

impl Faulty {
    async fn next(&mut self) -> Option<Result<Bytes, Reset>> {
        loop {
            if self.ended {
                return None;
            }
            // A fault whose byte has been reached strikes before waiting for more.
            if self.room() == Some(0) {
                match self.strike().await {
                    Some(end) => return end,
                    None => continue,
                }
            }
            let Some(piece) = self.pieces.pop_front() else {
                self.pieces.push_back(self.inner.next().await?.ok()?);
                continue;
            };
            let room = self.room().map_or(usize::MAX, |room| usize::try_from(room).unwrap_or(usize::MAX));
            let room = if self.rate.is_some() { room.min(64 << 10) } else { room };
            let count = room.min(piece.len());
            if count < piece.len() {
                self.pieces.push_front(piece.slice(count..));
            }
            self.sent_bytes += count as u64;
            let due = self.due();
            if let Some(due) = due {
                tokio::time::sleep_until(due).await;
            }
            return Some(Ok(piece.slice(..count)));
        }
    }

    /// Returns when the bytes sent up to now are due at the rate.
    fn due(&self) -> Option<Instant> {
        let rate = self.rate?.max(1) as f64;
        self.began.checked_add(Duration::try_from_secs_f64(self.sent_bytes as f64 / rate).ok()?)
    }

    /// Returns how many bytes may be sent before the fault strikes, or `None` if there is no such fault.
    fn room(&self) -> Option<u64> {
        match self.fault {
            Some(
                FaultKind::Cut { at_byte, .. } | FaultKind::Stall { at_byte, .. } | FaultKind::Drip { at_byte, .. },
            ) => Some(at_byte.saturating_sub(self.sent_bytes)),
            _ => None,
        }
    }

    /// Lets the fault strike, now that its byte is reached. Returns `Some` if the body ends, with its last item.
    async fn strike(&mut self) -> Option<Option<Result<Bytes, Reset>>> {
        match self.fault.take() {
            Some(FaultKind::Stall { duration_ms, .. }) => {
                tokio::time::sleep(Duration::from_millis(duration_ms)).await;
                None
            }
            Some(FaultKind::Drip { at_byte, bytes_per_second }) => {
                tokio::time::sleep(Duration::from_nanos(1_000_000_000 / bytes_per_second.max(1))).await;
                self.fault = Some(FaultKind::Drip { at_byte: at_byte.saturating_add(1), bytes_per_second });
                None
            }
            Some(FaultKind::Cut { how: CutHow::Reset, .. }) => {
                // Gives the server time to write what it has before the connection is reset.
                tokio::time::sleep(Duration::from_millis(1)).await;
                if let Some(connection) = &self.connection {
                    connection.reset_on_close();
                }
                self.ended = true;
                Some(Some(Err(Reset)))
            }
            _ => Some(None),
        }
    }
}
