//! A fault hook for tests: parts that panic when they are asked to. Only in debug builds.
//!
//! `KVS_CONNECT_PANIC=shard@3` has the third pass of a shard's thread through its fault point panic, once;
//! `KVS_CONNECT_PANIC=shard@3+` every one from the third on. A fault point has the name of its part, or one of its own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Names a fault point, and which of its passes panics.
const VARIABLE: &str = "KVS_CONNECT_PANIC";

struct Fault {
    point: String,
    pass: u64,
    again: bool,
}

fn fault() -> Option<&'static Fault> {
    static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
    FAULT
        .get_or_init(|| {
            let text = std::env::var(VARIABLE).ok()?;
            let (point, pass) = text.split_once('@')?;
            let pass_text = pass.strip_suffix('+');
            let again = pass_text.is_some();
            Some(Fault { point: point.to_owned(), pass: pass_text.unwrap_or(pass).parse().ok()?, again })
        })
        .as_ref()
}

/// Counts a pass through a fault point, and panics if it is the one.
pub(super) fn point(name: &'static str) {
    static PASSES: Mutex<Option<HashMap<&'static str, AtomicU64>>> = Mutex::new(None);
    let Some(fault) = fault().filter(|fault| fault.point == name) else { return };
    let pass = {
        let mut passes = PASSES.lock().unwrap_or_else(PoisonError::into_inner);
        passes.get_or_insert_default().entry(name).or_default().fetch_add(1, Ordering::Relaxed) + 1
    };
    #[expect(clippy::panic, reason = "that is what it is for, and no release has it")]
    if pass == fault.pass || (fault.again && pass > fault.pass) {
        panic!("a test wants it: {VARIABLE}, pass {pass}");
    }
}
