//! Ctrl-C and requests to end, for commands that have something to say or to remove then.

use std::path::Path;
use std::sync::Once;
use std::sync::mpsc::{self, SyncSender};

use tokio::signal::unix::{SignalKind, signal};

use super::output;
use crate::logging;

/// What a shell reports of a program that a signal ended: this and the signal's number.
const EXIT_SIGNALLED: i32 = 128;

static LISTENING: Once = Once::new();

/// What becomes of a program that is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It ends, unfinished.
    Ends,
    /// It has done its work, and ends by itself; only a second signal ends it before.
    IsDone,
}

/// Has Ctrl-C (exit code 130), SIGTERM and SIGHUP end the program with this message, after `clean_up`, which says whether it is not done
/// already. SIGHUP stays ignored where `nohup` has it so. Later calls change nothing. What is done after this call is cleaned up: it
/// returns when the signals are caught.
pub(super) fn listen(what: &'static str, clean_up: fn() -> Told) {
    LISTENING.call_once(|| {
        let (caught, are_caught) = mpsc::sync_channel(1);
        let wait = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            let mut first = true;
            while let Ok(number) = runtime.block_on(asked(&caught)) {
                let told = clean_up();
                if told == Told::IsDone && std::mem::take(&mut first) {
                    continue;
                }
                if told == Told::Ends {
                    output::say(format_args!("kvs-connect: interrupted; {what}"));
                }
                logging::flush();
                std::process::exit(EXIT_SIGNALLED + number);
            }
        };
        // Without the thread the signals end the program as they end any.
        let _ = std::thread::Builder::new().name("interrupt".to_owned()).spawn(wait);
        // An error says that they are not, and never will be.
        let _ = are_caught.recv();
    });
}

/// Waits for a request to end, and says before that it would notice one. Returns its number.
async fn asked(caught: &SyncSender<()>) -> std::io::Result<i32> {
    let (interrupt, terminate, hangup) = (SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup());
    let (mut interrupted, mut terminated) = (signal(interrupt)?, signal(terminate)?);
    let mut hung_up = if is_ignored(hangup) { None } else { Some(signal(hangup)?) };
    // Nobody waits for the second time.
    let _ = caught.try_send(());
    let hangs_up = async {
        match &mut hung_up {
            Some(hung_up) => hung_up.recv().await,
            None => std::future::pending().await,
        }
    };
    Ok(tokio::select! {
        _ = interrupted.recv() => interrupt,
        _ = terminated.recv() => terminate,
        _ = hangs_up => hangup,
    }
    .as_raw_value())
}

/// Returns whether whoever started the program has this signal ignored, as Linux says it.
fn is_ignored(kind: SignalKind) -> bool {
    let status = kvs_client::files::read_text(Path::new("/proc/self/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}
