//! A file that gets its name when it is complete.
//!
//! **Contract.** Until [`PartFile::complete`] there is nothing under the final name, or what was there before. What has been
//! written is removed when that is not reached: after an error, and after Ctrl-C or another signal that ends the program, with a
//! message. A signal that comes later changes nothing. Several programs may write the same file: each writes its own, and the last one to
//! complete it stays.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::ffmpeg;
use crate::cli::failure::{EXIT_UNAVAILABLE, Failure};
use crate::cli::interrupt::{self, Told};

/// What the program writes.
static WRITTEN: Mutex<Written> = Mutex::new(Written { unfinished: Vec::new(), is_complete: false });

struct Written {
    /// What has to be removed when the program is told to stop.
    unfinished: Vec<PathBuf>,
    /// Whether a file has its name.
    is_complete: bool,
}

/// A file that is being written beside its final place.
pub(in crate::cli) struct PartFile {
    part: PathBuf,
    target: PathBuf,
    is_complete: bool,
}

fn written() -> std::sync::MutexGuard<'static, Written> {
    // Nothing panics while the lock is held.
    WRITTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remove_unfinished() -> Told {
    let written = written();
    if written.is_complete {
        return Told::IsDone;
    }
    ffmpeg::end();
    written.unfinished.iter().for_each(|part| _ = std::fs::remove_file(part));
    // Nothing gets its name any more, and nobody says that it could not: the program ends.
    std::mem::forget(written);
    Told::Ends
}

impl PartFile {
    /// Chooses the place of a file that will be `target`, with this ending until then. Where that is a link, the file that it leads to
    /// is meant; what is no file, a folder or a pipe, is refused.
    pub(in crate::cli) fn beside(target: &Path, ending: &str) -> Result<Self, Failure> {
        let target = match target.canonicalize() {
            Ok(existing) if !existing.is_file() => return Err(named(target, &"it is there, and is no file")),
            Ok(existing) => existing,
            Err(_) => target.to_owned(),
        };
        if target.file_name().is_none() {
            return Err(named(&target, &"a file name was expected"));
        }
        // Short, for the target's own name may be as long as names can be.
        let part = target.with_file_name(format!(".kvs-connect-{:016x}.part.{ending}", rand::random::<u64>()));
        interrupt::listen("no file was written", remove_unfinished);
        written().unfinished.push(part.clone());
        Ok(Self { part, target, is_complete: false })
    }

    /// Creates the file.
    pub(in crate::cli) fn create(&self) -> Result<File, Failure> {
        File::create_new(&self.part).map_err(|error| named(&self.target, &error))
    }

    /// Returns where it is until it is complete.
    pub(in crate::cli) fn path(&self) -> &Path {
        &self.part
    }

    /// Gives the file its name. What had the name is replaced.
    pub(in crate::cli) fn complete(mut self) -> Result<(), Failure> {
        let mut written = written();
        std::fs::rename(&self.part, &self.target).map_err(|error| named(&self.target, &error))?;
        (self.is_complete, written.is_complete) = (true, true);
        Ok(())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.is_complete {
            let _ = std::fs::remove_file(&self.part);
        }
        written().unfinished.retain(|part| *part != self.part);
    }
}

fn named(target: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(EXIT_UNAVAILABLE, format!("{} cannot be written: {error}", target.display()))
}

#[cfg(test)]
#[path = "part_file_tests.rs"]
mod tests;
