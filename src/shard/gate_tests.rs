use std::sync::mpsc;
use std::time::Duration;

use super::*;

fn config_offset(topic: &str, position: i64) -> ConfigOffset {
    ConfigOffset { topic: topic.to_owned(), position }
}

#[test]
fn a_place_is_waited_for_until_it_is_applied_or_the_shard_is_not_held() {
    let gate = ConfigGate::new("configs");
    gate.apply(5);
    // What is applied, and what is another log's, is not waited for.
    gate.wait(&config_offset("configs", 5), &|| true);
    gate.wait(&config_offset("others", 99), &|| true);
    gate.wait(&config_offset("configs", 99), &|| false);
    let (ask, asked) = mpsc::channel();
    std::thread::scope(|scope| {
        // A waiting owner checks again and again whether the shard is held.
        let waiting = scope.spawn(|| gate.wait(&config_offset("configs", 7), &|| ask.send(()).is_ok()));
        gate.apply(6);
        // The applied config offset never goes back.
        gate.apply(2);
        while asked.try_recv().is_ok() {}
        for _ in 0..2 {
            assert!(asked.recv_timeout(Duration::from_secs(60)).is_ok(), "it did not wait");
        }
        gate.apply(7);
        assert!(waiting.join().is_ok());
    });
}

/// A standalone worker's log ends with its process, but its config offset stays in a shard; the next worker does not
/// wait for it.
#[test]
fn a_place_of_a_log_in_memory_is_of_that_log_alone() {
    use crate::cluster::{ConfigStore, MemoryLog};
    let (before, now) = (MemoryLog::default(), MemoryLog::default());
    assert_ne!(before.topic(), now.topic());
    // Otherwise this would wait for as long as the shard is held.
    ConfigGate::new(now.topic()).wait(&config_offset(before.topic(), 99), &|| true);
    let asked = std::cell::Cell::new(0);
    let held = || asked.replace(asked.get() + 1) < 1;
    ConfigGate::new(now.topic()).wait(&config_offset(now.clone().topic(), 99), &held);
    assert!(asked.get() > 1, "a config offset of its own log is waited for");
}
