use super::*;

#[test]
fn shown_text_is_short_and_harmless() {
    assert_eq!(shown("Grüße, 玄関 🚪"), "Grüße, 玄関 🚪");
    assert_eq!(
        shown("a\r\nb\tc\u{1b}[2Jd\u{9b}e\u{202E}f\u{2066}g\0"),
        "a  b c\u{FFFD}[2Jd\u{FFFD}e\u{FFFD}f\u{FFFD}g\u{FFFD}"
    );
    assert_eq!(shown(&"é".repeat(500)), "é".repeat(500));
    assert_eq!(shown(&"é".repeat(501)), "é".repeat(500) + "…");
    assert_eq!(shown_bytes(&[b'a'; 100_000]), "a".repeat(500) + "…");
    assert_eq!(shown_bytes("🚪".repeat(501).as_bytes()), "🚪".repeat(500) + "…");
    assert_eq!(shown_bytes(b"\xff<html>"), "\u{FFFD}<html>");
}
