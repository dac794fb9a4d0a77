//! Reading files that a user or the data folder names: regular files only, and only up to a limit.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The largest media file, played or saved: 4 GiB.
pub(crate) const MEDIA_MAX_BYTES: u64 = 4 << 30;
/// The largest of the other files read at the start (certificates, keys, saved settings): 1 MiB.
pub(crate) const SMALL_MAX_BYTES: u64 = 1 << 20;

/// Reads a whole file. Devices and pipes are refused, because a device may be endless and opening a pipe may block.
pub(crate) fn read(file: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let found = std::fs::metadata(file)?;
    if !found.is_file() {
        let what = if found.is_dir() { "a folder" } else { "a device, a pipe or a socket" };
        return Err(io::Error::other(format!("is {what}; a regular file is expected")));
    }
    let too_large = || io::Error::other(format!("is larger than {max_bytes} bytes, the limit for such files"));
    if found.len() > max_bytes {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or(0));
    // The file may have grown since, or not report its size.
    File::open(file)?.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes { Err(too_large()) } else { Ok(bytes) }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
