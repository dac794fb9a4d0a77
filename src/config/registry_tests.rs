#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::{WorkerConfig, check, connector, secrets, worker};

/// Reads a connector with these settings, for a worker with those.
fn read(worker: Option<&[(&str, &str)]>, given: &[(&str, &str)]) -> Result<connector::ConnectorConfig, Vec<String>> {
    let base = [
        ("name", "c"),
        ("connector.class", "KinesisVideoSourceConnector"),
        ("kvs.streams", "s"),
        ("kvs.region", "eu-central-1"),
        ("topic", "t"),
    ];
    let settings = base.iter().chain(given).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let worker = worker.map(|given| loaded(given).unwrap());
    let read = check::connector(worker.as_ref(), "c.json", &settings);
    read.map(|(connector, _)| connector).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn loaded(given: &[(&str, &str)]) -> Result<WorkerConfig, Vec<String>> {
    let flags = [("bootstrap.servers", "k:1")].iter().chain(given);
    let flags: Vec<_> = flags.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    worker::load(None, &flags).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn registry(worker: Option<&[(&str, &str)]>, given: &[(&str, &str)]) -> Option<RegistryConfig> {
    read(worker, given).unwrap().converters.registry
}

fn problem(given: &[(&str, &str)]) -> String {
    read(None, given).unwrap_err().join("\n")
}

const URL: (&str, &str) = ("schema.registry.url", "http://r:8081");

#[test]
fn settings_of_the_registry_are_read() {
    assert_eq!(registry(None, &[]), None);
    let found = registry(
        None,
        &[
            ("schema.registry.url", "http://r:8081/, https://s/apis/ccompat/v7"),
            ("schema.registry.basic.auth.user.info", "me:se:cret"),
            ("schema.registry.tls.ca.file", "/ca"),
            ("schema.registry.tls.certificate.file", "/cert"),
            ("schema.registry.tls.key.file", "/key"),
            ("schema.registry.proxy.url", "http://proxy:3128"),
            ("auto.register.schemas", "false"),
            ("use.latest.version", "true"),
            ("value.subject.name.strategy", "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy"),
        ],
    );
    let found = found.unwrap();
    let urls: Vec<&str> = found.urls.iter().map(Url::as_str).collect();
    assert_eq!(urls, ["http://r:8081/", "https://s/apis/ccompat/v7"]);
    let basic = Credentials::Basic { user: "me".to_owned(), password: "se:cret".to_owned().into() };
    assert_eq!(found.credentials, basic);
    assert_eq!(found.tls.identity, Some(("/cert".into(), "/key".into())));
    assert!(!found.auto_register && found.use_latest);
    assert_eq!(found.value_subjects, SubjectNames::TopicRecord);
    assert!(!format!("{found:?}").contains("cret"), "{found:?}");
}

#[test]
fn settings_of_connects_converters_mean_the_same() {
    let theirs = [
        ("key.converter", "io.confluent.connect.avro.AvroConverter"),
        ("key.converter.schema.registry.url", "http://r:8081"),
        ("value.converter", "io.confluent.connect.avro.AvroConverter"),
        ("value.converter.schema.registry.url", "http://r:8081"),
        ("value.converter.basic.auth.credentials.source", "USER_INFO"),
        ("value.converter.basic.auth.user.info", "me:secret"),
        ("value.converter.auto.register.schemas", "false"),
        ("value.converter.value.subject.name.strategy", "RecordNameStrategy"),
        ("value.converter.schemas.enable", "false"),
    ];
    let ours = [
        ("key.converter", "avro"),
        URL,
        ("schema.registry.basic.auth.user.info", "me:secret"),
        ("auto.register.schemas", "false"),
        ("value.subject.name.strategy", "record"),
    ];
    let found = read(None, &theirs).unwrap().converters;
    assert_eq!(found, read(None, &ours).unwrap().converters);
    assert_eq!(found.keys, KeyFormat::Avro);
    // And for workers, whose connectors have them as defaults.
    assert_eq!(found, read(Some(&theirs), &[]).unwrap().converters);
    assert_eq!(found, read(Some(&ours), &[]).unwrap().converters);
}

#[test]
fn what_belongs_to_the_workers_url_is_not_used_with_another() {
    let worker = [
        URL,
        ("schema.registry.basic.auth.user.info", "me:secret"),
        ("schema.registry.proxy.url", "http://p:1"),
        ("auto.register.schemas", "false"),
    ];
    let inherited = registry(Some(&worker), &[]).unwrap();
    assert!(matches!(inherited.credentials, Credentials::Basic { .. }) && inherited.proxy.is_some());
    let own = registry(Some(&worker), &[("schema.registry.url", "http://elsewhere")]).unwrap();
    assert_eq!((own.credentials, own.proxy, own.auto_register), (Credentials::None, None, false));
    let token = registry(Some(&worker), &[("schema.registry.bearer.auth.token", "abc")]).unwrap();
    assert_eq!((token.urls, token.credentials), (inherited.urls.clone(), Credentials::Bearer("abc".to_owned().into())));
    // A proxy reads what is sent to an http:// URL, and whoever is trusted reads the rest.
    for own_way in [("schema.registry.proxy.url", "http://elsewhere:1"), ("schema.registry.tls.ca.file", "/ca")] {
        let found = registry(Some(&worker), &[own_way]).unwrap();
        assert_eq!((found.urls, found.credentials), (inherited.urls.clone(), Credentials::None), "{own_way:?}");
    }
    // Values can be kept as they were before the worker had a registry.
    assert_eq!(registry(Some(&worker), &[("value.converter", "single-object")]), None);
    assert_eq!(registry(Some(&worker), &[("value.converter", "ByteArrayConverter")]), None);
}

#[test]
fn problems_name_the_setting_as_it_is_written_and_what_to_do() {
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("schema.registry.url", "r:8081")], "schema.registry.url: http://HOST:PORT/PATH"),
        (&[("value.converter.schema.registry.url", "x")], "value.converter.schema.registry.url: http://HOST:PORT"),
        (&[("schema.registry.url", "http://me:pw@r")], "belong in schema.registry.basic.auth.user.info"),
        (&[("schema.registry.url", "http://r/?a=b")], "nothing after the path"),
        (&[URL, ("schema.registry.basic.auth.user.info", "me")], "USER:PASSWORD was expected"),
        (
            &[URL, ("schema.registry.basic.auth.user.info", "a:b"), ("schema.registry.bearer.auth.token", "t")],
            "schema.registry.bearer.auth.token: cannot be set together with schema.registry.basic.auth.user.info",
        ),
        (&[URL, ("schema.registry.tls.key.file", "/k")], "needs schema.registry.tls.certificate.file"),
        (
            &[URL, ("key.converter.schema.registry.url", "http://s")],
            "key.converter.schema.registry.url: is another name",
        ),
        (&[("key.converter", "JsonConverter")], "keys are fragment numbers"),
        (&[("value.converter", "org.apache.kafka.connect.json.JsonConverter")], "value.format=json"),
        (&[("value.converter.apicurio.registry.url", "http://r")], "/apis/ccompat/v7"),
        (&[("value.converter.schema.registry.ssl.truststore.location", "/x")], "schema.registry.tls.ca.file"),
        (&[("value.converter.schemas.registry.url", "http://r")], "schema.registry"),
        (&[URL, ("value.subject.name.strategy", "mine")], "one of topic, record, topic-record"),
    ];
    for (given, expected) in cases {
        let found = problem(given);
        assert!(found.contains(expected), "{given:?}: {found}");
        assert!(!found.contains("pw@"), "{found}");
    }
}

#[test]
fn connects_converter_needs_a_registry() {
    for key in ["key.converter", "value.converter"] {
        let given = [(key, "io.confluent.connect.avro.AvroConverter")];
        // Without a worker nobody knows.
        assert!(read(None, &given).is_ok());
        let found = read(Some(&[]), &given).unwrap_err().join("\n");
        assert!(found.contains(key) && found.contains("needs schema.registry.url"), "{found}");
        assert!(read(Some(&[URL]), &given).is_ok());
        assert!(loaded(&given).unwrap_err().join("\n").contains("needs schema.registry.url"));
        assert!(loaded(&[given[0], URL]).is_ok());
    }
}

#[test]
fn secrets_of_a_registry_are_hidden_under_each_of_their_names() {
    for key in [
        "schema.registry.basic.auth.user.info",
        "value.converter.basic.auth.user.info",
        "key.converter.bearer.auth.token",
        "schema.registry.proxy.url",
    ] {
        assert!(secrets::is_secret(key), "{key}");
        let shown = secrets::masked(&[(key.to_owned(), "me:secret".to_owned())].into());
        assert_eq!(shown[key], secrets::MASK);
    }
}
