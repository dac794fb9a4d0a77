//! Ctrl-C, for commands that have something to say or to remove then.

use std::sync::Once;

use super::output;
use crate::logging;

/// Told to stop by a signal.
const EXIT_INTERRUPTED: i32 = 130;

static LISTENING: Once = Once::new();

/// Has Ctrl-C end the program with 130 and this message, after `clean_up`. Later calls change nothing.
pub(super) fn listen(what: &'static str, clean_up: fn()) {
    LISTENING.call_once(|| {
        let wait = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
                clean_up();
                output::say(format_args!("kvs-connect: interrupted; {what}"));
                logging::flush();
                std::process::exit(EXIT_INTERRUPTED);
            }
        };
        // Without the thread Ctrl-C ends the program as it ends any.
        let _ = std::thread::Builder::new().name("interrupt".to_owned()).spawn(wait);
    });
}
