#![allow(clippy::unwrap_used)]

#[test]
fn settings_that_could_not_reach_kafka_are_refused_with_their_key() {
    let load = |settings: &[(&str, &str)]| {
        let servers = ("bootstrap.servers".to_owned(), "k:9092".to_owned());
        let given = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        super::load(None, &[servers].into_iter().chain(given).collect::<Vec<_>>())
    };
    assert_eq!(load(&[("bootstrap.servers", " a:1, b ")]).unwrap().bootstrap_servers, "a:1,b");
    let secure = [("security.protocol", "SSL"), ("bootstrap.servers", "ssl://a:1")];
    assert_eq!(load(&secure).unwrap().bootstrap_servers, "ssl://a:1");
    let long = "x".repeat(100_000);
    for (key, value) in [
        ("bootstrap.servers", ",,,"),
        ("bootstrap.servers", "a b:1, c:99999"),
        ("bootstrap.servers", "ssl://a:1"),
        ("group.id", "a\0b"),
        ("group.id", &long),
        ("group.instance.id", "a\nb"),
        ("client.id", "a\0b"),
        ("producer.client.id", &long),
        ("ssl.key.password", "a\0b"),
    ] {
        let problems = load(&[(key, value)]).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].key == key && problems[0].reason.len() < 400, "{problems:?}");
    }
}
