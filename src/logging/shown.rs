//! Shows text from other programs in the log.

/// The number of characters shown.
const CHARS_MAX: usize = 200;

/// Returns the beginning of a text from an untrusted source, such as a record's key.
pub(crate) fn shown(bytes: &[u8]) -> String {
    // A character has at most four bytes; the rest is not examined.
    let begin = bytes.get(..CHARS_MAX * 4).unwrap_or(bytes);
    let mut shown: String = String::from_utf8_lossy(begin).chars().take(CHARS_MAX).collect();
    if begin.len() < bytes.len() {
        shown.push_str(&format!("… ({} bytes)", bytes.len()));
    }
    shown
}

#[cfg(test)]
#[path = "shown_tests.rs"]
mod tests;
