//! A subcommand's failure: an exit code and the lines to print. The codes are those of sysexits.

use crate::config::Problem;

/// Wrong usage.
pub const EXIT_USAGE: u8 = 64;
/// Something that is required is unavailable.
pub const EXIT_UNAVAILABLE: u8 = 69;
/// A part of the program has panicked, which is a defect of ours; starting it again is right.
pub const EXIT_SOFTWARE: u8 = 70;
/// The settings are wrong.
pub const EXIT_CONFIG: u8 = 78;

/// The failure of a subcommand.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) code: u8,
    pub(super) lines: Vec<String>,
}

impl Failure {
    /// Returns a failure with one line.
    pub(super) fn new(code: u8, line: impl ToString) -> Self {
        Self { code, lines: vec![line.to_string()] }
    }

    /// Returns the failure with the lines of an earlier one before its own.
    pub(super) fn after(self, earlier: Option<Self>) -> Self {
        let lines = earlier.map_or_else(Vec::new, |earlier| earlier.lines);
        Self { code: self.code, lines: lines.into_iter().chain(self.lines).collect() }
    }

    /// Returns the failure for invalid settings.
    pub(super) fn config(problems: &[Problem]) -> Self {
        Self { code: EXIT_CONFIG, lines: problems.iter().map(ToString::to_string).collect() }
    }
}
