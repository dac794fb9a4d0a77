use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

fn place(topic: &str, position: i64) -> ConfigPlace {
    ConfigPlace { topic: topic.to_owned(), position }
}

#[test]
fn a_place_is_waited_for_until_it_is_applied_or_the_shard_is_not_held() {
    let gate = Arc::new(ConfigGate::new("configs"));
    gate.apply(5);
    // What is applied, and what is another log's, is not waited for.
    gate.wait(&place("configs", 5), &|| true);
    gate.wait(&place("others", 99), &|| true);
    gate.wait(&place("configs", 99), &|| false);
    let passed = Arc::new(AtomicBool::new(false));
    let waiting = std::thread::spawn({
        let (gate, passed) = (Arc::clone(&gate), Arc::clone(&passed));
        move || {
            gate.wait(&place("configs", 7), &|| true);
            passed.store(true, Ordering::Release);
        }
    });
    gate.apply(6);
    // It never goes back.
    gate.apply(2);
    std::thread::sleep(2 * LOOK_EVERY);
    assert!(!passed.load(Ordering::Acquire), "it did not wait");
    gate.apply(7);
    assert!(waiting.join().is_ok());
}

/// A standalone worker's log ends with its process, and what it left in a shard stays: the next one does not wait for it.
#[test]
fn a_place_of_a_log_in_memory_is_of_that_log_alone() {
    use crate::cluster::{ConfigStore, MemoryLog};
    let (before, now) = (MemoryLog::default(), MemoryLog::default());
    assert_ne!(before.topic(), now.topic());
    // Or this would wait for as long as it is held.
    ConfigGate::new(now.topic()).wait(&place(before.topic(), 99), &|| true);
    let asked = std::cell::Cell::new(0);
    let held = || asked.replace(asked.get() + 1) < 1;
    ConfigGate::new(now.topic()).wait(&place(now.clone().topic(), 99), &held);
    assert!(asked.get() > 1, "a place of its own is waited for");
}
