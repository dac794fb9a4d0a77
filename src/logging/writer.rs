//! The queue of lines to standard error, which may be slow, full or closed.
//!
//! **Contract.** Writing a line never blocks and never fails: lines are queued for a thread that writes
//! them, at most [`LINES_MAX`] and [`BYTES_MAX`]. A line that does not fit, or that cannot be written, is dropped and
//! counted. As soon as lines can be written again, one line says how many were dropped. The thread may be stuck in a
//! write for ever, so every wait for it has a time limit.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// The maximum number of queued lines.
const LINES_MAX: usize = 4_096;
/// The maximum size of queued lines.
const BYTES_MAX: usize = 4 << 20;
/// The shortest time between two reports of dropped lines, while lines arrive faster than they can be written.
const SAY_AGAIN: Duration = Duration::from_secs(10);
/// The interval at which a report of dropped lines is attempted when no more lines arrive.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// The delay before retrying a non-blocking descriptor that is full (another process may have made it non-blocking).
const FULL_PAUSE: Duration = Duration::from_millis(20);
/// The interval at which a flush checks whether all lines are written.
const FLUSH_LOOK: Duration = Duration::from_millis(5);

/// Returns the line, with its end, that says how many lines were dropped.
type Note = &'static (dyn Fn(u64) -> String + Sync);

/// Takes lines for standard error.
#[derive(Debug, Clone)]
pub(crate) struct Lines(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    sender: SyncSender<Vec<u8>>,
    counts: Arc<Counts>,
}

/// The counters shared by the writing thread and the others.
#[derive(Debug, Default)]
struct Counts {
    waiting_lines: AtomicUsize,
    waiting_bytes: AtomicUsize,
    dropped: AtomicU64,
}

static STARTED: OnceLock<Lines> = OnceLock::new();

impl Lines {
    /// Starts the thread that writes to standard error, once in a process; `note` words how many lines were dropped.
    pub(super) fn start(note: Note) -> Self {
        STARTED.get_or_init(|| Self::to(stderr(), note)).clone()
    }

    /// Returns the process's lines, if they have been started.
    pub(crate) fn started() -> Option<&'static Self> {
        STARTED.get()
    }

    /// Starts a thread that writes to `sink`; `note` words how many lines were dropped.
    fn to(sink: impl Write + Send + 'static, note: Note) -> Self {
        let (sender, receiver) = sync_channel(LINES_MAX);
        let counts = Arc::<Counts>::default();
        let shared = Arc::clone(&counts);
        let writing =
            move || Writing { sink, note, counts: shared, said: 0, said_when: None, torn: false }.run(&receiver);
        // Without a thread every line is dropped and counted, because the receiver is gone. The thread contains nothing that can
        // panic, and nobody could learn of it.
        let _ = std::thread::Builder::new().name("log".to_owned()).spawn(writing);
        Self(Arc::new(Queue { sender, counts }))
    }

    /// Queues a line, with its line end, or drops it.
    pub(crate) fn push(&self, line: Vec<u8>) {
        let counts = &self.0.counts;
        let size_bytes = line.len();
        let waiting_bytes = counts.waiting_bytes.fetch_add(size_bytes, Ordering::Relaxed);
        counts.waiting_lines.fetch_add(1, Ordering::Relaxed);
        if waiting_bytes + size_bytes > BYTES_MAX || self.0.sender.try_send(line).is_err() {
            counts.done(size_bytes);
            counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns how many lines have been dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.counts.dropped.load(Ordering::Relaxed)
    }

    /// Waits until all lines are written or dropped, but not longer than `limit`.
    pub(crate) fn flush(&self, limit: Duration) {
        let began = Instant::now();
        while self.0.counts.waiting_lines.load(Ordering::Acquire) > 0 && began.elapsed() < limit {
            std::thread::sleep(FLUSH_LOOK);
        }
    }
}

impl Counts {
    /// Counts a line that is no longer queued.
    fn done(&self, size_bytes: usize) {
        self.waiting_bytes.fetch_sub(size_bytes, Ordering::Relaxed);
        self.waiting_lines.fetch_sub(1, Ordering::Release);
    }
}

/// Returns our own descriptor: other writers to standard error hold a lock while they are stuck in a write.
fn stderr() -> Box<dyn Write + Send> {
    match std::io::stderr().as_fd().try_clone_to_owned() {
        Ok(own) => Box::new(File::from(own)),
        Err(_) => Box::new(std::io::stderr()),
    }
}

/// What the writing thread has.
struct Writing<W> {
    sink: W,
    note: Note,
    counts: Arc<Counts>,
    /// The number of dropped lines reported so far.
    said: u64,
    said_when: Option<Instant>,
    /// Whether the last write ended within a line.
    torn: bool,
}

impl<W: Write> Writing<W> {
    fn run(mut self, lines: &Receiver<Vec<u8>>) {
        loop {
            match lines.recv_timeout(TRY_AGAIN) {
                Ok(line) => {
                    let written = self.write(&line);
                    self.counts.done(line.len());
                    if written {
                        self.say_dropped();
                    } else {
                        self.counts.dropped.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.say_dropped(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Reports how many lines were dropped since the last report.
    fn say_dropped(&mut self) {
        let dropped = self.counts.dropped.load(Ordering::Relaxed);
        let still_drops = self.counts.waiting_lines.load(Ordering::Relaxed) > 0;
        let said_of_late = self.said_when.is_some_and(|when| when.elapsed() < SAY_AGAIN);
        if dropped > self.said
            && !(still_drops && said_of_late)
            && self.write((self.note)(dropped - self.said).as_bytes())
        {
            (self.said, self.said_when) = (dropped, Some(Instant::now()));
        }
    }

    /// Writes a line, however long that takes; `false` if it cannot be written.
    fn write(&mut self, line: &[u8]) -> bool {
        let line_end: &[u8] = if self.torn { b"\n" } else { b"" };
        let mut written_bytes = 0;
        for mut rest in [line_end, line] {
            while !rest.is_empty() {
                match self.sink.write(rest) {
                    Ok(0) => return self.broke_off(written_bytes),
                    Ok(count) => {
                        written_bytes += count;
                        rest = rest.get(count..).unwrap_or_default();
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(FULL_PAUSE),
                    Err(_) => return self.broke_off(written_bytes),
                }
            }
        }
        self.torn = false;
        true
    }

    fn broke_off(&mut self, written_bytes: usize) -> bool {
        self.torn |= written_bytes > 0;
        false
    }
}

/// One event's line, written when it is dropped.
pub(crate) struct Line<'a> {
    lines: &'a Lines,
    bytes: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { lines: self, bytes: Vec::new() }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if !self.bytes.is_empty() {
            self.lines.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
