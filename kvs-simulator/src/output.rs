//! What the program writes to stdout and stderr: it must never hold up who is served.
//!
//! **Contract.** Writing returns at once. A thread of its own writes to the descriptor; what comes while that is stuck
//! waits in a queue of [`QUEUE_MAX`] pieces, and what does not fit there is dropped and counted. That some was dropped
//! is said when writing works again. A descriptor that is closed, full or broken drops everything, and nothing else.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Pieces that wait at most; one is a line.
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
    /// Answered when everything before has been written or given up.
    Flush(SyncSender<()>),
}

impl Output {
    /// Begins to write to `target`.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn to(target: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, pieces) = sync_channel(QUEUE_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&dropped);
        // Not joined: it may be stuck for ever, which the end of the program ends.
        std::thread::Builder::new().name("output".to_owned()).spawn(move || write_all(target, &pieces, &counted))?;
        Ok(Self { queue, dropped })
    }

    /// Writes a line, if there is room for it.
    pub(crate) fn line(&self, line: &str) {
        self.send(format!("{line}\n").into_bytes());
    }

    /// Waits until everything is written, but no longer than this.
    pub(crate) fn flush(&self, at_most: Duration) {
        let (done, wait) = sync_channel(1);
        if self.queue.try_send(Piece::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(at_most);
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
                let said = match missing {
                    0 => String::new(),
                    _ => format!("kvs-simulator: {missing} lines are missing here, for nobody took them\n"),
                };
                let all = [said.as_bytes(), &bytes].concat();
                let written = target.write_all(&all).and_then(|()| target.flush());
                if written.is_err() {
                    dropped.fetch_add(missing + 1, Ordering::Relaxed);
                }
            }
            Piece::Flush(done) => _ = done.try_send(()),
        }
    }
}

/// One event of the log, sent when it is over.
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
