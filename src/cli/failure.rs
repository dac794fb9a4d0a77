//! How a subcommand fails: an exit code, and what is said. The codes are those of sysexits.

use crate::config::Problem;

/// Wrong usage.
pub const EXIT_USAGE: u8 = 64;
/// Something that is needed cannot be had.
pub const EXIT_UNAVAILABLE: u8 = 69;
/// A part of the program has panicked: a defect of ours. Starting it again is right.
pub const EXIT_SOFTWARE: u8 = 70;
/// The settings are wrong.
pub const EXIT_CONFIG: u8 = 78;

/// How a subcommand failed.
pub(super) struct Failure {
    pub(super) code: u8,
    pub(super) lines: Vec<String>,
}

impl Failure {
    /// Returns a failure that one line says.
    pub(super) fn new(code: u8, line: impl ToString) -> Self {
        Self { code, lines: vec![line.to_string()] }
    }

    /// Returns the failure of settings that are wrong.
    pub(super) fn config(problems: &[Problem]) -> Self {
        Self { code: EXIT_CONFIG, lines: problems.iter().map(ToString::to_string).collect() }
    }
}
