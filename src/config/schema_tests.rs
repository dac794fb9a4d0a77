//! The schemas, checked by an independent validator and compared with the loader.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::config::table::{Definition, Kind};
use crate::config::{connector as connectors, worker as workers};

struct Schema {
    schemas: boon::Schemas,
    index: boon::SchemaIndex,
}

impl Schema {
    fn new(schema: Value) -> Self {
        const URL: &str = "https://example.com/schema.json";
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        compiler.add_resource(URL, schema).unwrap();
        let index = compiler.compile(URL, &mut schemas).unwrap();
        Self { schemas, index }
    }

    /// Returns why the schema refuses a document, if it does.
    fn refuses(&self, document: &Value) -> Option<String> {
        self.schemas.validate(document, self.index).err().map(|error| format!("{error:#}"))
    }
}

fn minimal() -> Value {
    json!({ "name": "c", "config": {
        "connector.class": "KinesisVideoSourceConnector", "kvs.region": "eu-central-1", "kvs.streams": "a", "topic": "t" } })
}

fn with(key: &str, value: impl Into<Value>) -> Value {
    let mut document = minimal();
    document["config"][key] = value.into();
    document
}

#[test]
fn the_example_files_are_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("connectors");
    let (connector, worker, mut count) = (Schema::new(connector()), Schema::new(worker()), 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let text = std::fs::read_to_string(&file).unwrap();
        let is_json = file.extension().is_some_and(|extension| extension == "json");
        let said = if is_json {
            connector.refuses(&serde_json::from_str(&text).unwrap())
        } else {
            worker.refuses(&toml(&text))
        };
        assert_eq!(said, None, "{}", file.display());
        count += 1;
    }
    assert!(count >= 7);
}

#[test]
fn a_connector_with_a_wrong_key_type_or_range_is_not_valid() {
    let schema = Schema::new(connector());
    for (key, value) in [
        ("kvs.idle.max.delay.ms", json!("3600000")),
        ("kvs.idle.max.delay.ms", json!(1)),
        ("kvs.gap.check", json!(true)),
        ("errors.retry.timeout", json!("-1")),
        ("errors.retry.timeout", json!(-1)),
        ("kvs.clock.offset.ms", json!("-90000")),
        ("key.converter", json!("org.apache.kafka.connect.storage.StringConverter")),
        ("topic.creation.default.retention.ms", json!("1")),
        ("kvs.fragment.max.size.bytes", json!("${env:LARGEST}")),
        ("kvs.position.lost", json!("${file:/etc/kvs:lost}")),
        ("value.converter", json!("org.apache.kafka.connect.converters.ByteArrayConverter")),
        ("errors.log.enable", json!(true)),
    ] {
        assert_eq!(schema.refuses(&with(key, value.clone())), None, "{key}={value}");
    }
    for (key, value) in [
        ("kvs.stream", json!("a")),
        ("kvs.idle.max.delay.ms", json!("3600001")),
        ("kvs.idle.max.delay.ms", json!(0)),
        ("kvs.idle.max.delay.ms", json!("soon")),
        ("kvs.idle.max.delay.ms", json!(true)),
        ("kvs.gap.check", json!("yes")),
        ("kvs.streams", json!(["a", "b"])),
        ("kvs.start.position", json!("LATEST")),
        ("errors.retry.timeout", json!("-2")),
        ("key.converter", json!("JsonConverter")),
        ("tasks.max", json!("${env:TASKS}")),
        ("topic", json!("a b")),
        ("value.converter", json!("JsonConverter")),
        ("transforms", json!("route")),
        ("transforms.route.type", json!("x")),
    ] {
        assert!(schema.refuses(&with(key, value.clone())).is_some(), "{key}={value}");
    }
    let without = |key: &str| {
        let mut document = minimal();
        document["config"].as_object_mut().unwrap().remove(key);
        document
    };
    assert!(schema.refuses(&without("topic")).is_some());
    let mut document = minimal();
    document.as_object_mut().unwrap().remove("name");
    assert!(schema.refuses(&document).is_some());
    document["config"]["name"] = "c".into();
    assert_eq!(schema.refuses(&document), None);
    document["konfig"] = json!({});
    assert!(schema.refuses(&document).is_some());
}

/// Values of all kinds, without spaces around them.
fn values() -> Vec<Value> {
    let texts =
        ["x", "true", "-1", "0", "007", "+5", "2.5", "1e3", "4611686018427387904", "EARLIEST", "none", "a b", "a,b"];
    let mut values: Vec<Value> = texts.into_iter().map(Value::from).collect();
    values.extend([
        json!("${env:X}"),
        json!("$x"),
        json!(5),
        json!(-5),
        json!(2.5),
        json!(true),
        json!(null),
        json!([1]),
        json!({}),
    ]);
    values
}

fn is_judged_alone(definition: &Definition) -> bool {
    matches!(definition.kind, Kind::Int { .. } | Kind::Flag | Kind::Choice(_))
}

#[test]
fn the_loader_refuses_what_a_connectors_schema_refuses() {
    let schema = Schema::new(connector());
    let (mut refused, mut taken) = (0, 0);
    for definition in table::connector().chain(&table::PREFIXES) {
        let key = if definition.name.ends_with('.') { "topic.creation.default.retention.ms" } else { definition.name };
        for value in values() {
            let document = with(key, value.clone());
            let file = connectors::parse("c.json", &document.to_string());
            // References are resolved by the worker.
            let has_reference = value == "${env:X}" && !definition.same_everywhere;
            let problems = match &file {
                Ok(_) if has_reference => Vec::new(),
                Ok(file) => connectors::from_settings("c.json", &file.settings).err().unwrap_or_default(),
                Err(problems) => problems.clone(),
            };
            let said = schema.refuses(&document);
            let of_key = problems.iter().find(|problem| problem.key == key);
            assert!(said.is_none() || of_key.is_some(), "{key}={value}: {said:?}");
            if is_judged_alone(definition) && of_key.is_some_and(|problem| problem.reason.contains("was expected")) {
                assert!(said.is_some(), "{key}={value}: the schema accepts what the loader refuses: {of_key:?}");
            }
            *(if said.is_some() { &mut refused } else { &mut taken }) += 1;
        }
    }
    assert!(refused > 300 && taken > 300, "{refused} were refused, {taken} were accepted");
}

/// TOML in the form in which an editor validates it.
fn toml(text: &str) -> Value {
    use figment::providers::{Format, Toml};
    figment::Figment::from(Toml::string(text)).extract().unwrap()
}

#[test]
fn a_worker_with_a_wrong_key_type_or_range_is_not_valid_however_its_keys_are_written() {
    let schema = Schema::new(worker());
    for text in [
        "group.id = \"a\"",
        "\"group.id\" = \"a\"",
        "[group]\nid = \"a\"\n\"instance.id\" = \"b\"",
        "session.timeout.ms = 10000",
        "session.timeout.ms = \"10000\"",
        "producer.linger.ms = 0\nproducer.\"compression.type\" = \"zstd\"",
        "\"producer.linger.ms\" = 0",
        "ssl.ca.location = \"/x\"\nsecurity.protocol = \"SSL\"",
        "plugin.path = \"/usr/share/java\"\nkey.converter = \"org.apache.kafka.connect.storage.StringConverter\"",
        "key.converter.schemas.enable = false",
        "config.storage.partitions = 1",
        "inter.worker.key.size = 1",
        "rest.insecure = true",
    ] {
        assert_eq!(schema.refuses(&toml(text)), None, "{text}");
    }
    for text in [
        "group.idd = \"a\"",
        "\"group.idd\" = \"a\"",
        "group = \"a\"",
        "session.timeout.ms = 1",
        "\"session.timeout.ms\" = \"1\"",
        "session.timeout.ms = [10000]",
        "rest.insecure = \"yes\"",
        "group.protocol = \"none\"",
        "plugins.path = \"/x\"",
        "offset.storage.file.filename = \"/x\"",
        "key.converter = \"JsonConverter\"",
        "kvs.streams = \"a\"",
    ] {
        assert!(schema.refuses(&toml(text)).is_some(), "{text}");
    }
}

#[test]
fn the_loader_refuses_what_a_workers_schema_refuses() {
    let schema = Schema::new(worker());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("worker.toml");
    for definition in table::worker() {
        let key = definition.name;
        for value in values().into_iter().filter(|value| !value.is_null() && !value.is_object()) {
            let text = format!("{key} = {value}\n");
            std::fs::write(&file, &text).unwrap();
            let problems = workers::load(Some(&file), &[]).err().unwrap_or_default();
            let of_key = problems.iter().find(|problem| problem.key == key);
            let said = schema.refuses(&toml(&text));
            assert!(said.is_none() || of_key.is_some(), "{text}: {said:?}");
            if is_judged_alone(definition) && of_key.is_some_and(|problem| problem.reason.contains("was expected")) {
                assert!(said.is_some(), "{text}: the schema accepts what the loader refuses: {of_key:?}");
            }
        }
    }
}
