//! Text from the network, as it is shown in errors, logs and statuses.

/// How much of a text is shown.
const CHARS_MAX: usize = 500;

/// Returns a text as it may be shown: cut to 500 characters, and without what moves a terminal's cursor, ends a line of a
/// log, or turns the direction of what follows it.
pub(crate) fn shown(text: &str) -> String {
    let mut chars = text.chars();
    let mut shown: String = chars.by_ref().take(CHARS_MAX).map(harmless).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

/// The same for bytes that ought to be text.
pub(crate) fn shown_bytes(bytes: &[u8]) -> String {
    // A character has four bytes at most; a fifth tells that there is more.
    shown(&String::from_utf8_lossy(&bytes[..bytes.len().min(CHARS_MAX * 4 + 4)]))
}

/// Whether a text can be shown as it is, but for its length.
pub(crate) fn is_harmless(text: &str) -> bool {
    text.chars().all(|char| harmless(char) == char)
}

fn harmless(char: char) -> char {
    match char {
        '\t' | '\n' | '\r' => ' ',
        _ if char.is_control() || is_layout(char) => '\u{FFFD}',
        _ => char,
    }
}

/// Characters that change how others are laid out and have no look of their own: marks, embeddings, overrides and isolates
/// of direction, separators of lines and paragraphs, and what joins or is as wide as nothing.
fn is_layout(char: char) -> bool {
    matches!(
        char,
        '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
    )
}

#[cfg(test)]
#[path = "shown_tests.rs"]
mod tests;
