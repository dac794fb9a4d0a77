//! Records that name their schemas by the ids of a real schema registry, and what happens when it refuses or is in trouble.

use std::process::Command;

use kvs_harness::topic::{exists, read_raw};
use kvs_harness::{Connector, Kafka, Registry, RegistryFront, Trouble, wait_for};
use kvs_simulator::Pace;
use serde_json::{Value, json};

use crate::rest::{bare, config, state};
use crate::stage::{Stage, program};

const FRAGMENTS: usize = 300;
const FRAGMENT: &str = include_str!("../../schemas/fragment.avsc");
const KEY: &str = include_str!("../../schemas/fragment-key.avsc");
const METADATA: &str = include_str!("../../schemas/metadata.avsc");

/// The id in front of a key or a value.
fn id(bytes: &[u8]) -> u32 {
    assert_eq!(bytes[0], 0, "{:?}", &bytes[..bytes.len().min(12)]);
    u32::from_be_bytes(bytes[1..5].try_into().unwrap())
}

/// The text of the schema with this id.
fn schema(registry: &Registry, id: u32) -> String {
    registry.call("GET", &format!("/schemas/ids/{id}"), None).1["schema"].as_str().unwrap().to_owned()
}

fn trace(worker: &Connector) -> String {
    worker.rest("GET", "/connectors/cameras/status", None).1["connector"]["trace"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn put(worker: &Connector, settings: &Value) {
    let (code, answer) = worker.rest("PUT", "/connectors/cameras/config", Some(settings));
    assert!(matches!(code, 200 | 201), "{answer}");
}

/// Waits until the connector has failed for this reason.
fn wait_failed(worker: &Connector, reason: &str) {
    let mut last = String::new();
    let failed = kvs_harness::wait_until("the connector to be FAILED for this reason", || {
        last = trace(worker);
        state(worker, "cameras") == "FAILED" && last.contains(reason)
    });
    assert!(failed, "{reason:?} is not in the trace: {last:?}");
}

/// Runs `kvs-connect` and returns its exit code, output and errors.
fn command(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(program()).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn keys_and_values_name_their_schemas_by_the_registrys_ids_through_kills() {
    let (kafka, registry, stage) = (Kafka::shared(), Registry::shared(), Stage::with_shards("registry", 2));
    let (topic, metadata) = (stage.topic(), format!("{}-metadata", stage.name));
    stage.add("a", &stage.recording(FRAGMENTS, 5, 2_000), 1, Pace::FragmentsPerSecond(40.0));
    // As users of Kafka Connect write it.
    let connector = stage
        .connector(&["a"])
        .set("metadata.topic", &metadata)
        .set("key.converter", "io.confluent.connect.avro.AvroConverter")
        .set("key.converter.schema.registry.url", &registry.url())
        .set("value.converter", "io.confluent.connect.avro.AvroConverter")
        .set("value.converter.schema.registry.url", &registry.url());
    let settings = stage.worker(kafka).set("session.timeout.ms", "1500");
    let mut worker = stage.start(&settings, &connector);
    worker.wait_healthy();
    for _ in 0..2 {
        wait_for("fragments", || worker.metric("kvs_connect_fragments_total") > 20.0);
        worker.kill();
        worker.restart(program());
    }
    wait_for("the whole file", || read_raw(kafka.bootstrap(), &topic).len() == FRAGMENTS);
    for (topic, expected) in [(&topic, FRAGMENT), (&metadata, METADATA)] {
        let records = read_raw(kafka.bootstrap(), topic);
        assert_eq!(records.len(), FRAGMENTS);
        for (key, value) in &records {
            // The file's own bytes: a registry takes other whitespace for another schema.
            assert_eq!(schema(registry, id(key)), KEY);
            assert_eq!(schema(registry, id(value)), expected);
        }
        assert_eq!(registry.versions(&format!("{topic}-key")), [1]);
        assert_eq!(registry.versions(&format!("{topic}-value")), [1]);
    }
    // Without a registry `tail` finds the schema by itself.
    let (servers, group) = (format!("bootstrap.servers={}", kafka.bootstrap()), format!("group.id={}", stage.group()));
    for topic in [&topic, &metadata] {
        let arguments = ["tail", "--json", "--from", "beginning", "--until-end", "--topic", topic];
        let (code, out, err) = command(&[&arguments[..], &["--set", &servers, "--set", &group]].concat());
        assert_eq!((code, err.as_str()), (Some(0), ""));
        let rows: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let sequences = rows.iter().map(|row| row["sequence"].as_u64().unwrap());
        assert!(sequences.eq(0..FRAGMENTS as u64), "{out}");
    }
}

#[test]
fn a_registry_in_trouble_is_waited_for_with_a_message_and_is_not_needed_while_running() {
    let (kafka, registry, stage) = (Kafka::shared(), Registry::shared(), Stage::with_shards("registry-trouble", 2));
    let front = RegistryFront::start(registry);
    front.require_basic("kvs", "s3cr3t");
    let file = stage.recording(50, 2, 300);
    stage.add_live("a", &file, 5.0);
    let worker = bare(&stage, kafka);
    let mut settings = config(&stage, &["a"]);
    settings["schema.registry.url"] = front.url().into();
    put(&worker, &settings);
    wait_failed(&worker, "refuses access (HTTP 401");
    assert!(!exists(kafka.bootstrap(), &stage.topic()) || read_raw(kafka.bootstrap(), &stage.topic()).is_empty());
    settings["value.converter.basic.auth.user.info"] = "kvs:s3cr3t".into();
    for (trouble, reason) in [
        (Trouble::Hang, "has not answered within 10 s"),
        (Trouble::Drop, "cannot be reached"),
        (Trouble::status(500), "fails (HTTP 500, code 500): on purpose"),
        (Trouble::html(), "does not answer as a schema registry does (HTTP 200, HTML"),
    ] {
        front.trouble(Some(trouble));
        // Another setting, so that it starts at once instead of after its back-off.
        settings["errors.retry.delay.max.ms"] = json!(60_000 + front.requests().len()).to_string().into();
        put(&worker, &settings);
        wait_failed(&worker, reason);
        worker.wait_logged(reason);
    }
    let (_, shown) = worker.rest("GET", "/connectors/cameras/config", None);
    assert!(!shown.to_string().contains("s3cr3t") && !worker.log().contains("s3cr3t"), "{shown}");
    // It goes on by itself.
    front.trouble(None);
    wait_for("it to be RUNNING", || state(&worker, "cameras") == "RUNNING");
    let count = || read_raw(kafka.bootstrap(), &stage.topic()).len();
    wait_for("fragments", || count() > 3);

    // From here on the registry is not needed, not even to start the connector again.
    front.trouble(Some(Trouble::Drop));
    let (before, asked) = (count(), front.requests().len());
    wait_for("more fragments", || count() > before + 5);
    assert_eq!(front.requests().len(), asked);
    for (verb, reached) in [("stop", "STOPPED"), ("resume", "RUNNING")] {
        assert_eq!(
            worker.rest("PUT", &format!("/connectors/cameras/{verb}"), None).0,
            if verb == "stop" { 204 } else { 202 }
        );
        wait_for("the state", || state(&worker, "cameras") == reached);
    }
    let before = count();
    wait_for("fragments with the ids that are known", || count() > before + 5);
    wait_for("a warning", || worker.log().contains("the ids that it gave before are used"));
    assert!(stage.simulator.end_playback("a"));
}

#[test]
fn an_incompatible_schema_is_refused_before_the_first_write_and_the_field_is_named() {
    let (kafka, registry, stage) = (Kafka::shared(), Registry::shared(), Stage::with_shards("registry-refuses", 2));
    stage.add("a", &stage.recording(20, 2, 300), 1, Pace::Max);
    let subject = format!("{}-value", stage.topic());
    registry.set_compatibility(&subject, "BACKWARD");
    registry
        .register(&subject, &FRAGMENT.replace(r#""size_bytes", "type": "long""#, r#""size_bytes", "type": "string""#));
    let worker = bare(&stage, kafka);
    let mut settings = config(&stage, &["a"]);
    settings["schema.registry.url"] = registry.url().into();
    put(&worker, &settings);
    wait_failed(&worker, &format!("fragment.avsc is incompatible with subject {subject}"));
    // The first field of that name is a frame's.
    let field = "field frames.size_bytes is string there, and long is written";
    assert!(trace(&worker).contains(field), "{}", trace(&worker));
    assert_eq!(registry.versions(&subject), [1]);
    assert!(read_raw(kafka.bootstrap(), &stage.topic()).is_empty());
    // Validation says the same, and registers nothing.
    let path = "/connector-plugins/KinesisVideoSourceConnector/config/validate?connect=true";
    let mut named = settings.clone();
    named["name"] = "cameras".into();
    let (_, infos) = worker.rest("PUT", path, Some(&named));
    assert!(infos.to_string().contains("fragment.avsc is incompatible"), "{infos}");
    // Records of another schema than the latest version's are refused by field, too.
    settings["use.latest.version"] = "true".into();
    put(&worker, &settings);
    wait_failed(&worker, &format!("other records than those that are written (fragment.avsc): {field}"));
    settings["use.latest.version"] = "false".into();
    registry.set_compatibility(&subject, "NONE");
    put(&worker, &settings);
    wait_for("the fragments", || read_raw(kafka.bootstrap(), &stage.topic()).len() == 20);
    assert_eq!(registry.versions(&subject), [1, 2]);
}

#[test]
fn schemas_are_registered_by_hand_where_the_connector_must_not() {
    let (kafka, registry, stage) = (Kafka::shared(), Registry::shared(), Stage::with_shards("registry-by-hand", 2));
    stage.add("a", &stage.recording(20, 2, 300), 1, Pace::Max);
    let value = format!("{}-kvs.connect.Fragment", stage.topic());
    let connector = stage
        .connector(&["a"])
        .set("schema.registry.url", &format!("http://127.0.0.1:9,{}", registry.url()))
        .set("auto.register.schemas", "false")
        .set("value.subject.name.strategy", "topic-record");
    let worker = bare(&stage, kafka);
    put(&worker, &json!(connector.config));
    wait_failed(&worker, "auto.register.schemas is false; register it with `kvs-connect schemas register`");

    let (connector_file, worker_file) = (stage.folder.path().join("c.json"), stage.folder.path().join("worker.toml"));
    std::fs::write(&connector_file, connector.text()).unwrap();
    std::fs::write(&worker_file, stage.worker(kafka).text()).unwrap();
    let arguments =
        ["schemas", "register", "--worker", worker_file.to_str().unwrap(), connector_file.to_str().unwrap()];
    let (code, out, err) = command(&[&arguments[..], &["--check"]].concat());
    assert!(code == Some(0) && out.contains("compatible"), "{out}{err}");
    assert!(registry.versions(&value).is_empty());
    let (code, out, err) = command(&arguments);
    assert!(code == Some(0) && out.contains(&value), "{out}{err}");
    // The notifications' topic is the worker's, which has no registry.
    assert!(!out.contains("notification"), "{out}");
    assert_eq!(registry.versions(&value), [1]);
    wait_for("the fragments", || read_raw(kafka.bootstrap(), &stage.topic()).len() == 20);
    let records = read_raw(kafka.bootstrap(), &stage.topic());
    assert_eq!(schema(registry, id(&records[0].1)), FRAGMENT);
    // Keys are text.
    assert!(records[0].0.iter().all(u8::is_ascii_digit));

    // A registry that cannot be used, and one that refuses.
    let refused = stage.connector(&["a"]).set("schema.registry.url", "http://127.0.0.1:9");
    std::fs::write(&connector_file, refused.text()).unwrap();
    let (code, _, err) = command(&arguments);
    assert!(code == Some(69) && err.contains("nothing is listening there"), "{err}");
    let (code, _, err) = command(&["schemas", "register", connector_file.to_str().unwrap(), "--set", "group.id=x"]);
    assert!(code == Some(78) && err.contains("bootstrap.servers"), "{err}");
}

/// What a person registered, formatted by an editor, is used as it is.
#[test]
fn a_schema_that_was_registered_with_other_whitespace_is_used() {
    let (kafka, registry, stage) = (Kafka::shared(), Registry::shared(), Stage::with_shards("registry-spaces", 2));
    stage.add("a", &stage.recording(20, 2, 300), 1, Pace::Max);
    let parsed: Value = serde_json::from_str(FRAGMENT).unwrap();
    let expected = registry.register(&format!("{}-value", stage.topic()), &parsed.to_string());
    let connector = stage.connector(&["a"]).set("schema.registry.url", &registry.url());
    let _worker = stage.start(&stage.worker(kafka), &connector);
    wait_for("the fragments", || {
        exists(kafka.bootstrap(), &stage.topic()) && read_raw(kafka.bootstrap(), &stage.topic()).len() == 20
    });
    for (_, value) in read_raw(kafka.bootstrap(), &stage.topic()) {
        assert_eq!(id(&value), expected);
    }
}

/// Workers that start at the same moment with an empty registry all need the same schemas. Apicurio answers some of them
/// with a conflict.
#[test]
fn several_may_register_the_same_schemas_at_the_same_moment() {
    let (kafka, registry, stage) = (Kafka::shared(), Registry::shared(), Stage::new("registry-together"));
    let worker_file = stage.folder.path().join("worker.toml");
    std::fs::write(&worker_file, stage.worker(kafka).text()).unwrap();
    for round in 0..4 {
        let topic = format!("{}-{round}", stage.topic());
        let connector = stage
            .connector(&["a"])
            .set("topic", &topic)
            .set("metadata.topic", &format!("{topic}-metadata"))
            .set("schema.registry.url", &registry.url());
        let file = stage.folder.path().join(format!("{round}.json"));
        std::fs::write(&file, connector.text()).unwrap();
        let start = |_| {
            let mut register = Command::new(program());
            register.args(["schemas", "register", "--worker"]).arg(&worker_file).arg(&file);
            register.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
        };
        let together: Vec<_> = (0..6).map(start).collect();
        for register in together {
            let output = register.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        // Some registries make several versions of the same text then; they have one id.
        assert!(!registry.versions(&format!("{topic}-value")).is_empty());
    }
}
