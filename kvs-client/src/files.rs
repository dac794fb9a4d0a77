//! Reads files that settings name, completely and within bounds.
//!
//! **Contract.** Only regular files of at most [`FILE_MAX_BYTES`] are read. A pipe without a writer, or a device
//! without an end, is refused at once. Reading therefore only waits for the file system; async code does it on a thread
//! where blocking is allowed. An error says what is wrong and what to do; the caller adds the name of the file.

use std::fs::{FileType, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use nix::libc::{O_NOCTTY, O_NONBLOCK};

/// The size of the largest file that is read, in bytes. The certificates of all public authorities have a quarter of
/// it.
pub const FILE_MAX_BYTES: u64 = 1 << 20;

/// Reasons why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The operating system refuses to read it.
    #[error("cannot be read: {error}{}", remedy(error.kind()))]
    Refused {
        /// The operating system's error.
        #[source]
        error: std::io::Error,
    },
    /// The path does not lead to a regular file.
    #[error("cannot be read: it is {found}, but a regular file was expected; copy the content to one")]
    NotRegular {
        /// What the path leads to, such as `a pipe`.
        found: &'static str,
    },
    /// The file is larger than [`FILE_MAX_BYTES`].
    #[error(
        "cannot be read: it is larger than {FILE_MAX_BYTES} bytes, the limit for configured files; is it the right one?"
    )]
    TooLarge,
    /// The file is not text in UTF-8.
    #[error("cannot be read: it is not text in UTF-8; is it the right file?")]
    NotText,
}

impl FileError {
    /// Returns the text for a file that was named on the command line, with the folder it was looked for in.
    pub fn on_command_line(&self, file: &Path) -> String {
        match self {
            Self::Refused { error } if error.kind() == ErrorKind::NotFound => {
                let folder = std::env::current_dir().ok().filter(|_| file.is_relative());
                let folder =
                    folder.map_or(String::new(), |folder| format!("; it was looked for in {}", folder.display()));
                format!("cannot be read: {error}{folder}")
            }
            _ => self.to_string(),
        }
    }
}

fn remedy(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "; it must be on the worker's machine, under this path",
        ErrorKind::PermissionDenied => "; allow the user of this process to read it, and to enter its folders",
        _ => "",
    }
}

/// Returns the bytes of a file. Blocks, because a file system may be slow.
///
/// # Errors
/// [`FileError`] when the file is not there, not readable, not a regular file, or too large.
pub fn read(file: &Path) -> Result<Vec<u8>, FileError> {
    let refused = |error| FileError::Refused { error };
    // Checked before it is opened, because opening a device or a pipe has effects.
    expect_regular(std::fs::metadata(file).map_err(refused)?.file_type())?;
    // Checked again once it is open, without blocking, because the path may lead to another file by now.
    let opened = OpenOptions::new().read(true).custom_flags(O_NONBLOCK | O_NOCTTY).open(file).map_err(refused)?;
    let found = opened.metadata().map_err(refused)?;
    expect_regular(found.file_type())?;
    if found.len() > FILE_MAX_BYTES {
        return Err(FileError::TooLarge);
    }
    let mut bytes = Vec::new();
    // The file may grow while it is read.
    opened.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() as u64 > FILE_MAX_BYTES { Err(FileError::TooLarge) } else { Ok(bytes) }
}

/// Returns the text of a file. Blocks, as [`read`] does.
///
/// # Errors
/// As [`read`], and [`FileError::NotText`] when the file is not UTF-8.
pub fn read_text(file: &Path) -> Result<String, FileError> {
    String::from_utf8(read(file)?).map_err(|_| FileError::NotText)
}

fn expect_regular(found: FileType) -> Result<(), FileError> {
    let found = match found {
        found if found.is_file() => return Ok(()),
        found if found.is_dir() => "a folder",
        found if found.is_fifo() => "a pipe",
        found if found.is_socket() => "a socket",
        _ => "a device",
    };
    Err(FileError::NotRegular { found })
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
