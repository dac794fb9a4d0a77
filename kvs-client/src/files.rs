//! Files that settings name: read whole, with bounds.
//!
//! **Contract.** Only regular files are read, and at most [`FILE_MAX_BYTES`] of one. A pipe whose writer never comes, or a
//! device that never ends, is refused at once; so nothing waits but for the file system, and async code reads on a thread
//! where waiting is allowed. An error says what is wrong and what to do, and leaves it to the caller to name the file.

use std::fs::{FileType, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use nix::libc::{O_NOCTTY, O_NONBLOCK};

/// What a file may have at most: certificates of all authorities there are have a quarter of it.
pub const FILE_MAX_BYTES: u64 = 1 << 20;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The system refuses.
    #[error("cannot be read: {error}{}", remedy(error.kind()))]
    Refused {
        /// What it says.
        error: std::io::Error,
    },
    /// It is something else than a regular file.
    #[error("cannot be read: it is {found}, and a regular file is expected; copy the contents to one")]
    NotRegular {
        /// What it is.
        found: &'static str,
    },
    /// It is too large.
    #[error(
        "cannot be read: it is larger than {FILE_MAX_BYTES} bytes, and no file of settings may be; is it the right one?"
    )]
    TooLarge,
    /// It is not text.
    #[error("cannot be read: it is not text in UTF-8; is it the right file?")]
    NotText,
}

impl FileError {
    /// Says it of a file that was named on the command line: not the worker, but whoever typed it looks for it.
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
        ErrorKind::NotFound => "; it has to be on the machine of the worker, under this path",
        ErrorKind::PermissionDenied => "; let the user that this process runs as read it, and enter its folders",
        _ => "",
    }
}

/// Reads a file whole. Off the async threads: a file system may take its time.
///
/// # Errors
/// When it is not there, not readable, not a regular file, or too large.
pub fn read(file: &Path) -> Result<Vec<u8>, FileError> {
    let refused = |error| FileError::Refused { error };
    // Looked at before it is opened: to open a device or a pipe is to do something to it.
    expect_regular(std::fs::metadata(file).map_err(refused)?.file_type())?;
    // And again when it is open: it may be another by now, which then must not block.
    let opened = OpenOptions::new().read(true).custom_flags(O_NONBLOCK | O_NOCTTY).open(file).map_err(refused)?;
    let found = opened.metadata().map_err(refused)?;
    expect_regular(found.file_type())?;
    if found.len() > FILE_MAX_BYTES {
        return Err(FileError::TooLarge);
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    opened.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() as u64 > FILE_MAX_BYTES { Err(FileError::TooLarge) } else { Ok(bytes) }
}

/// Reads a file of text.
///
/// # Errors
/// As [`read`]; also when it is no UTF-8.
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
