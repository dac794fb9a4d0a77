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

#[test]
fn oauthbearer_without_tokens_is_refused_for_its_clients_would_wait_for_ever() {
    let load = |settings: &[(&str, &str)]| {
        let base =
            [("bootstrap.servers", "k:9092"), ("security.protocol", "SASL_SSL"), ("sasl.mechanism", "OAUTHBEARER")];
        let given = base.iter().chain(settings).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        super::load(None, &given.collect::<Vec<_>>())
    };
    let unsigned = ["producer", "consumer", "admin"].map(|kind| format!("{kind}.enable.sasl.oauthbearer.unsecure.jwt"));
    let unsigned: Vec<(&str, &str)> = unsigned.iter().map(|key| (key.as_str(), "true")).collect();
    assert!(load(&unsigned).is_ok());
    for settings in [&[][..], &unsigned[..2]] {
        let problems = load(settings).unwrap_err();
        assert!(problems.len() == 1 && problems[0].key == "sasl.mechanism", "{problems:?}");
        assert!(problems[0].reason.contains("SCRAM-SHA-512"), "{problems:?}");
    }
}
