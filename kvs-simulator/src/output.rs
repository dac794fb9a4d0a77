//! Output to stdout and stderr that never delays the requests being served.
//!
//! **Contract.** Writing returns at once. A thread of its own writes to the descriptor. While that thread is blocked,
//! lines wait in a queue of [`QUEUE_MAX`] pieces; lines that do not fit are dropped and counted, and the count is
//! written when writing works again. A descriptor that is closed, full or broken loses output and has no other effect.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// The maximum number of queued pieces; a piece is a line.
const QUEUE_MAX: usize = 1_024;

/// A descriptor behind a queue.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    queue: SyncSender<Piece>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Piece {
    Bytes(Vec<u8>),
    /// Acknowledged when everything before it has been written or dropped.
    Flush(SyncSender<()>),
}

impl Output {
    /// Starts a thread that writes to `target`.
    ///
    /// # Errors
    /// Returns an error if no thread can be started.
    pub(crate) fn to(target: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, pieces) = sync_channel(QUEUE_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&dropped);
        // The thread is not joined, because it may be blocked forever. It ends with the program.
        std::thread::Builder::new().name("output".to_owned()).spawn(move || write_all(target, &pieces, &counted))?;
        Ok(Self { queue, dropped })
    }

    /// Queues a line, or drops it if the queue is full.
    pub(crate) fn line(&self, line: &str) {
        self.send(format!("{line}\n").into_bytes());
    }

    /// Waits until everything has been written, but no longer than `timeout`.
    pub(crate) fn flush(&self, timeout: Duration) {
        let (done, wait) = sync_channel(1);
        if self.queue.try_send(Piece::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(timeout);
        }
    }

    fn send(&self, bytes: Vec<u8>) {
        if self.queue.try_send(Piece::Bytes(bytes)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write_all(mut target: impl Write, pieces: &Receiver<Piece>, dropped: &AtomicU64) {
    while let Ok(piece) = pieces.recv() {
        match piece {
            Piece::Bytes(bytes) => {
                let missing = dropped.swap(0, Ordering::Relaxed);
                let notice = match missing {
                    0 => String::new(),
                    _ => {
                        format!("kvs-simulator: {missing} lines are missing here, because they could not be written\n")
                    }
                };
                let all = [notice.as_bytes(), &bytes].concat();
                let written = target.write_all(&all).and_then(|()| target.flush());
                if written.is_err() {
                    dropped.fetch_add(missing + 1, Ordering::Relaxed);
                }
            }
            Piece::Flush(done) => _ = done.try_send(()),
        }
    }
}

/// One event of the log, queued when it is complete.
pub(crate) struct Event<'a> {
    output: &'a Output,
    bytes: Vec<u8>,
}

impl Write for Event<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Event<'_> {
    fn drop(&mut self) {
        self.output.send(std::mem::take(&mut self.bytes));
    }
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = Event<'a>;

    fn make_writer(&'a self) -> Event<'a> {
        Event { output: self, bytes: Vec::new() }
    }
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
