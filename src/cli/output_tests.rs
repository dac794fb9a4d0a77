use super::*;

#[test]
fn a_text_of_somebody_elses_does_nothing_to_a_terminal() {
    assert_eq!(plain("a\u{1b}[2Jb\r\nc\u{202e}d\u{9b}e", 100), "a\u{fffd}[2Jb\u{fffd} c\u{fffd}d\u{fffd}e");
    assert_eq!(plain("aäöü", 4), "aäöü");
    assert_eq!(plain(&"x".repeat(100_000), 3), "xxx…");
}
