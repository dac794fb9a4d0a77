//! Kafka Connect's REST API: the responses of a Kafka Connect worker, and responses to wrong requests.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::time::Duration;

use kvs_harness::{Connector, Kafka, wait_for};
use kvs_simulator::Pace;
use serde_json::{Value, json};

use crate::stage::{Stage, program};

/// A worker without connectors.
pub fn bare(stage: &Stage, kafka: &Kafka) -> Connector {
    let mut worker = Connector::start(program(), &stage.worker(kafka), &[]);
    worker.wait_healthy();
    worker
}

/// Returns a connector's settings, in the form of the REST API.
pub fn config(stage: &Stage, streams: &[&str]) -> Value {
    let mut config = stage.connector(streams).config;
    // The recordings end, and nothing follows.
    config.insert("errors.retry.delay.base.ms".to_owned(), "200".into());
    config.into()
}

pub fn state(worker: &Connector, name: &str) -> String {
    let (_, status) = worker.rest("GET", &format!("/connectors/{name}/status"), None);
    status["connector"]["state"].as_str().unwrap_or_default().to_owned()
}

/// Returns the states of a connector's tasks, in the order of their ids.
pub fn task_states(worker: &Connector, name: &str) -> Vec<String> {
    let (_, status) = worker.rest("GET", &format!("/connectors/{name}/status"), None);
    let tasks = status["tasks"].as_array().cloned().unwrap_or_default();
    tasks.iter().map(|task| task["state"].as_str().unwrap().to_owned()).collect()
}

/// A session recorded with Kafka Connect itself, repeated with our connector.
#[test]
fn a_connectors_life_gets_the_responses_of_kafka_connect() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("rest"));
    let file = stage.recording(5, 2, 500);
    stage.add("a", &file, 1, Pace::Max);
    stage.add("b", &file, 1, Pace::Max);
    let worker = bare(&stage, kafka);
    let get = |path: &str| worker.rest("GET", path, None);
    let (code, root) = get("/");
    assert_eq!((code, root["version"].as_str()), (200, Some("4.1.0")));
    assert_eq!(root["kvs_connect_version"], env!("CARGO_PKG_VERSION"));
    assert!(root["commit"].is_string() && root["kafka_cluster_id"].as_str().unwrap().len() > 10, "{root}");
    assert_eq!(get("/health").1["status"], "healthy");
    assert_eq!(get("/connectors"), (200, json!([])));

    let mut given = config(&stage, &["a", "b"]);
    let creation = json!({ "name": "f1", "config": given });
    let (code, made) = worker.rest("POST", "/connectors", Some(&creation));
    given["name"] = "f1".into();
    let tasks = json!([{ "connector": "f1", "task": 0 }, { "connector": "f1", "task": 1 }]);
    let info = json!({ "name": "f1", "config": given, "tasks": tasks, "type": "source" });
    assert_eq!((code, &made), (201, &info));
    let again = worker.rest("POST", "/connectors", Some(&creation));
    assert_eq!(again, (409, json!({ "error_code": 409, "message": "Connector f1 already exists" })));
    assert_eq!(get("/connectors"), (200, json!(["f1"])));
    assert_eq!(get("/connectors/f1"), (200, info.clone()));
    assert_eq!(get("/connectors/f1/config"), (200, given.clone()));
    wait_for("both tasks to run", || task_states(&worker, "f1") == ["RUNNING", "RUNNING"]);
    stage.expect_all(kafka, &["a", "b"]);
    let id = worker.address();
    let version = env!("CARGO_PKG_VERSION");
    let one = |state: &str| json!({ "state": state, "worker_id": id, "version": version });
    let task = |number: u32, state: &str| json!({ "id": number, "state": state, "worker_id": id, "version": version });
    let status = json!({ "name": "f1", "connector": one("RUNNING"), "tasks": [task(0, "RUNNING"), task(1, "RUNNING")], "type": "source" });
    assert_eq!(get("/connectors/f1/status"), (200, status.clone()));
    assert_eq!(
        get("/connectors?expand=status&expand=info"),
        (200, json!({ "f1": { "status": status, "info": info } }))
    );
    let (_, listed) = get("/connectors/f1/tasks");
    assert_eq!(
        (&listed[1]["id"], &listed[1]["config"]["kvs.streams"]),
        (&json!({ "connector": "f1", "task": 1 }), &json!("b"))
    );
    assert_eq!(get("/connectors/f1/tasks/0/status"), (200, task(0, "RUNNING")));
    wait_for("the topic to be known", || {
        get("/connectors/f1/topics") == (200, json!({ "f1": { "topics": [stage.topic()] } }))
    });

    assert_eq!(worker.rest("PUT", "/connectors/f1/pause", None), (202, Value::Null));
    wait_for("both tasks to be paused", || task_states(&worker, "f1") == ["PAUSED", "PAUSED"]);
    wait_for("the connector to be paused", || state(&worker, "f1") == "PAUSED");
    let alteration = json!({ "offsets": [{ "partition": { "stream": "a" }, "offset": { "fragmentNumber": "1" } }] });
    let (code, refused) = worker.rest("PATCH", "/connectors/f1/offsets", Some(&alteration));
    assert_eq!(code, 400);
    let message = "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the \
                   specified connector by issuing a 'PUT' request to the '/connectors/f1/stop' endpoint";
    assert_eq!(refused, json!({ "error_code": 400, "message": message }));
    assert_eq!(worker.rest("PUT", "/connectors/f1/stop", None), (204, Value::Null));
    wait_for("the connector to be stopped", || state(&worker, "f1") == "STOPPED");
    assert_eq!(get("/connectors/f1/status").1["tasks"], json!([]));
    assert_eq!(get("/connectors/f1").1["tasks"], json!([]));
    assert_eq!(worker.rest("PUT", "/connectors/f1/resume", None), (202, Value::Null));
    wait_for("both tasks to run again", || task_states(&worker, "f1") == ["RUNNING", "RUNNING"]);

    let (code, restarting) = worker.rest("POST", "/connectors/f1/restart?includeTasks=true&onlyFailed=false", None);
    assert_eq!((code, &restarting["tasks"][0]), (202, &task(0, "RESTARTING")));
    assert_eq!(worker.rest("POST", "/connectors/f1/restart", None), (204, Value::Null));
    assert_eq!(worker.rest("POST", "/connectors/f1/tasks/1/restart", None), (204, Value::Null));
    assert_eq!(worker.rest("POST", "/connectors/f1/tasks/7/restart", None).0, 404);

    let mut other = config(&stage, &["b"]);
    let (code, put) = worker.rest("PUT", "/connectors/f1/config", Some(&other));
    other["name"] = "f1".into();
    // The stream that remains keeps its task.
    assert_eq!((code, &put["config"], &put["tasks"]), (200, &other, &json!([{ "connector": "f1", "task": 1 }])));
    let patch = json!({ "record.timestamp": "server", "errors.retry.delay.base.ms": null });
    let (code, patched) = worker.rest("PATCH", "/connectors/f1/config", Some(&patch));
    assert_eq!((code, &patched["config"]["record.timestamp"]), (200, &json!("server")));
    assert!(patched["config"].get("errors.retry.delay.base.ms").is_none(), "{patched}");
    assert_eq!(worker.rest("PUT", "/connectors/f1/topics/reset", None), (202, Value::Null));
    wait_for("the one task to run", || task_states(&worker, "f1") == ["RUNNING"]);

    assert_eq!(worker.rest("PUT", "/connectors/f2/config", Some(&config(&stage, &["a"]))).0, 201);
    assert_eq!(worker.rest("DELETE", "/connectors/f1", None), (204, Value::Null));
    let gone = json!({ "error_code": 404, "message": "Connector f1 not found" });
    assert_eq!(get("/connectors/f1"), (404, gone.clone()));
    assert_eq!(worker.rest("DELETE", "/connectors/f1", None), (404, gone));
    let none = json!({ "error_code": 404, "message": "No status found for connector none" });
    assert_eq!(get("/connectors/none/status"), (404, none));
    assert_eq!(get("/connectors"), (200, json!(["f2"])));
    wait_for("nothing to be pulled for it any more", || get("/streams").1.as_array().unwrap().len() == 1);

    let stopped = json!({ "name": "f3", "config": config(&stage, &["a"]), "initial_state": "STOPPED" });
    assert_eq!(worker.rest("POST", "/connectors", Some(&stopped)).0, 201);
    wait_for("a connector that is stopped from the beginning", || state(&worker, "f3") == "STOPPED");
}

#[test]
fn settings_are_validated_field_by_field_and_connections_tried_on_request() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("validate"));
    stage.add("a", &stage.recording(1, 1, 100), 1, Pace::Max);
    let worker = bare(&stage, kafka);
    let path = "/connector-plugins/KinesisVideoSource/config/validate";
    let (_, plugins) = worker.rest("GET", "/connector-plugins", None);
    assert_eq!(plugins[0]["type"], "source");
    let (_, keys) = worker.rest("GET", "/connector-plugins/KinesisVideoSourceConnector/config", None);
    assert!(keys.as_array().unwrap().len() > 40);
    let bad = json!({ "connector.class": "KinesisVideoSourceConnector", "tasks.max": "x", "kvs.stream": "a", "topic": "a b" });
    let (code, infos) = worker.rest("PUT", path, Some(&bad));
    let errors = |name: &str| -> String {
        let configs = infos["configs"].as_array().unwrap();
        let found = configs.iter().find(|config| config["value"]["name"] == name).unwrap();
        found["value"]["errors"].to_string()
    };
    assert_eq!(code, 200);
    assert!(errors("tasks.max").contains("whole number"), "{infos}");
    assert!(errors("kvs.stream").contains("the nearest known one is kvs.streams"), "{infos}");
    assert!(errors("name").contains("is required") && errors("topic").contains("not a topic name"), "{infos}");
    assert_eq!(infos["error_count"], 5);
    // Validation has created nothing.
    assert_eq!(worker.rest("GET", "/connectors", None).1, json!([]));
    let mut good = config(&stage, &["a"]);
    good["name"] = "v".into();
    assert_eq!(worker.rest("PUT", path, Some(&good)).1["error_count"], 0);
    assert_eq!(worker.rest("PUT", &format!("{path}?connect=true"), Some(&good)).1["error_count"], 0);
    good["kvs.streams"] = "a,none".into();
    assert_eq!(worker.rest("PUT", path, Some(&good)).1["error_count"], 0);
    let (_, tried) = worker.rest("PUT", &format!("{path}?connect=true"), Some(&good));
    assert_eq!(tried["error_count"], 1);
    assert!(tried.to_string().contains("none"), "{tried}");
}

#[test]
fn validation_finds_what_kafka_would_refuse_and_reports_it_at_its_setting() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("validate-topics"));
    stage.add("a", &stage.recording(1, 1, 100), 1, Pace::Max);
    let worker = bare(&stage, kafka);
    let path = "/connector-plugins/KinesisVideoSource/config/validate?connect=true";
    let mut settings = config(&stage, &["a"]);
    settings["name"] = "v".into();
    let errors = |settings: &Value| -> BTreeMap<String, String> {
        let infos = worker.rest("PUT", path, Some(settings)).1;
        let configs = infos["configs"].as_array().unwrap_or_else(|| panic!("{infos}")).iter();
        let wrong = configs.filter(|config| config["value"]["errors"] != json!([]));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        wrong.map(|config| (text(&config["value"]["name"]), text(&config["value"]["errors"][0]))).collect()
    };
    assert_eq!(errors(&settings), BTreeMap::new());
    settings["topic.creation.default.replication.factor"] = "3".into();
    // A cluster may have configurations that Apache Kafka does not have.
    settings["topic.creation.default.write.caching"] = "true".into();
    settings["topic.creation.default.segment.ms"] = "soon".into();
    let found = errors(&settings);
    for (key, reason) in [
        (
            "topic.creation.default.replication.factor",
            "3 was requested, but the cluster has 1 broker: set it to 1 at most",
        ),
        ("topic.creation.default.write.caching", "topics have no configuration write.caching in this cluster"),
        ("topic.creation.default.segment.ms", "\"soon\": Kafka refuses this value"),
    ] {
        assert!(found.get(key).is_some_and(|said| said.contains(reason)), "{key}: {found:?}");
    }
    assert_eq!(found.len(), 3, "{found:?}");
    // Creating the connector reports the same.
    assert_eq!(worker.rest("PUT", "/connectors/v/config", Some(&settings)).0, 201);
    let trace = || worker.rest("GET", "/connectors/v/status", None).1["connector"]["trace"].to_string();
    wait_for("the connector to be FAILED", || state(&worker, "v") == "FAILED");
    for key in found.keys() {
        assert!(trace().contains(&format!("{key}: ")), "{}", trace());
    }
    // The worker's health names it, and stays well: starting the worker again would not mend a setting.
    wait_for("the connector to be listed", || worker.rest("GET", "/health", None).1["failed_connectors"] != json!([]));
    let (code, health) = worker.rest("GET", "/health", None);
    let failed = &health["failed_connectors"][0];
    assert_eq!((code, failed["connector"].as_str()), (200, Some("v")), "{health}");
    assert_eq!(failed["worker_id"], worker.address());
    assert!(failed["reason"].as_str().unwrap().contains("segment.ms"), "{health}");
    assert_eq!(worker.rest("DELETE", "/connectors/v", None).0, 204);
    wait_for("the connector to be gone from it", || {
        worker.rest("GET", "/health", None).1["failed_connectors"] == json!([])
    });
    assert!(!kvs_harness::topic::exists(kafka.bootstrap(), &stage.topic()), "validation creates no topic");
    // An existing topic is not created: its own configuration counts, not the one it would have been created with.
    kafka.create_topic(&stage.topic(), 6, &[("max.message.bytes", "1000")]);
    let found = errors(&settings);
    let said = found.get("kvs.fragment.max.size.bytes");
    assert!(said.is_some_and(|said| said.contains("its max.message.bytes is 1000")), "{found:?}");
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn wrong_requests_get_connects_errors_and_change_nothing() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("wrong"));
    let worker = bare(&stage, kafka);
    let resident_before = kvs_harness::process::resident_bytes(worker.pid());
    let good = config(&stage, &["a"]);
    let with = |key: &str, value: Value| {
        let mut config = good.clone();
        config[key] = value;
        json!({ "name": "w", "config": config }).to_string()
    };
    let huge = with("topic", "x".repeat(10 << 20).into());
    let cases: Vec<(&str, &str, Option<String>, u16)> = vec![
        ("POST", "/connectors", Some(r#"{"name":"bad""#.to_owned()), 400),
        ("POST", "/connectors", Some("[]".to_owned()), 400),
        ("POST", "/connectors", Some("\"x\"".to_owned()), 400),
        ("POST", "/connectors", Some(r#"{"name":7,"config":{}}"#.to_owned()), 400),
        ("POST", "/connectors", Some(r#"{"config":{}}"#.to_owned()), 400),
        ("POST", "/connectors", Some(r#"{"name":"w"}"#.to_owned()), 400),
        ("POST", "/connectors", Some(with("connector.class", "nope".into())), 400),
        ("POST", "/connectors", Some(with("kvs.stream", "a".into())), 400),
        ("POST", "/connectors", Some(with("topic", json!(["a"]))), 400),
        ("POST", "/connectors", Some(with("topic", Value::Null)), 400),
        ("POST", "/connectors", Some(with("tasks.max", "many".into())), 400),
        ("POST", "/connectors", Some(with("name", "another".into())), 400),
        ("POST", "/connectors", Some(with("topic", format!("{}-offsets", stage.group()).into())), 400),
        ("POST", "/connectors", Some(with("kvs.region", "${env:PATH}".into())), 400),
        ("POST", "/connectors", Some(huge), 413),
        ("POST", "/connectors", Some("[".repeat(200_000)), 400),
        ("PUT", "/connectors/w/config", Some("{}".to_owned()), 400),
        ("PUT", "/connectors/a%0Ab/config", Some(good.to_string()), 400),
        ("PATCH", "/connectors/none/config", Some("{}".to_owned()), 404),
        ("PATCH", "/connectors/none/offsets", Some(r#"{"offsets":[]}"#.to_owned()), 400),
        ("GET", "/connectors/../../etc/passwd", None, 404),
        ("GET", "/connectors/%2e%2e%2f%2e%2e%2fetc%2fpasswd", None, 404),
        ("GET", "/connectors/%ff/config", None, 404),
        ("GET", "/connectors/none/tasks/-1/status", None, 404),
        ("GET", "/connectors/none/tasks/99999999999999999999/status", None, 404),
        ("POST", "/connectors/none/restart?includeTasks=perhaps", None, 400),
        ("PUT", "/connector-plugins/Nope/config/validate", Some("{}".to_owned()), 400),
        ("PUT", "/admin/loggers/root", Some(r#"{"level":"LOUD"}"#.to_owned()), 404),
        ("PUT", "/admin/loggers/root", Some("{}".to_owned()), 400),
        ("PUT", "/admin/loggers/a..b", Some(r#"{"level":"INFO"}"#.to_owned()), 404),
        ("DELETE", "/connectors", None, 405),
        ("GET", "/nowhere", None, 404),
    ];
    for (method, path, body, expected) in &cases {
        let (code, answer) =
            kvs_harness::connector::http_call(&worker.address(), method, path, body.as_deref()).unwrap();
        let shown: String = body.as_deref().unwrap_or_default().chars().take(120).collect();
        assert_eq!(code, *expected, "{method} {path} {shown}: {answer}");
        let error: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{method} {path}: {answer}"));
        assert_eq!(error["error_code"], *expected, "{method} {path}: {answer}");
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty() && text.len() < 4_000), "{answer}");
    }
    assert_eq!(worker.rest("GET", "/connectors", None).1, json!([]));

    // Names of ten thousand connectors that do not exist.
    for index in 0..10_000 {
        let path = format!("/connectors/{}-{index}/status", "n".repeat(200));
        let (code, _) = kvs_harness::connector::http_get(&worker.address(), &path).unwrap();
        assert_eq!(code, 404);
    }
    // Each connection with an endless request head is held open, up to a limit; others get a response once the time for
    // a head is over.
    let mut drips: Vec<std::net::TcpStream> = (0..300)
        .map(|_| {
            let mut socket = std::net::TcpStream::connect(worker.address()).unwrap();
            socket.write_all(b"POST /connectors HTTP/1.1\r\nHost: x\r\nX-Drip: ").unwrap();
            socket
        })
        .collect();
    drips[0].set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // The connection gets a response or is closed when its time is over, not when the test gives up.
    assert!(drips[0].read(&mut [0; 512]).is_ok());
    wait_for("another client to get a response", || worker.get("/health").is_some_and(|(code, _)| code == 200));
    let grown = kvs_harness::process::resident_bytes(worker.pid()).saturating_sub(resident_before);
    println!("wrong requests: the worker grew by {} MB", grown >> 20);
    assert!(grown < 100 << 20, "the worker grew by {grown} bytes");
}

#[test]
fn levels_of_loggers_are_changed_at_run_time() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("loggers"));
    let worker = bare(&stage, kafka);
    let other = bare(&stage, kafka);
    let (_, all) = worker.rest("GET", "/admin/loggers", None);
    assert_eq!(all["kvs_connect"], json!({ "level": "INFO", "last_modified": null }));
    let level = json!({ "level": "DEBUG" });
    let (code, set) = worker.rest("PUT", "/admin/loggers/kvs_connect", Some(&level));
    assert!(code == 200 && set.as_array().unwrap().contains(&"kvs_connect::shard".into()), "{set}");
    let level_at = |worker: &Connector| worker.rest("GET", "/admin/loggers/kvs_connect.shard", None).1["level"].clone();
    assert_eq!((level_at(&worker), level_at(&other)), ("DEBUG".into(), "INFO".into()));
    assert_eq!(worker.rest("GET", "/admin/loggers/nobody", None).0, 404);
    // For all workers at once.
    let everywhere = worker.rest("PUT", "/admin/loggers/kvs_connect?scope=cluster", Some(&json!({ "level": "TRACE" })));
    assert_eq!(everywhere, (204, Value::Null));
    wait_for("both workers to have it", || level_at(&worker) == "TRACE" && level_at(&other) == "TRACE");
    worker.wait_logged("logger level set");
}
