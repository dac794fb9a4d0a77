#![allow(clippy::unwrap_used)]

use std::sync::Mutex;

use super::*;

/// A sink that accepts, refuses or blocks as the test tells it to.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    taken: Vec<u8>,
    /// The number of bytes that are accepted before all are refused.
    room_bytes: Option<usize>,
    blocks: bool,
}

impl Sink {
    fn set(&self, set: impl FnOnce(&mut State)) {
        set(&mut self.0.lock().unwrap());
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().taken.clone()).unwrap()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        while self.0.lock().unwrap().blocks {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut state = self.0.lock().unwrap();
        let count = state.room_bytes.unwrap_or(usize::MAX).min(bytes.len());
        if count == 0 {
            return Err(std::io::Error::from(ErrorKind::StorageFull));
        }
        state.taken.extend_from_slice(&bytes[..count]);
        state.room_bytes = state.room_bytes.map(|room| room - count);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn lines(sink: &Sink) -> Lines {
    Lines::to(sink.clone(), &|dropped| format!("dropped {dropped}\n"))
}

const LONG: Duration = Duration::from_secs(60);

fn wait_for(condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < LONG, "waited in vain");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn lines_are_written_in_order_and_flush_waits_for_them() {
    let sink = Sink::default();
    let lines = lines(&sink);
    for index in 0..1_000 {
        lines.push(format!("{index}\n").into_bytes());
    }
    lines.flush(LONG);
    let expected: String = (0..1_000).map(|index| format!("{index}\n")).collect();
    assert_eq!(sink.text(), expected);
    assert_eq!(lines.dropped(), 0);
}

#[test]
fn a_sink_that_is_stuck_holds_nobody_up_and_what_finds_no_room_is_counted_and_said() {
    let sink = Sink::default();
    sink.set(|state| state.blocks = true);
    let lines = lines(&sink);
    let count = LINES_MAX + 1_000;
    for index in 0..count {
        lines.push(format!("{index}\n").into_bytes());
    }
    lines.flush(Duration::from_millis(1));
    // The thread may hold one line.
    let dropped = lines.dropped();
    assert!((999..=1_000).contains(&dropped), "{dropped}");
    sink.set(|state| state.blocks = false);
    wait_for(|| sink.text().contains(&format!("dropped {dropped}\n")));
    lines.flush(LONG);
    let written = sink.text().lines().filter(|line| !line.starts_with("dropped")).count();
    assert_eq!(written as u64 + dropped, count as u64);
    assert_eq!(sink.text().lines().filter(|line| line.starts_with("dropped")).count(), 1, "it is said once");
}

#[test]
fn bytes_are_bounded_as_well() {
    let sink = Sink::default();
    sink.set(|state| state.blocks = true);
    let lines = lines(&sink);
    for _ in 0..6 {
        lines.push(vec![b'x'; 1 << 20]);
    }
    assert_eq!(lines.dropped(), 2);
    sink.set(|state| state.blocks = false);
    lines.flush(LONG);
    lines.push(b"there is room again\n".to_vec());
    lines.flush(LONG);
    assert!(sink.text().ends_with("there is room again\n") || sink.text().contains("there is room again\n"));
}

#[test]
fn a_sink_that_refuses_loses_lines_and_no_more_and_a_torn_line_ends_before_the_next() {
    let sink = Sink::default();
    sink.set(|state| state.room_bytes = Some(3));
    let lines = lines(&sink);
    for line in ["first\n", "second\n", "third\n"] {
        lines.push(line.as_bytes().to_vec());
    }
    lines.flush(LONG);
    assert_eq!(lines.dropped(), 3);
    sink.set(|state| state.room_bytes = None);
    // This needs no further log line.
    wait_for(|| sink.text().contains("dropped 3\n"));
    lines.push(b"fourth\n".to_vec());
    lines.flush(LONG);
    assert_eq!(sink.text(), "fir\ndropped 3\nfourth\n");
}
