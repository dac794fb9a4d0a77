use super::*;

fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_topic_of_another_connector_is_known_unless_it_is_for_the_same() {
    let (a, b) = ("a".to_owned(), "b".to_owned());
    let of_a = settings(&[("topic", "kvs.${stream}"), ("metadata.topic", "own"), ("kvs.start.position", "x")]);
    let of_b = settings(&[
        ("topic", "kvs.b"),
        ("metadata.topic", "meta.${connector}"),
        ("errors.deadletterqueue.topic.name", "dead"),
        ("offsets.storage.topic", "offsets"),
        ("frames.topic", "frames.${stream}"),
    ]);
    let topics = GroupTopics::default();
    assert_eq!(topics.role("a", "topic", "meta.b"), None);
    topics.set([(&a, &of_a), (&b, &of_b)].into_iter());
    for (setting, topic, expected) in [
        ("topic", "kvs.b", None),
        ("topic", "own", None),
        ("topic", "frames.x", None),
        ("metadata.topic", "kvs.b", Some("the topic of connector \"b\"")),
        ("topic", "meta.b", Some("the metadata.topic of connector \"b\"")),
        ("topic", "dead", Some("the errors.deadletterqueue.topic.name of connector \"b\"")),
        ("topic", "offsets", Some("the offsets.storage.topic of connector \"b\"")),
    ] {
        assert_eq!(topics.role("a", setting, topic).as_deref(), expected, "{setting} {topic}");
    }
    topics.set(std::iter::once((&a, &of_a)));
    assert_eq!(topics.role("a", "topic", "dead"), None);
}
