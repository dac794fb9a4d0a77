//! Runs ffmpeg, which the user has or has not.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicI32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cli::failure::{EXIT_UNAVAILABLE, Failure};

/// The most of ffmpeg's own message that is shown, in bytes.
const MESSAGE_MAX_BYTES: usize = 1_000;

/// Runs ffmpeg with these arguments; `what` is what it is needed for.
pub(in crate::cli) fn run<A: AsRef<OsStr>>(what: &str, arguments: &[A]) -> Result<(), Failure> {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-y", "-v", "error"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let output = output_of(command).map_err(|error| {
        let line = if error.kind() == std::io::ErrorKind::NotFound {
            format!("{what} needs ffmpeg, which is not installed (apt-get install ffmpeg, brew install ffmpeg); an .mkv file needs none")
        } else {
            format!("ffmpeg cannot be run: {error}")
        };
        Failure::new(EXIT_UNAVAILABLE, line)
    })?;
    if output.status.success() {
        return Ok(());
    }
    let end = output.stderr.len().min(MESSAGE_MAX_BYTES);
    let said = String::from_utf8_lossy(&output.stderr[..end]).trim().replace('\n', "; ");
    Err(Failure::new(EXIT_UNAVAILABLE, format!("{what}: ffmpeg failed ({}): {said}", output.status)))
}

/// The ffmpeg that runs, or 0.
static RUNNING: AtomicI32 = AtomicI32::new(0);

/// Runs a program to its end, or until [`end`].
fn output_of(mut command: Command) -> std::io::Result<Output> {
    let child = command.spawn()?;
    RUNNING.store(i32::try_from(child.id()).unwrap_or(0), Ordering::SeqCst);
    let output = child.wait_with_output();
    RUNNING.store(0, Ordering::SeqCst);
    output
}

/// Ends ffmpeg if it runs: without this program, nobody wants what it writes.
pub(super) fn end() {
    let running = RUNNING.load(Ordering::SeqCst);
    if running > 0 {
        let _ = kill(Pid::from_raw(running), Signal::SIGKILL);
    }
}
