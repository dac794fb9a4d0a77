//! A fault hook for tests, which makes parts panic on request. Only in debug builds.
//!
//! `KVS_CONNECT_PANIC=shard@3` makes the third pass of a shard's thread through its fault point panic, once;
//! `KVS_CONNECT_PANIC=shard@3+` makes every pass from the third on panic. A fault point has its part's name, or its
//! own. With `KVS_CONNECT_PANIC_FROM=FILE` passes are counted from when that file exists, so that a test decides when.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The environment variable with a fault point and the pass that panics.
const VARIABLE: &str = "KVS_CONNECT_PANIC";

/// The environment variable with a file without which no pass is counted.
const FROM: &str = "KVS_CONNECT_PANIC_FROM";

struct Fault {
    point: String,
    pass: u64,
    again: bool,
    from: Option<PathBuf>,
}

impl Fault {
    fn is_armed(&self) -> bool {
        self.from.as_ref().is_none_or(|file| file.exists())
    }
}

fn fault() -> Option<&'static Fault> {
    static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
    FAULT
        .get_or_init(|| {
            let text = std::env::var(VARIABLE).ok()?;
            let (point, pass) = text.split_once('@')?;
            let pass_text = pass.strip_suffix('+');
            let again = pass_text.is_some();
            let from = std::env::var_os(FROM).map(PathBuf::from);
            Some(Fault { point: point.to_owned(), pass: pass_text.unwrap_or(pass).parse().ok()?, again, from })
        })
        .as_ref()
}

/// Counts a pass through a fault point, and panics if a test requests that.
pub(super) fn point(name: &'static str) {
    static PASSES: Mutex<Option<HashMap<&'static str, AtomicU64>>> = Mutex::new(None);
    let Some(fault) = fault().filter(|fault| fault.point == name && fault.is_armed()) else { return };
    let pass = {
        let mut passes = PASSES.lock().unwrap_or_else(PoisonError::into_inner);
        passes.get_or_insert_default().entry(name).or_default().fetch_add(1, Ordering::Relaxed) + 1
    };
    #[expect(clippy::panic, reason = "tests request it, and release builds do not contain it")]
    if pass == fault.pass || (fault.again && pass > fault.pass) {
        panic!("requested by a test: {VARIABLE}, pass {pass}");
    }
}
