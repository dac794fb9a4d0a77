//! What a subcommand prints.
//!
//! **Contract.** Nothing panics because it cannot be printed. A reader that has gone (`| head -n 1`) has had enough, and the
//! program ends quietly with 0; standard output that cannot be written otherwise, as on a full disk, is an error with
//! exit code 69, for what was asked for has not arrived. Standard error that cannot be written costs its lines alone.

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

/// Returns a text of somebody else's, a worker's or a service's, as it may be shown on a terminal: on one line, without
/// characters that control it or turn the direction of writing, and no longer than this many characters.
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

/// Prints a line that a program with more to do goes on without when its reader has gone.
pub(super) fn print_if_read(text: impl Display) -> Result<(), Failure> {
    print(text).or_else(|failure| if failure.code == 0 { Ok(()) } else { Err(failure) })
}

/// How a program ends that cannot print.
pub(super) fn failure(error: &std::io::Error) -> Failure {
    if error.kind() == ErrorKind::BrokenPipe {
        return Failure { code: 0, lines: Vec::new() };
    }
    Failure::new(EXIT_UNAVAILABLE, format!("standard output cannot be written: {error}"))
}

/// Says a line on standard error, behind what is logged there.
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
