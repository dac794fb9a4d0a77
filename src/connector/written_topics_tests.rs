use super::*;

#[test]
fn a_topic_stays_until_it_is_reported_and_comes_back_with_the_next_commit() {
    let (written, topic) = (WrittenTopics::default(), Arc::from("fragments"));
    for connector in ["a", "b", "a"] {
        written.note(connector, &topic);
    }
    let each = [("a".to_owned(), Arc::clone(&topic)), ("b".to_owned(), Arc::clone(&topic))];
    assert_eq!(written.unreported(|_, _| false), each);
    assert_eq!(written.unreported(|connector, topic| (connector, topic) == ("a", "fragments")), each[1..]);
    assert_eq!(written.unreported(|_, _| true), []);
    assert!(written.lock().is_empty(), "connectors that are gone take no memory");
    written.note("a", &topic);
    assert_eq!(written.unreported(|_, _| false), each[..1]);
}
