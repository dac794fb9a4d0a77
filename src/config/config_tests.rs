use super::*;

fn problems(config: &str) -> Vec<String> {
    let text = format!(r#"{{"name": "c", "config": {config}}}"#);
    match parse("c.json", &text) {
        Ok(config) => panic!("valid: {config:?}"),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

fn with(settings: &str) -> Result<ConnectorConfig, Vec<Problem>> {
    parse(
        "c.json",
        &format!(
            r#"{{"name": "c", "config": {{"connector.class": "KinesisVideoSourceConnector", "kvs.region": "us-east-1",
            "kvs.streams": "a,b", "topic": "t" {settings}}}}}"#
        ),
    )
}

fn problem(settings: &str) -> String {
    let problems = with(settings).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].to_string()
}

#[test]
fn the_published_example_is_valid() {
    let config = parse("demo.json", include_str!("../../connectors/demo.json")).unwrap();
    assert_eq!(config.name, "cameras");
    assert_eq!(config.streams.iter().map(StreamRef::name).collect::<Vec<_>>(), ["front-door", "parking"]);
    assert_eq!(
        (config.topic.as_str(), config.topic_partitions, config.topic_replication_factor),
        ("kvs.fragments", 6, 1)
    );
    assert_eq!(config.start, StartSelector::Earliest);
    assert_eq!(config.key_format, KeyFormat::Text);
}

#[test]
fn all_problems_are_said_at_once_with_file_key_and_reason() {
    let said =
        problems(r#"{"kvs.stream": "a", "kvs.region": "", "topic": "a b", "tasks.max": "x", "key.converter": 7}"#);
    let expected = [
        "c.json: kvs.stream: unknown setting; the nearest known one is kvs.streams",
        "c.json: connector.class: is required",
        "c.json: tasks.max: \"x\": a whole number from 1",
        "c.json: kvs.region: is required",
        "c.json: kvs.streams: is required",
        "c.json: topic: \"a b\" is no topic name",
        "c.json: key.converter: \"7\": one of string, avro was expected",
    ];
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "{said}\n{expected}");
    }
    assert_eq!(said.len(), expected.len(), "{said:?}");
}

#[test]
fn start_positions_with_their_companions() {
    let start = |settings: &str| with(settings).unwrap().start;
    assert_eq!(start(r#", "kvs.start.position": "NOW""#), StartSelector::Now);
    let at =
        |text: &str| start(&format!(r#", "kvs.start.position": "SERVER_TIMESTAMP", "kvs.start.timestamp": "{text}""#));
    assert_eq!(
        at("2018-02-23T21:57:47.997Z"),
        StartSelector::ServerTimestamp(Timestamp::from_millis(1_519_423_067_997))
    );
    assert_eq!(at("1519423067.997"), StartSelector::ServerTimestamp(Timestamp::from_millis(1_519_423_067_997)));
    assert!(problem(r#", "kvs.start.position": "FRAGMENT_NUMBER""#).contains("kvs.start.fragment.number: is required"));
    assert!(problem(r#", "kvs.start.timestamp": "1""#).contains("is not for kvs.start.position=EARLIEST"));
    let token = r#", "kvs.start.position": "CONTINUATION_TOKEN", "kvs.start.continuation.token": "t""#;
    assert!(problem(token).contains("a token is of one stream"));
    assert!(problem(r#", "kvs.start.position": "LATEST""#).contains("one of EARLIEST, NOW"));
}

#[test]
fn odd_names_are_handled_or_refused() {
    for name in ["two words", "q'uo\"te", "../up", "Türkamera", &"n".repeat(256)] {
        let text = serde_json::json!({ "name": name, "config": {
            "connector.class": "KinesisVideoSourceConnector", "kvs.region": "us-east-1", "kvs.streams": "a", "topic": "t" } });
        assert_eq!(parse("c.json", &text.to_string()).unwrap().name, name);
    }
    for name in ["", "  ", "new\nline", &"n".repeat(257)] {
        let text = serde_json::json!({ "name": name, "config": {
            "connector.class": "KinesisVideoSourceConnector", "kvs.region": "us-east-1", "kvs.streams": "a", "topic": "t" } });
        assert!(parse("c.json", &text.to_string()).is_err(), "{name:?}");
    }
    for streams in ["a b", "a,,b", "../a", "kamera-tür", "a\\\"b", &"s".repeat(257), "a,a"] {
        let settings = format!(r#", "kvs.streams": "{streams}""#);
        assert!(with(&settings).is_err(), "{streams}");
    }
    for topic in ["..", "a b", "a/b", "tür", &"t".repeat(250)] {
        assert!(problem(&format!(r#", "topic": "{topic}""#)).contains("is no topic name"), "{topic}");
    }
}

#[test]
fn what_is_no_connector_is_said_to_be_none() {
    for (text, expected) in [
        ("", "no JSON"),
        ("[]", "was expected"),
        (r#"{"name": "a"}"#, "an object of settings is required"),
        (r#"{"name": "a", "config": {"topic": ["t"]}}"#, "a string was expected"),
        (r#"{"name": "a", "konfig": {}, "config": {}}"#, "unknown member"),
    ] {
        let said = format!("{:?}", parse("c.json", text).unwrap_err());
        assert!(said.contains(expected), "{text}: {said}");
    }
}

#[test]
fn secrets_do_not_show() {
    let settings = r#", "kvs.credentials.access.key.id": "id", "kvs.credentials.secret.access.key": "very-secret""#;
    let config = with(settings).unwrap();
    assert!(!format!("{config:?}").contains("very-secret"));
    assert!(problem(r#", "kvs.credentials.access.key.id": "id""#).contains("belong together"));
}

#[test]
fn rule_13_a_connector_does_not_write_to_the_workers_own_topics() {
    let flags = [("bootstrap.servers".to_owned(), "k:9092".to_owned())];
    let worker = super::super::worker::load(None, &flags).unwrap();
    for topic in ["kvs-connect-offsets", "kvs-connect-configs", "kvs-connect-status"] {
        let connector = with(&format!(r#", "topic": "{topic}""#)).unwrap();
        let problems = check::together(Some(&worker), &[connector]);
        assert!(problems[0].to_string().contains("a connector must not write there"), "{problems:?}");
    }
    let twice = [with("").unwrap(), with("").unwrap()];
    assert!(check::together(Some(&worker), &twice)[0].to_string().contains("is the name of the connector"));
}

#[test]
fn worker_settings_come_in_layers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("worker.toml");
    std::fs::write(
        &file,
        "bootstrap.servers = \"a:1\"\ngroup.id = \"file\"\nproducer.linger.ms = 5\nsession.timeout.ms = 7000\n",
    )
    .unwrap();
    let flags = [("group.id".to_owned(), "flag".to_owned())];
    let worker = super::super::worker::load(Some(&file), &flags).unwrap();
    assert_eq!(
        (worker.bootstrap_servers.as_str(), worker.group_id.as_str(), worker.session_timeout_ms),
        ("a:1", "flag", 7000)
    );
    assert_eq!(worker.producer.get("linger.ms").map(String::as_str), Some("5"));
    assert_eq!(worker.offsets_topic, "kvs-connect-offsets");
    std::fs::write(&file, "group.idd = \"x\"\nlisteners = \"ftp://x\"\noffset.storage.partitions = 0\n").unwrap();
    let said = format!("{:?}", super::super::worker::load(Some(&file), &[]).unwrap_err());
    for expected in
        ["the nearest known one is group.id", "http://ADDRESS:PORT", "a whole number from 1", "bootstrap.servers"]
    {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}
