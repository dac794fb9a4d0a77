#![allow(clippy::unwrap_used)]

use std::sync::mpsc;

use super::*;

/// A writer that blocks until the test decides whether a write succeeds.
struct Gate {
    open: mpsc::Receiver<bool>,
    written: mpsc::Sender<String>,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.open.recv().unwrap_or(true) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let _ = self.written.send(String::from_utf8_lossy(bytes).into_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn unread_output_is_dropped_and_counted_and_blocks_nobody() {
    let ((open, gate), (written, lines)) = (mpsc::channel(), mpsc::channel());
    let output = Output::to(Gate { open: gate, written }).unwrap();
    // The first line fails. Of the others, at most one blocks in the writer, QUEUE_MAX wait, and at least 4 are dropped.
    // Sending them returns although none is written.
    let sent = QUEUE_MAX + 6;
    output.line("0");
    open.send(false).unwrap();
    output.flush(Duration::from_secs(60));
    (1..sent).for_each(|index| output.line(&index.to_string()));
    drop(open);
    drop(output);
    let all: String = lines.iter().collect();
    let missing: usize = all
        .lines()
        .filter_map(|line| line.strip_prefix("kvs-simulator: ")?.split(' ').next()?.parse::<usize>().ok())
        .sum();
    let came = all.lines().filter(|line| line.parse::<usize>().is_ok()).count();
    // At least the first line and those 4 are missing, and every line is either written or counted as missing.
    assert!(missing >= 5, "{missing}");
    assert_eq!(came + missing, sent, "{all}");
}
