//! Runs ffmpeg, which the user has or has not.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use crate::cli::failure::{EXIT_UNAVAILABLE, Failure};

/// The most of ffmpeg's own message that is shown, in bytes.
const MESSAGE_MAX_BYTES: usize = 1_000;

/// Runs ffmpeg with these arguments; `what` is what it is needed for.
pub(in crate::cli) fn run<A: AsRef<OsStr>>(what: &str, arguments: &[A]) -> Result<(), Failure> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-y", "-v", "error"]).args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    let output = command.output().map_err(|error| {
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
