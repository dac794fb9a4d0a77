//! A file that gets its name when it is complete.
//!
//! **Contract.** Until [`PartFile::complete`] there is nothing under the final name, or what was there before. What has been
//! written is removed when that is not reached: after an error, and after Ctrl-C, which ends the program with 130 and a
//! message.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::cli::failure::{EXIT_UNAVAILABLE, Failure};
use crate::cli::interrupt;

/// What has to be removed when the program is told to stop.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A file that is being written beside its final place.
pub(in crate::cli) struct PartFile {
    part: PathBuf,
    target: PathBuf,
    is_complete: bool,
}

fn unfinished() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    // Nothing panics while the lock is held.
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remove_unfinished() {
    unfinished().iter().for_each(|part| _ = std::fs::remove_file(part));
}

impl PartFile {
    /// Chooses the place of a file that will be `target`, with this ending until then.
    pub(in crate::cli) fn beside(target: &Path, ending: &str) -> Result<Self, Failure> {
        let name = target.file_name().ok_or_else(|| named(target, &"a file name was expected"))?;
        let part = target.with_file_name(format!(".{}.{}.part.{ending}", name.to_string_lossy(), std::process::id()));
        interrupt::listen("no file was written", remove_unfinished);
        unfinished().push(part.clone());
        Ok(Self { part, target: target.to_owned(), is_complete: false })
    }

    /// Creates the file.
    pub(in crate::cli) fn create(&self) -> Result<File, Failure> {
        File::create(&self.part).map_err(|error| named(&self.target, &error))
    }

    /// Returns where it is until it is complete.
    pub(in crate::cli) fn path(&self) -> &Path {
        &self.part
    }

    /// Gives the file its name. What had the name is replaced.
    pub(in crate::cli) fn complete(mut self) -> Result<(), Failure> {
        std::fs::rename(&self.part, &self.target).map_err(|error| named(&self.target, &error))?;
        self.is_complete = true;
        Ok(())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.is_complete {
            let _ = std::fs::remove_file(&self.part);
        }
        unfinished().retain(|part| *part != self.part);
    }
}

fn named(target: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(EXIT_UNAVAILABLE, format!("{} cannot be written: {error}", target.display()))
}
