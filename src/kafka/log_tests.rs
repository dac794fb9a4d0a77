#![allow(clippy::unwrap_used)]

use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::model::LogErrorKind;
use crate::supervision::{Part, catch};

/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(60);

/// Returns a log of a cluster that is never contacted.
fn log() -> Arc<KafkaLog> {
    Arc::new(KafkaLog::new(KafkaSettings::of_no_cluster("offsets")))
}

/// Returns whether a reader is lent within the time that a test waits.
fn is_lent(log: &Arc<KafkaLog>) -> bool {
    let (lent, is_lent) = mpsc::channel();
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        log.with_reader(|_| Ok::<(), LogError>(())).unwrap();
        lent.send(()).unwrap();
    });
    is_lent.recv_timeout(LONG).is_ok()
}

/// Otherwise the fourth caller would wait for ever, and the shard's panics would not add up to where they end the
/// worker.
#[test]
fn readers_of_those_who_panic_are_counted_as_gone() {
    let log = log();
    for _ in 0..READERS_MAX {
        let panicked = catch(Part::Shard, || log.with_reader(|_| -> Result<(), LogError> { panic!("on purpose") }));
        assert!(panicked.is_err());
    }
    assert_eq!(log.lock().in_use, 0);
    assert!(is_lent(&log), "no reader is lent any more");
    assert_eq!(log.lock().idle.len(), 1, "only a reader that has not failed is used again");
}

#[test]
fn a_reader_that_has_failed_is_not_lent_again_and_one_that_has_not_is() {
    let log = log();
    let error = LogError { kind: LogErrorKind::Other, doing: "reading", text: "on purpose".to_owned() };
    assert_eq!(log.with_reader(|_| Err::<(), _>(error.clone())).unwrap_err(), error);
    assert!(log.lock().idle.is_empty());
    log.with_reader(|_| Ok::<(), LogError>(())).unwrap();
    assert_eq!(log.lock().idle.len(), 1);
    assert_eq!(log.lock().in_use, 0);
    log.with_reader(|_| Ok::<(), LogError>(())).unwrap();
    assert_eq!(log.lock().idle.len(), 1);
}

#[test]
fn whoever_asks_for_one_too_many_waits_until_another_has_done() {
    let log = log();
    let (hold, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    std::thread::scope(|scope| {
        let (using, in_use) = mpsc::channel();
        for _ in 0..READERS_MAX {
            let (log, held, using) = (&log, &held, using.clone());
            scope.spawn(move || {
                log.with_reader(|_| {
                    using.send(()).unwrap();
                    // Returns when something is sent, or the sender is dropped.
                    let _ = held.lock().unwrap().recv();
                    Ok::<(), LogError>(())
                })
            });
        }
        for _ in 0..READERS_MAX {
            in_use.recv_timeout(LONG).unwrap();
        }
        let fourth = scope.spawn(|| is_lent(&log));
        hold.send(()).unwrap();
        assert!(fourth.join().unwrap());
        assert_eq!(log.lock().in_use, READERS_MAX - 1);
        drop(hold);
    });
    assert_eq!(log.lock().in_use, 0);
}
