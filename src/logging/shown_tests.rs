use super::*;

#[test]
fn what_others_have_written_is_shown_short() {
    assert_eq!(shown(b"task-a-0"), "task-a-0");
    assert_eq!(shown(b"\xff"), "\u{fffd}");
    let long = shown(&vec![b'x'; 3_000_000]);
    assert!(long.len() < 250 && long.ends_with("… (3000000 bytes)"), "{long}");
}
