#![allow(clippy::unwrap_used)]

use std::sync::mpsc;

use super::*;

/// Takes a write only when it is told whether to let it succeed.
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
fn what_nobody_takes_is_dropped_and_counted_and_holds_up_nobody() {
    let ((open, gate), (written, lines)) = (mpsc::channel(), mpsc::channel());
    let output = Output::to(Gate { open: gate, written }).unwrap();
    // The first fails; of the others one is stuck in the writer at most, a queue full waits, and 4 are too many. This
    // ends although nobody takes any.
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
    // At least the first and the four that had no room are missing, and every line is one or the other.
    assert!(missing >= 5, "{missing}");
    assert_eq!(came + missing, sent, "{all}");
}
