//! Makes texts from the network safe to show in errors, logs and statuses.

use std::error::Error;

/// The maximum number of characters that [`shown`] keeps.
const CHARS_MAX: usize = 500;

/// Returns a text as it may be shown: at most 500 characters, without control characters or direction marks.
///
/// See [`shown_up_to`].
pub fn shown(text: &str) -> String {
    shown_up_to(text, CHARS_MAX)
}

/// Returns the first `chars_max` characters of a text as they may be shown, with an ellipsis if there are more.
///
/// Tabs and line breaks become spaces. Characters that move a terminal's cursor, turn the direction of writing or are
/// invisible become U+FFFD, so that one line of a log stays one line and reads the way it was written.
pub fn shown_up_to(text: &str, chars_max: usize) -> String {
    let mut chars = text.chars();
    let mut shown: String = chars.by_ref().take(chars_max).map(harmless).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Returns bytes that should be text as [`shown`] returns text; what is not UTF-8 becomes U+FFFD.
pub fn shown_bytes(bytes: &[u8]) -> String {
    // A character has at most four bytes; the four after the last one show that there is more.
    shown(&String::from_utf8_lossy(&bytes[..bytes.len().min(CHARS_MAX * 4 + 4)]))
}

/// Returns whether [`shown_up_to`] would leave all characters of a text unchanged.
pub fn is_harmless(text: &str) -> bool {
    text.chars().all(|char| harmless(char) == char)
}

/// Returns an error and its causes in one line, each made safe by [`shown`], because any of them may quote the network.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = shown(&error.to_string());
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = shown(&inner.to_string());
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

fn harmless(char: char) -> char {
    match char {
        '\t' | '\n' | '\r' => ' ',
        _ if char.is_control() || is_layout(char) => '\u{FFFD}',
        _ => char,
    }
}

/// Returns whether a character is invisible and changes the layout of others: direction marks, embeddings, overrides
/// and isolates, line and paragraph separators, joiners and zero-width spaces.
fn is_layout(char: char) -> bool {
    matches!(
        char,
        '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
    )
}

#[cfg(test)]
#[path = "shown_tests.rs"]
mod tests;
