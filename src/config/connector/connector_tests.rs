use std::time::Duration;

use kvs_client::{CredentialsSource, StartSelector};

use super::*;
use crate::config::check;
use crate::model::KeyFormat;

fn read(place: &str, text: &str) -> Result<ConnectorConfig, Vec<Problem>> {
    from_settings(place, &parse(place, text)?.settings)
}

fn names(config: &ConnectorConfig) -> Vec<String> {
    match &config.streams {
        StreamsConfig::Listed(streams) => streams.iter().map(|stream| stream.name().to_owned()).collect(),
        StreamsConfig::Discovered(_) => panic!("discovered"),
    }
}

fn problems(config: &str) -> Vec<String> {
    let text = format!(r#"{{"name": "c", "config": {config}}}"#);
    match read("c.json", &text) {
        Ok(config) => panic!("valid: {config:?}"),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

fn text_with(settings: &str) -> String {
    format!(
        r#"{{"name": "c", "config": {{"connector.class": "KinesisVideoSourceConnector", "kvs.region": "us-east-1",
        "kvs.streams": "a,b", "topic": "t" {settings}}}}}"#
    )
}

pub(super) fn with(settings: &str) -> Result<ConnectorConfig, Vec<Problem>> {
    read("c.json", &text_with(settings))
}

fn replaced(key: &str, value: &str) -> Result<ConnectorConfig, Vec<Problem>> {
    let mut given = parse("c.json", &text_with("")).unwrap().settings;
    given.insert(key.to_owned(), value.to_owned());
    from_settings("c.json", &given)
}

pub(super) fn problem(settings: &str) -> String {
    let problems = with(settings).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].to_string()
}

#[test]
fn the_published_example_is_valid() {
    let config = read("demo.json", include_str!("../../../connectors/demo.json")).unwrap();
    assert_eq!(config.name, "cameras");
    assert_eq!(names(&config), ["front-door", "parking"]);
    assert_eq!(
        (config.topic.text(), config.topic_partitions, config.topic_replication_factor),
        ("kvs.fragments", 6, 1)
    );
    assert_eq!(config.puller.start, StartSelector::Earliest);
    assert_eq!(config.converters.keys, KeyFormat::Text);
}

#[test]
fn all_problems_are_reported_at_once_with_file_key_and_reason() {
    let said =
        problems(r#"{"kvs.stream": "a", "kvs.region": "", "topic": "a b", "tasks.max": "x", "key.converter": 7}"#);
    let expected = [
        "c.json: kvs.stream: unknown setting; the nearest known one is kvs.streams",
        "c.json: connector.class: is required",
        "c.json: tasks.max: \"x\": a whole number from 1",
        "c.json: kvs.streams: is required, or one of kvs.streams.prefix",
        "c.json: topic: \"a b\" is not a topic name",
        "c.json: key.converter: \"7\": one of string, avro, AvroConverter was expected",
    ];
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "{said}\n{expected}");
    }
    assert_eq!(said.len(), expected.len(), "{said:?}");
}

#[test]
fn unusual_names_are_handled_or_refused() {
    for name in ["two words", "q'uo\"te", "../up", "Türkamera", &"n".repeat(256)] {
        let text = serde_json::json!({ "name": name, "config": {
            "connector.class": "KinesisVideoSourceConnector", "kvs.region": "us-east-1", "kvs.streams": "a", "topic": "t" } });
        assert_eq!(read("c.json", &text.to_string()).unwrap().name, name);
    }
    // Names that mean another folder in a path, and names that a terminal or a browser would display as another.
    for name in [
        "",
        "  ",
        ".",
        "..",
        " .. ",
        "new\nline",
        "c1\u{85}",
        "a\u{202e}b",
        "a\u{2066}b",
        "a\u{200f}",
        "a\u{2028}b",
        &"n".repeat(257),
    ] {
        let text = serde_json::json!({ "name": name, "config": {
            "connector.class": "KinesisVideoSourceConnector", "kvs.region": "us-east-1", "kvs.streams": "a", "topic": "t" } });
        assert!(read("c.json", &text.to_string()).is_err(), "{name:?}");
    }
    for streams in ["a b", "a,,b", "../a", "kamera-tür", "a\"b", &"s".repeat(257), "a,a"] {
        assert!(replaced("kvs.streams", streams).is_err(), "{streams}");
    }
    for topic in ["..", "a b", "a/b", "tür", &"t".repeat(250)] {
        let said = format!("{:?}", replaced("topic", topic).unwrap_err());
        assert!(said.contains("is not a topic name"), "{topic}: {said}");
    }
}

#[test]
fn files_that_are_no_connector_are_refused() {
    for (text, expected) in [
        ("", "not JSON"),
        ("[]", "was expected"),
        (r#"{"name": "a"}"#, "an object of settings is required"),
        (r#"{"name": "a", "config": {"topic": ["t"]}}"#, "a string was expected"),
        (r#"{"name": "a", "konfig": {}, "config": {}}"#, "unknown member"),
        (r#"{"name": "a", "config": {"topic": "one", "topic": "two"}}"#, r#"the key \"topic\" occurs twice"#),
        (r#"{"name": "a", "config": {}, "config": {}}"#, "occurs twice"),
    ] {
        let said = format!("{:?}", read("c.json", text).unwrap_err());
        assert!(said.contains(expected), "{text}: {said}");
    }
}

#[test]
fn secrets_do_not_show() {
    let settings = r#", "kvs.credentials.access.key.id": "id", "kvs.credentials.secret.access.key": "very-secret""#;
    let config = with(settings).unwrap();
    assert!(!format!("{config:?}").contains("very-secret"));
    assert!(problem(r#", "kvs.credentials.access.key.id": "id""#).contains("must both be set"));
}

#[test]
fn rule_13_a_connector_does_not_write_to_the_workers_own_topics() {
    let flags = [("bootstrap.servers".to_owned(), "k:9092".to_owned())];
    let worker = super::super::worker::load(None, &flags).unwrap();
    for topic in ["kvs-connect-offsets", "kvs-connect-configs", "kvs-connect-status"] {
        let text = format!(
            r#"{{"name": "c", "config": {{"connector.class": "KinesisVideoSourceConnector", "kvs.region": "us-east-1",
            "kvs.streams": "a,b", "topic": "{topic}"}}}}"#
        );
        let given = parse("c.json", &text).unwrap();
        let problems = check::connector(Some(&worker), "c.json", &given.settings).unwrap_err();
        assert!(problems[0].to_string().contains("a connector must not write there"), "{problems:?}");
        assert!(check::names(&[given.clone(), given])[0].to_string().contains("is also the name of the connector"));
    }
}

#[test]
fn outputs_whose_topics_could_be_the_same_are_refused() {
    let flags = [("bootstrap.servers".to_owned(), "k:9092".to_owned())];
    let worker = super::super::worker::load(None, &flags).unwrap();
    let problems = |topic: &str, metadata: &str| -> String {
        let text = format!(
            r#"{{"name": "c", "config": {{"connector.class": "KinesisVideoSourceConnector", "kvs.region": "us-east-1",
            "kvs.streams": "a,b", "topic": "{topic}", "metadata.topic": "{metadata}"}}}}"#
        );
        let given = parse("c.json", &text).unwrap();
        match check::connector(Some(&worker), "c.json", &given.settings) {
            Ok(_) => String::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    };
    for (topic, metadata, expected) in [
        ("t", "t", "is the connector's topic, too"),
        ("t.m", "t_m", "only by a . in place of a _"),
        ("t.${stream}", "t_${stream}", "only by a . in place of a _"),
        ("kvs.${tag:a}", "kvs.${stream}", "can lead to the same topic"),
        ("kvs.${tag:a}", "kvs.m", ""),
        ("kvs.${stream}", "kvs.${stream}.metadata", ""),
        ("a.${stream}", "b.${stream}", ""),
        ("__consumer_offsets", "m", "is Kafka's own topic"),
        ("t", "__transaction_state", "is Kafka's own topic"),
    ] {
        let found = problems(topic, metadata);
        assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{topic} {metadata}: {found}");
    }
}

#[test]
fn problems_show_the_reference_and_not_its_value() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secrets"), "region=NOT A REGION\n").unwrap();
    let path = folder.path().display().to_string();
    let flags = [
        ("bootstrap.servers".to_owned(), "k:9092".to_owned()),
        ("config.providers.file.param.allowed.paths".to_owned(), path.clone()),
    ];
    let worker = super::super::worker::load(None, &flags).unwrap();
    let mut settings = BTreeMap::from([
        ("name".to_owned(), "c".to_owned()),
        ("connector.class".to_owned(), "KinesisVideoSourceConnector".to_owned()),
        ("kvs.streams".to_owned(), "a".to_owned()),
        ("topic".to_owned(), "t".to_owned()),
    ]);
    settings.insert("kvs.region".to_owned(), format!("${{file:{path}/secrets:region}}"));
    settings.insert("kvs.proxy.url".to_owned(), "ftp://user:clear@host".to_owned());
    let said = format!("{:?}", check::connector(Some(&worker), "c.json", &settings).unwrap_err());
    assert!(said.contains("/secrets:region}") && said.contains("AWS region"), "{said}");
    assert!(!said.contains("NOT A REGION") && !said.contains("clear"), "{said}");
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

/// A connector without `kvs.streams`, with these settings.
pub(super) fn without_streams(settings: &str) -> Result<ConnectorConfig, Vec<Problem>> {
    let config = format!(r#"{{"connector.class": "KinesisVideoSourceConnector", "topic": "t" {settings}}}"#);
    read("c.json", &format!(r#"{{"name": "c", "config": {config}}}"#))
}

#[test]
fn streams_are_listed_or_discovered_by_conditions() {
    let settings = r#", "kvs.streams.prefix": "cam-", "kvs.streams.regex": "cam-[0-9]+", "kvs.streams.tags": "site=berlin, on", "kvs.discovery.interval.ms": "5000""#;
    let StreamsConfig::Discovered(discovery) = without_streams(settings).unwrap().streams else { panic!("found") };
    assert_eq!(discovery.interval, Duration::from_secs(5));
    assert!(discovery.names("cam-12") && !discovery.names("cam-12b") && !discovery.names("my-cam-12"));
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert!(discovery.tagged(&[tag("on", "x"), tag("site", "berlin")]));
    assert!(!discovery.tagged(&[tag("site", "berlin")]) && !discovery.tagged(&[tag("on", ""), tag("site", "bonn")]));
    assert!(problem(r#", "kvs.streams.prefix": "x""#).contains("cannot be combined with kvs.streams"));
    let refused = |settings: &str| without_streams(settings).unwrap_err()[0].to_string();
    assert!(refused("").contains("kvs.streams: is required, or one of"));
    assert!(refused(r#", "kvs.streams.regex": "(""#).contains("kvs.streams.regex"));
    assert!(refused(r#", "kvs.streams.regex": "(a{1000}){1000}""#).contains("kvs.streams.regex"));
    assert!(refused(r#", "kvs.streams.prefix": "a b""#).contains("kvs.streams.prefix"));
    assert!(refused(r#", "kvs.streams.tags": "=x""#).contains("KEY=VALUE"));
}

#[test]
fn how_the_service_is_reached() {
    let client = |settings: &str| with(settings).unwrap().client;
    let given = client(
        r#", "kvs.endpoint.fips": "true", "kvs.endpoint.dual.stack": "false", "kvs.credentials.profile": "prod",
        "kvs.role.arn": "arn:aws:iam::123456789012:role/video", "kvs.role.external.id": "x", "kvs.clock.offset.ms": "-90000",
        "kvs.proxy.url": "http://user:secret@proxy:3128", "kvs.proxy.exceptions": "a,b", "kvs.tls.ca.file": "ca.pem",
        "kvs.retry.attempts.max": "7", "kvs.parameter.checks": "false""#,
    );
    assert_eq!((given.fips, given.dual_stack, given.clock_offset_ms), (Some(true), Some(false), Some(-90_000)));
    assert_eq!(given.credentials, CredentialsSource::DefaultChain { profile: Some("prod".to_owned()) });
    assert_eq!(given.role.as_ref().unwrap().external_id.as_deref(), Some("x"));
    assert_eq!((given.retry.attempts_max, given.parameter_checks), (7, false));
    assert!(!format!("{given:?}").contains("secret"));
    let left_out = client("");
    assert_eq!((left_out.fips, left_out.endpoint, left_out.clock_offset_ms), (None, None, None));
    for (settings, said) in [
        (r#", "kvs.endpoint": "http://10.0.0.7:9100""#, "kvs.endpoint.plain.http"),
        (r#", "kvs.endpoint": "https://x", "kvs.endpoint.fips": "true""#, "kvs.endpoint.fips: cannot be combined"),
        (r#", "kvs.endpoint": "https://x", "kvs.endpoint.dual.stack": "true""#, "kvs.endpoint.dual.stack: cannot"),
        (r#", "kvs.endpoint.fips": "yes""#, "true or false was expected"),
        (r#", "kvs.role.arn": "video""#, "arn:aws:iam::ACCOUNT:role/NAME"),
        (r#", "kvs.role.external.id": "x""#, "requires kvs.role.arn"),
        (r#", "kvs.proxy.url": "proxy:3128""#, "http://host:port"),
        (r#", "kvs.proxy.exceptions": "a""#, "requires kvs.proxy.url"),
        (r#", "kvs.clock.offset.ms": "soon""#, "a whole number of milliseconds"),
        (r#", "kvs.clock.offset.ms": "-9223372036854775808""#, "a whole number of milliseconds"),
        (r#", "kvs.clock.offset.ms": "9223372036854775807""#, "a whole number of milliseconds"),
        (
            r#", "kvs.credentials.profile": "p", "kvs.credentials.access.key.id": "a", "kvs.credentials.secret.access.key": "b""#,
            "kvs.credentials.profile: cannot be combined",
        ),
    ] {
        assert!(problem(settings).contains(said), "{settings}: {}", problem(settings));
    }
    assert!(with(r#", "kvs.endpoint": "http://10.0.0.7:9100", "kvs.endpoint.plain.http": "true""#).is_ok());
}

#[test]
fn a_proxys_url_is_checked_and_not_shown() {
    for url in [
        "http://",
        "http://[::1",
        "http://a b",
        "http://me:very-secret@",
        "http://me:very-secret@a b:1",
        "http://me:very-secret@host:99999",
        "http://me:very-secret@host:0",
        "https://me:very-secret@[::g]:1",
        "http://me:very-secret/part@host:1",
        "http://host:1/very-secret",
    ] {
        let said = problem(&format!(r#", "kvs.proxy.url": "{url}""#));
        assert!(said.contains("kvs.proxy.url: http://host:port or https://host:port was expected"), "{url}: {said}");
        assert!(!said.contains("secret"), "{said}");
    }
    for url in ["http://host", "https://me:a%20b@host:1/", "http://[::1]:3128", "http://10.0.0.1:8"] {
        assert!(with(&format!(r#", "kvs.proxy.url": "{url}""#)).is_ok(), "{url}");
    }
}

#[test]
fn a_topics_configuration_is_text_that_kafkas_clients_accept() {
    let said = problem(r#", "topic.creation.default.retention.ms": "1\u0000""#);
    assert!(said.contains("topic.creation.default.retention.ms: NUL characters"), "{said}");
}

#[test]
fn errors_are_tolerated_only_if_configured() {
    let tolerance = |settings: &str| with(settings).map(|config| config.errors_tolerance);
    assert_eq!(tolerance("").unwrap(), ErrorsTolerance::None);
    assert_eq!(tolerance(r#", "errors.tolerance": "none""#).unwrap(), ErrorsTolerance::None);
    assert_eq!(tolerance(r#", "errors.tolerance": "all""#).unwrap(), ErrorsTolerance::All);
    assert!(problem(r#", "errors.tolerance": "some""#).contains("one of none, all"));
}

#[test]
fn a_file_of_java_properties_is_read_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cameras.properties");
    let text = "name=cameras\nconnector.class=KinesisVideoSourceConnector\nkvs.streams=a, \\\n  b\ntopic : t\n";
    std::fs::write(&file, text).unwrap();
    let given = load(&file).unwrap();
    let config = from_settings(&given.place, &given.settings).unwrap();
    assert_eq!(
        (config.name.as_str(), config.topic.text(), names(&config)),
        ("cameras", "t", vec!["a".into(), "b".into()])
    );
    std::fs::write(&file, "connector.class=x\ntopic=t\ntopic=u\n").unwrap();
    assert!(load(&file).unwrap_err()[0].to_string().contains("topic: is set twice"));
    std::fs::write(&file, "kvs.streams=a\n").unwrap();
    let said = format!("{:?}", load(&file).unwrap_err());
    assert!(said.contains("\"name\"") && said.contains("\"topic\""), "{said}");
    let other = folder.path().join("cameras.json");
    std::fs::write(&other, "# mine\nconnector.class=x\n").unwrap();
    assert!(load(&other).unwrap_err()[0].to_string().contains("*.properties"));
}

#[test]
fn a_worker_is_read_from_java_properties_as_connect_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("connect-distributed.properties");
    let text = "bootstrap.servers=localhost:9092\ngroup.id=cameras\nkey.converter=org.apache.kafka.connect.storage.StringConverter\n\
        value.converter=org.apache.kafka.connect.converters.ByteArrayConverter\nvalue.converter.schemas.enable=false\n\
        offset.storage.topic=connect-offsets\nconfig.storage.topic=connect-configs\nstatus.storage.topic=connect-status\n\
        status.storage.partitions=1\noffset.flush.interval.ms=10000\nplugin.path=/usr/share/java\n\
        security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nproducer.compression.type=zstd\nexactly.once.source.support=enabled\n";
    std::fs::write(&file, text).unwrap();
    let worker = super::super::worker::load(Some(&file), &[]).unwrap();
    assert_eq!((worker.group_id.as_str(), worker.offsets_topic.as_str()), ("cameras", "connect-offsets"));
    assert_eq!(worker.common.get("security.protocol").map(String::as_str), Some("SASL_SSL"));
    assert_eq!(worker.producer.get("compression.type").map(String::as_str), Some("zstd"));
    std::fs::write(&file, "sasl.jaas.config=x\nkey.converter=JsonConverter\nproducer.acks=1\nproducer.linger.ms=5\nproducer.queue.buffering.max.ms=7\n").unwrap();
    let said: Vec<String> =
        super::super::worker::load(Some(&file), &[]).unwrap_err().iter().map(ToString::to_string).collect();
    let place = file.display();
    for expected in [
        format!(
            "{place}: sasl.jaas.config: is a setting of the Java clients, and the clients here are librdkafka's: sasl.username"
        ),
        format!("{place}: key.converter: \"JsonConverter\": keys are fragment numbers, as text"),
        format!("{place}: producer.acks: only all, -1 is accepted"),
        format!("{place}: producer.queue.buffering.max.ms: is another name of producer.linger.ms"),
        format!("{place}: bootstrap.servers: is required"),
    ] {
        assert!(said.iter().any(|said| said.starts_with(&expected)), "{expected}: {said:#?}");
    }
    std::fs::write(folder.path().join("worker.toml"), text).unwrap();
    let said = super::super::worker::load(Some(&folder.path().join("worker.toml")), &[]).unwrap_err();
    assert!(said[0].to_string().contains("*.properties"), "{said:?}");
}

#[test]
fn a_connector_may_have_an_offsets_topic_that_has_nothing_else_in_it() {
    let flags = [("bootstrap.servers".to_owned(), "k:9092".to_owned())];
    let worker = super::super::worker::load(None, &flags).unwrap();
    let check = |topic: &str| {
        let text = format!(
            r#"{{"name": "c", "config": {{"connector.class": "KinesisVideoSourceConnector", "kvs.region": "us-east-1",
            "kvs.streams": "a", "topic": "t", "offsets.storage.topic": "{topic}"}}}}"#
        );
        check::connector(Some(&worker), "c.json", &parse("c.json", &text).unwrap().settings).map(drop)
    };
    for topic in ["kvs-connect-offsets", "", "mine"] {
        check(topic).unwrap();
    }
    for (topic, expected) in [
        ("t", "\"t\" is the connector's topic: offsets need a topic"),
        ("kvs-connect-configs", "is the worker's config.storage.topic"),
        ("kvs-connect-status", "is the worker's status.storage.topic"),
        ("kvs-connect-notifications", "is the worker's notifications.topic"),
        ("no topic", "offsets.storage.topic"),
        ("${env:PATH}", "the same on all workers"),
    ] {
        let problem = check(topic).unwrap_err()[0].to_string();
        assert!(problem.starts_with("c.json: offsets.storage.topic: ") && problem.contains(expected), "{problem}");
    }
}

#[test]
fn keys_are_written_as_text_or_avro_by_connects_names_too() {
    let format = |value: &str| with(&format!(r#", "key.converter": "{value}""#)).map(|config| config.converters.keys);
    assert_eq!(format("org.apache.kafka.connect.storage.StringConverter").unwrap(), KeyFormat::Text);
    assert_eq!(format("avro").unwrap(), KeyFormat::Avro);
    assert_eq!(format("io.confluent.connect.avro.AvroConverter").unwrap(), KeyFormat::Avro);
}
