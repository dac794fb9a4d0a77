//! The end of a worker's log, for the message of a test that fails.

use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The most lines shown.
const LINES_MAX: usize = 60;
/// The most bytes read from the end of a log.
const TAIL_MAX_BYTES: u64 = 64 << 10;

/// Returns the number of a worker that this thread starts now: 1 for a test's first, 2 for its second.
pub(crate) fn next_worker_number() -> usize {
    thread_local!(static STARTED: Cell<usize> = const { Cell::new(0) });
    STARTED.with(|started| {
        started.set(started.get() + 1);
        started.get()
    })
}

/// Returns the last lines of a log, or the reason why there are none.
pub(crate) fn read(log: &Path) -> String {
    let tail = || {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_MAX_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_MAX_BYTES).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    match tail() {
        Ok(bytes) if bytes.is_empty() => "(the log is empty)".to_owned(),
        Ok(bytes) => last_lines(&String::from_utf8_lossy(&bytes)),
        Err(error) => format!("(the log cannot be read: {error})"),
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES_MAX)..].join("\n")
}

#[cfg(test)]
#[path = "log_tail_tests.rs"]
mod tests;
