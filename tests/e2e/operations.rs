//! What operators do to connectors: altering offsets, secrets, restarts; and records of later versions.

use kvs_harness::{Connector, Isolation, Kafka, read_topic, wait_for};
use kvs_simulator::{Fault, FaultKind, Pace};
use serde_json::json;

use crate::rest::{bare, config, state, task_states};
use crate::stage::{Stage, compare, expect_sequence, produce, program, text_of};

fn numbers(stage: &Stage, kafka: &Kafka, stream: &str) -> Vec<String> {
    stage.seen(kafka).remove(stream).unwrap_or_default().into_iter().map(|(number, _)| number).collect()
}

/// Stops a connector, and waits until it is.
pub fn stop(worker: &Connector, name: &str) {
    assert_eq!(worker.rest("PUT", &format!("/connectors/{name}/stop"), None).0, 204);
    wait_for("the connector to be stopped", || state(worker, name) == "STOPPED");
}

/// Resumes a connector.
pub fn resume(worker: &Connector, name: &str) {
    assert_eq!(worker.rest("PUT", &format!("/connectors/{name}/resume"), None).0, 202);
}

#[test]
fn streams_continue_exactly_from_set_offsets_and_from_the_start_selector_after_a_reset() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("offsets", 2));
    let file = stage.recording(20, 2, 300);
    for stream in ["a", "b", "other"] {
        stage.add(stream, &file, 1, Pace::Max);
    }
    let held: Vec<String> = stage.held("a").into_iter().map(|(number, _)| number).collect();
    let worker = bare(&stage, kafka);
    // Another worker has some of the shards, and has to release its positions, too.
    let second = bare(&stage, kafka);
    let mut settings = config(&stage, &["a", "b"]);
    settings["kvs.start.position"] = "FRAGMENT_NUMBER".into();
    settings["kvs.start.fragment.number"] = held[3].as_str().into();
    assert_eq!(worker.rest("PUT", "/connectors/c/config", Some(&settings)).0, 201);
    // A second connector shares the shards, and none of its offsets change.
    assert_eq!(second.rest("PUT", "/connectors/d/config", Some(&config(&stage, &["other"]))).0, 201);
    let published = |stream: &str, count: usize| {
        wait_for("the fragments to be published", || numbers(&stage, kafka, stream).len() >= count);
        numbers(&stage, kafka, stream)
    };
    let first = published("a", 16);
    assert_eq!(first, held[held.len() - first.len()..]);
    published("b", first.len());
    published("other", 20);
    let (_, offsets) = second.rest("GET", "/connectors/c/offsets", None);
    let listed = offsets["offsets"].as_array().unwrap();
    assert_eq!((listed.len(), listed[0]["offset"]["fragmentNumber"].as_str()), (2, held.last().map(String::as_str)));

    // Set to an earlier fragment: the next one is published first.
    stop(&worker, "c");
    let set = |stream: &str, number: &str| json!({ "offsets": [{ "partition": { "stream": stream }, "offset": { "fragmentNumber": number } }] });
    let (code, answer) = second.rest("PATCH", "/connectors/c/offsets", Some(&set("a", &held[9])));
    assert_eq!(
        (code, answer["message"].as_str()),
        (200, Some("The offsets for this connector have been altered successfully"))
    );
    let (_, offsets) = worker.rest("GET", "/connectors/c/offsets", None);
    let mut offset = offsets["offsets"][0]["offset"].clone();
    // The stream stays in the partition that has its records.
    let kept = offset.as_object_mut().unwrap().remove("dataPartition").unwrap();
    assert_eq!(kept["topic"], stage.topic().as_str());
    assert_eq!(
        offset,
        json!({ "continuationToken": null, "fragmentNumber": held[9],
        "serverTimestamp": null, "producerTimestamp": null, "sequence": first.len() - 1 })
    );
    // A wrong request changes nothing, not even by its valid part.
    let mut bad = set("a", &held[0]);
    bad["offsets"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "partition": { "stream": "b" }, "offset": { "fragmentNumber": "x" } }));
    for wrong in
        [&bad, &set("../a", &held[0]), &json!({ "offsets": [{ "partition": { "file": "a" }, "offset": null }] })]
    {
        assert_eq!(worker.rest("PATCH", "/connectors/c/offsets", Some(wrong)).0, 400, "{wrong}");
    }
    let nobodys = worker.rest("PATCH", "/connectors/c/offsets", Some(&set("bb", &held[0])));
    assert_eq!(nobodys.0, 400, "{nobodys:?}");
    assert!(
        nobodys.1["message"].as_str().unwrap().contains("\"bb\": connector \"c\" has no such stream"),
        "{nobodys:?}"
    );
    assert!(nobodys.1["message"].as_str().unwrap().ends_with("the nearest one is \"b\""), "{nobodys:?}");
    let forgotten = json!({ "offsets": [{ "partition": { "stream": "bb" }, "offset": null }] });
    assert_eq!(worker.rest("PATCH", "/connectors/c/offsets", Some(&forgotten)).0, 400);
    assert_eq!(worker.rest("GET", "/connectors/c/offsets", None).1, offsets);
    // The offset of a former stream can still be altered.
    let all = settings["kvs.streams"].clone();
    settings["kvs.streams"] = "a".into();
    assert_eq!(worker.rest("PUT", "/connectors/c/config", Some(&settings)).0, 200);
    assert_eq!(worker.rest("PATCH", "/connectors/c/offsets", Some(&set("b", held.last().unwrap()))).0, 200);
    settings["kvs.streams"] = all;
    assert_eq!(worker.rest("PUT", "/connectors/c/config", Some(&settings)).0, 200);
    resume(&worker, "c");
    let replayed = published("a", first.len() + 10);
    assert_eq!(replayed, [&first[..], &held[10..]].concat());

    // Reset: from the configured start position.
    stop(&second, "c");
    let (code, answer) = worker.rest("DELETE", "/connectors/c/offsets", None);
    assert_eq!(
        (code, answer["message"].as_str()),
        (200, Some("The offsets for this connector have been reset successfully"))
    );
    assert_eq!(worker.rest("GET", "/connectors/c/offsets", None), (200, json!({ "offsets": [] })));
    resume(&second, "c");
    assert_eq!(published("a", replayed.len() + first.len()), [&replayed[..], &first[..]].concat());
    assert_eq!(published("b", 2 * first.len()), [&first[..], &first[..]].concat());
    assert_eq!(numbers(&stage, kafka, "other"), held, "another connector's stream");
    // Sequences keep growing when fragments are published again, whatever happened to the offset.
    let seen = read_topic(kafka.bootstrap(), &stage.topic(), Isolation::Committed);
    for stream in ["a", "b", "other"] {
        expect_sequence(&seen, stream);
    }
    // What is published again does not follow what was published last.
    let breaks = |stream: &str| {
        let of_stream = seen.iter().filter(|one| one.stream == stream).enumerate();
        of_stream.filter(|(_, one)| one.discontinuity == Some(true)).map(|(index, _)| index).collect::<Vec<_>>()
    };
    assert_eq!(breaks("a"), [0, first.len(), replayed.len()]);
    assert_eq!((breaks("b"), breaks("other")), (vec![0, first.len()], vec![0]));
}

#[test]
fn secrets_are_resolved_on_the_worker_and_shown_nowhere() {
    const SECRET: &str = "the-secret-access-key-itself";
    const CLEAR: &str = "a-secret-in-the-clear";
    let stage = Stage::with_simulator(
        "secrets",
        kvs_simulator::SimulatorConfig {
            keys: [("id-of-file", SECRET), ("id-of-clear", CLEAR)]
                .map(|(id, secret)| kvs_simulator::AccessKey::new(id, secret, kvs_simulator::DEFAULT_ACCOUNT))
                .to_vec(),
            ..kvs_simulator::SimulatorConfig::default()
        },
    );
    let kafka = Kafka::shared();
    stage.add("a", &stage.recording(3, 1, 100), 1, Pace::Max);
    let folder = stage.folder.path().join("secrets");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("aws.properties"), format!("key={SECRET}\n")).unwrap();
    std::fs::write(folder.join("id"), "id-of-file\n").unwrap();
    let path = folder.display().to_string();
    let settings = stage
        .worker(kafka)
        .set("config.providers.file.param.allowed.paths", &format!("{path:?}"))
        .set("config.providers.dir.param.allowed.paths", &format!("{path:?}"))
        .set("config.providers.env.param.allowlist.pattern", "\"REGION_OF_.*\"");
    let environment = [("REGION_OF_CAMERAS", "us-east-1"), ("RUST_LOG", "debug")];
    let mut worker = Connector::start_with(program(), &settings, &[], &environment);
    worker.wait_healthy();
    let reference = format!("${{file:{path}/aws.properties:key}}");
    let mut given = config(&stage, &["a"]);
    given["kvs.credentials.access.key.id"] = format!("${{dir:{path}:id}}").into();
    given["kvs.credentials.secret.access.key"] = reference.as_str().into();
    given["kvs.region"] = "${env:REGION_OF_CAMERAS}".into();
    let (code, made) = worker.rest("PUT", "/connectors/by-reference/config", Some(&given));
    assert_eq!((code, &made["config"]["kvs.credentials.secret.access.key"]), (201, &json!(reference)), "{made}");
    stage.expect_all(kafka, &["a"]);
    // Plain secrets are masked, and the mask stands for them when the settings are sent back.
    let mut clear = config(&stage, &["a"]);
    clear["kvs.credentials.access.key.id"] = "id-of-clear".into();
    clear["kvs.credentials.secret.access.key"] = CLEAR.into();
    assert_eq!(worker.rest("PUT", "/connectors/clear/config", Some(&clear)).0, 201);
    let (_, mut shown) = worker.rest("GET", "/connectors/clear/config", None);
    assert_eq!(shown["kvs.credentials.secret.access.key"], "********");
    shown["record.timestamp"] = "server".into();
    assert_eq!(worker.rest("PUT", "/connectors/clear/config", Some(&shown)).0, 200);
    wait_for("the stream to be pulled with the secret that is stored", || task_states(&worker, "clear") == ["RUNNING"]);
    wait_for("its fragments", || stage.seen(kafka)["a"].len() >= 6);
    // A reference that is not allowed is refused by name, and one that becomes unresolvable fails its connector alone.
    given["kvs.proxy.url"] = "${env:PATH}".into();
    let (code, refused) = worker.rest("PUT", "/connectors/not-allowed/config", Some(&given));
    let message = refused["message"].as_str().unwrap();
    assert!(code == 400 && message.contains("${env:PATH}: the variable is not allowed"), "{message}");
    std::fs::remove_file(folder.join("aws.properties")).unwrap();
    let restart = "/connectors/by-reference/restart?includeTasks=true";
    assert_eq!(worker.rest("POST", restart, None).0, 202);
    wait_for("it to be FAILED", || state(&worker, "by-reference") == "FAILED");
    let (_, status) = worker.rest("GET", "/connectors/by-reference/status", None);
    assert!(status.to_string().contains("it cannot be read"), "{status}");
    std::fs::write(folder.join("aws.properties"), format!("key={SECRET}\n")).unwrap();
    wait_for("the connector to run again by itself", || state(&worker, "by-reference") == "RUNNING");

    let said = [
        "/connectors?expand=info&expand=status",
        "/connectors/clear/tasks",
        "/connectors/clear/tasks-config",
        "/streams",
    ]
    .map(|path| worker.rest("GET", path, None).1.to_string())
    .concat();
    let validated =
        worker.rest("PUT", "/connector-plugins/KinesisVideoSource/config/validate", Some(&clear)).1.to_string();
    let configs = text_of(kafka, &format!("{}-configs", stage.group()));
    let statuses = text_of(kafka, &format!("{}-status", stage.group()));
    for (what, text) in [
        ("REST", &said),
        ("validation", &validated),
        ("log", &worker.log()),
        ("config topic", &configs),
        ("status topic", &statuses),
    ] {
        assert!(!text.contains(SECRET), "the secret is in the {what}");
        assert!(what == "config topic" || !text.contains(CLEAR), "the plain secret is in the {what}");
    }
    assert!(configs.contains(&reference));
}

#[test]
fn failures_are_restarted_automatically_or_by_hand() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("restarts"));
    let file = stage.recording(6, 2, 300);
    for (name, times) in [("soon", 2), ("by-hand", 1)] {
        stage.add(name, &file, 1, Pace::Max);
        let kind = FaultKind::ErrorTag { after_fragments: 2, error_id: 4502, error_code: "ON_PURPOSE".to_owned() };
        stage.simulator.add_fault(Fault::new(kind).on(name).times(times));
    }
    stage.add("fine", &file, 1, Pace::Max);
    let worker = bare(&stage, kafka);
    assert_eq!(worker.rest("PUT", "/connectors/auto/config", Some(&config(&stage, &["soon", "fine"]))).0, 201);
    let mut settings = config(&stage, &["by-hand"]);
    settings["errors.retry.timeout"] = "0".into();
    assert_eq!(worker.rest("PUT", "/connectors/hand/config", Some(&settings)).0, 201);
    stage.expect_all(kafka, &["soon", "fine"]);
    wait_for("all of it to run", || task_states(&worker, "auto") == ["RUNNING", "RUNNING"]);
    assert_eq!(worker.log().matches("restarting the failed stream").count(), 2);

    wait_for("the one that stays FAILED", || task_states(&worker, "hand") == ["FAILED"]);
    let (_, status) = worker.rest("GET", "/connectors/hand/status", None);
    assert!(status["tasks"][0]["trace"].as_str().unwrap().contains("4502"), "{status}");
    wait_for("it to be counted", || worker.metric("kvs_connect_streams_failed") == 1.0);
    let (code, restarting) = worker.rest("POST", "/connectors/hand/restart?includeTasks=true&onlyFailed=true", None);
    assert_eq!((code, &restarting["tasks"][0]["state"]), (202, &json!("RESTARTING")));
    assert_eq!(restarting["connector"]["state"], "RUNNING", "{restarting}");
    stage.expect_all(kafka, &["by-hand"]);
    wait_for("it to run", || task_states(&worker, "hand") == ["RUNNING"]);
    wait_for("none to be counted", || worker.metric("kvs_connect_streams_failed") == 0.0);
}

/// During a rolling upgrade, a newer worker has written records that this one does not know.
#[test]
fn records_of_a_later_version_are_refused_with_a_message_and_everything_else_continues() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("future", 1));
    let file = stage.recording(4, 1, 100);
    for stream in ["a", "b"] {
        stage.add(stream, &file, 1, Pace::Max);
    }
    let mut worker = bare(&stage, kafka);
    let topic = |what: &str| format!("{}-{what}", stage.group());
    produce(kafka, &topic("configs"), 0, b"connector-future", br#"{"version":2,"properties":{"name":"future"}}"#);
    produce(kafka, &topic("configs"), 0, b"connector-odd", b"not even JSON");
    produce(kafka, &topic("configs"), 0, b"shape-of-things-to-come", br#"{"version":9}"#);
    produce(kafka, &topic("status"), 0, b"status-task-future-0", br#"{"version":2,"state":{"is":"new"}}"#);
    produce(kafka, &topic("status"), 0, b"status-connector-x", b"{{{");
    // The target state of an existing connector: this version does not know DREAMING.
    assert_eq!(worker.rest("PUT", "/connectors/dreaming/config", Some(&config(&stage, &["a"]))).0, 201);
    produce(kafka, &topic("configs"), 0, b"target-state-dreaming", br#"{"state":"PAUSED","state.v2":"DREAMING"}"#);
    for name in ["future", "odd", "dreaming"] {
        wait_for("the connector to be FAILED", || state(&worker, name) == "FAILED");
    }
    let (_, status) = worker.rest("GET", "/connectors/future/status", None);
    assert!(status["connector"]["trace"].as_str().unwrap().contains("version 2"), "{status}");
    let (_, status) = worker.rest("GET", "/connectors/dreaming/status", None);
    assert!(status["connector"]["trace"].as_str().unwrap().contains("DREAMING"), "{status}");
    assert_eq!(worker.rest("DELETE", "/connectors/dreaming", None).0, 204);
    assert_eq!(worker.rest("PATCH", "/connectors/future/config", Some(&json!({ "topic": "t" }))).0, 400);

    // An offset: its stream is FAILED, another one of the same shard is not.
    produce(kafka, &topic("offsets"), 0, br#"["now",{"stream":"a"}]"#, br#"{"version":3,"place":"elsewhere"}"#);
    assert_eq!(worker.rest("PUT", "/connectors/now/config", Some(&config(&stage, &["a", "b"]))).0, 201);
    stage.expect_all(kafka, &["b"]);
    wait_for("the stream whose offset is of a later version", || task_states(&worker, "now") == ["FAILED", "RUNNING"]);
    let (_, status) = worker.rest("GET", "/connectors/now/status", None);
    assert!(status["tasks"][0]["trace"].as_str().unwrap().contains("version 3"), "{status}");
    assert!(!stage.seen(kafka).contains_key("a"));
    // When the offset is altered, as the message says, the stream continues.
    stop(&worker, "now");
    let reset = json!({ "offsets": [{ "partition": { "stream": "a" }, "offset": null }] });
    assert_eq!(worker.rest("PATCH", "/connectors/now/offsets", Some(&reset)).0, 200);
    resume(&worker, "now");
    stage.expect_all(kafka, &["a", "b"]);
    // Refused records can be overwritten.
    assert_eq!(worker.rest("DELETE", "/connectors/odd", None).0, 204);
    assert_eq!(worker.rest("PUT", "/connectors/future/config", Some(&config(&stage, &["a"]))).0, 200);
    wait_for("the connector to run", || state(&worker, "future") == "RUNNING");
    assert_eq!(worker.terminate().0, 0);
}

#[test]
fn a_standalone_worker_runs_only_the_connectors_of_its_files() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("standalone"));
    stage.add("a", &stage.recording(3, 1, 100), 1, Pace::Max);
    let mut worker = Connector::start_standalone(program(), &stage.worker(kafka), &[stage.connector(&["a"])]);
    worker.wait_healthy();
    stage.expect_all(kafka, &["a"]);
    assert_eq!(worker.rest("PUT", "/connectors/more/config", Some(&config(&stage, &["a"]))).0, 201);
    wait_for("the second one to run", || task_states(&worker, "more") == ["RUNNING"]);
    stop(&worker, "more");
    assert_eq!(worker.rest("DELETE", "/connectors/more/offsets", None).0, 200);
    worker.restart(program());
    worker.wait_healthy();
    assert_eq!(worker.rest("GET", "/connectors", None).1, json!(["cameras"]));
    assert!(!text_of(kafka, &format!("{}-configs", stage.group())).contains("connector-cameras"));
    // In distributed mode, connector files are written to the config log and stay there.
    let mut first = stage.start(&stage.worker(kafka), &stage.connector(&["a"]));
    first.wait_healthy();
    assert_eq!(first.rest("GET", "/connectors", None).1, json!(["cameras"]));
    drop(first);
    let second = bare(&stage, kafka);
    assert_eq!(second.rest("GET", "/connectors", None).1, json!(["cameras"]));
}

#[test]
fn a_standalone_worker_continues_where_its_cluster_moved_the_offsets_to() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("moved-away", 2));
    stage.add("a", &stage.recording(60, 2, 100), 1, Pace::FragmentsPerSecond(8.0));
    let own = format!("{}-own", stage.group());
    let mut settings = config(&stage, &["a"]);
    settings["offsets.storage.topic"] = own.as_str().into();
    let mut cluster = bare(&stage, kafka);
    assert_eq!(cluster.rest("PUT", "/connectors/cameras/config", Some(&settings)).0, 201);
    wait_for("fragments", || numbers(&stage, kafka, "a").len() > 5);
    assert_eq!(cluster.terminate().0, 0);

    // Without the setting it would find no offsets, and publish everything again.
    let file = stage.connector(&["a"]);
    let mut wrong = Connector::start_standalone(program(), &stage.worker(kafka), std::slice::from_ref(&file));
    let code = wrong.wait_exit();
    let log = wrong.log();
    assert!(code == 78 && log.contains(&format!("set offsets.storage.topic={own}")), "{code}: {log}");
    let right = file.set("offsets.storage.topic", &own);
    let mut standalone = Connector::start_standalone(program(), &stage.worker(kafka), &[right]);
    standalone.wait_healthy();
    wait_for("all fragments", || numbers(&stage, kafka, "a").len() >= 60);
    compare("a", &stage.held("a"), &stage.seen(kafka)["a"]);
    assert_eq!(standalone.terminate().0, 0);
}
