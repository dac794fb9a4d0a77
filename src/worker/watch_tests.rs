use std::sync::atomic::{AtomicI64, Ordering};

use super::*;

#[test]
fn a_log_that_is_not_read_on_is_told_once_it_lasts() {
    let (position, began) = (Arc::new(AtomicI64::new(5)), Instant::now());
    let read = Arc::clone(&position);
    let mut reading = Reading::new(move || read.load(Ordering::Relaxed));
    let stored = Stored { setting: "config.storage.topic", topic: "t".to_owned(), loses: "" };
    let mut look = |second: u64, end: Option<i64>| {
        reading.look(&stored, end, began + Duration::from_secs(second));
        reading.said.lasts().is_some()
    };
    assert!(!look(0, Some(5)) && !look(100, Some(5)) && !look(104, Some(9)) && !look(129, Some(9)));
    assert!(look(130, Some(9)));
    // A log that is read slowly makes progress, and an unknown end is no trouble.
    position.store(6, Ordering::Relaxed);
    assert!(look(131, Some(9)));
    position.store(9, Ordering::Relaxed);
    assert!(!look(200, Some(9)) && !look(300, None));
}
