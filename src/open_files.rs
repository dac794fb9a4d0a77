//! Detects that no file descriptors are left, which is a condition of the whole process.
//!
//! **Contract.** Code that is refused a descriptor reports it here ([`refused`]) and not in the log; [`probe`] finds
//! out by itself. The condition is logged when it begins, once a minute while it lasts, and when it is over. `/health`
//! is 500 meanwhile.

use std::fs::File;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use tokio_util::sync::CancellationToken;

use crate::supervision::{Part, fault_point};

/// The interval at which the condition is logged again while it lasts.
const SAY_AGAIN: Duration = Duration::from_secs(60);
/// How long no descriptor must have been refused for the condition to be over; a single free one would make it come and
/// go.
const OVER_AFTER: Duration = Duration::from_secs(10);
/// The interval between two probes.
const LOOK_EVERY: Duration = Duration::from_secs(2);

static CONDITION: Mutex<Condition> = Mutex::new(Condition { since: None, refused: None, said: None });

/// The state of the condition.
#[derive(Debug)]
struct Condition {
    since: Option<Instant>,
    /// When a descriptor was last refused.
    refused: Option<Instant>,
    /// When the condition was last logged.
    said: Option<Instant>,
}

/// What to log.
#[derive(Debug, PartialEq, Eq)]
enum Say {
    Nothing,
    Begun,
    Over,
}

impl Condition {
    /// Records that a descriptor was refused.
    fn refused(&mut self, now: Instant) -> Say {
        self.since.get_or_insert(now);
        self.refused = Some(now);
        if self.said.is_some_and(|said| now.duration_since(said) < SAY_AGAIN) {
            return Say::Nothing;
        }
        self.said = Some(now);
        Say::Begun
    }

    /// Records that a descriptor was granted.
    fn granted(&mut self, now: Instant) -> Say {
        let lasts = self.refused.is_some_and(|refused| now.duration_since(refused) < OVER_AFTER);
        let Some(since) = self.since.filter(|_| !lasts) else { return Say::Nothing };
        self.since = None;
        // If the begin was not logged, neither is the end.
        if self.said.is_some_and(|said| said >= since) { Say::Over } else { Say::Nothing }
    }
}

/// Returns whether an error means that no descriptor is left, for this process or for the machine.
pub fn is_out_of_files(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::EMFILE | Errno::ENFILE))
}

/// Records that a descriptor was refused.
pub fn refused() {
    note(Condition::refused);
}

/// Tries to open a file. Returns a message if no descriptors are left, or none were a moment ago.
pub fn probe() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "no setting names it")]
    match File::open("/dev/null") {
        Err(error) if is_out_of_files(&error) => refused(),
        _ => note(Condition::granted),
    }
    let lasts = CONDITION.lock().unwrap_or_else(PoisonError::into_inner).since.is_some();
    lasts.then(reason)
}

fn note(note: impl FnOnce(&mut Condition, Instant) -> Say) {
    let said = note(&mut CONDITION.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
    match said {
        Say::Nothing => {}
        Say::Begun => tracing::error!("{}", reason()),
        Say::Over => tracing::info!("file descriptors are available again"),
    }
}

fn reason() -> String {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or("?".to_owned(), |(soft, _)| soft.to_string());
    format!(
        "No file descriptors are left (the limit of this process is {limit}): connections to Kafka, to the service and to \
         the REST API are refused. Raise the limit (ulimit -n, LimitNOFILE of systemd), or spread the streams over more \
         workers."
    )
}

/// Probes every two seconds, until cancelled.
pub async fn watch(cancel: CancellationToken) {
    loop {
        fault_point(Part::OpenFiles);
        probe();
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

#[cfg(test)]
#[path = "open_files_tests.rs"]
mod tests;
