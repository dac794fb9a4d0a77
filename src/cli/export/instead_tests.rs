use super::*;

#[test]
fn what_there_is_instead_is_named_unless_the_stream_was_there() {
    let mut instead = Instead::default();
    assert_eq!(instead.text(), "");
    instead.note_stream("another");
    instead.note_kind(&Kind::Frame);
    assert_eq!(instead.text(), "; the topic has its frames, and the fragments are in another one (--topic)");
    let mut instead = Instead::default();
    ["b", "a", "b"].into_iter().for_each(|name| instead.note_stream(name));
    assert_eq!(instead.text(), "; the topic has a, b");
    (0..100).for_each(|number| instead.note_stream(&format!("camera-{number:02}")));
    assert!(instead.text().ends_with(", camera-07 and more"), "{}", instead.text());
    instead.note_own();
    assert_eq!(instead.text(), "");
}
