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
