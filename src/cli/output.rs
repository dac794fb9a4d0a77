//! The output of subcommands.
//!
//! **Contract.** Nothing panics because it cannot be printed. When the reader of standard output has gone (`| head -n 1`),
//! the program ends quietly with 0; when standard output cannot be written for another reason, such as a full disk, it
//! fails with exit code 69, because the requested output has not arrived. When standard error cannot be written, only its
//! lines are lost.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use super::failure::{EXIT_UNAVAILABLE, Failure};
use crate::logging::writer::Lines;

/// Prints a line to standard output.
pub(super) fn print(text: impl Display) -> Result<(), Failure> {
    let line = format!("{text}\n");
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).and_then(|()| out.flush()).map_err(|error| failure(&error))
}

/// Returns a text from a worker or a service in a form that is safe for a terminal: on one line, without
/// characters that control it or change the direction of text, and no longer than this many characters.
pub(super) fn plain(text: &str, chars_max: usize) -> String {
    let turns =
        |char: char| matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = text.chars().map(|char| match char {
        '\n' | '\t' => ' ',
        char if char.is_control() || turns(char) => '\u{fffd}',
        char => char,
    });
    let mut shown = shown.take(chars_max.saturating_add(1)).collect::<Vec<char>>();
    if shown.len() > chars_max {
        shown.truncate(chars_max);
        shown.push('…');
    }
    shown.into_iter().collect()
}

/// Prints a line for a command that has more to do, and continues without it when its reader has gone.
pub(super) fn print_if_read(text: impl Display) -> Result<(), Failure> {
    print(text).or_else(|failure| if failure.code == 0 { Ok(()) } else { Err(failure) })
}

/// Returns the failure of a command that cannot print.
pub(super) fn failure(error: &std::io::Error) -> Failure {
    if error.kind() == ErrorKind::BrokenPipe {
        return Failure { code: 0, lines: Vec::new() };
    }
    Failure::new(EXIT_UNAVAILABLE, format!("standard output cannot be written: {error}"))
}

/// Prints a line to standard error, in order with the log lines there.
pub(super) fn say(text: impl Display) {
    let line = format!("{text}\n").into_bytes();
    match Lines::started() {
        Some(lines) => lines.push(line),
        None => _ = std::io::stderr().write_all(&line),
    }
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
