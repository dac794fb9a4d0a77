//! `kvs-connect connector` and `kvs-connect offsets`, against a worker.

use std::process::Command;

use kvs_harness::Kafka;
use kvs_simulator::{Fault, FaultKind, Pace};
use serde_json::Value;

use crate::rest::bare;
use crate::stage::{Stage, program};

struct Cli(String);

impl Cli {
    /// Returns the exit code, standard output and standard error.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = Command::new(program()).args(arguments).env("KVS_CONNECT_URL", &self.0).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    }

    fn ok(&self, arguments: &[&str]) -> (String, String) {
        let (code, out, err) = self.run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {out}{err}");
        (out, err)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(arguments).0).unwrap()
    }
}

#[test]
fn a_connector_is_created_inspected_changed_and_deleted_from_the_command_line() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("cli", 2));
    let recording = stage.recording(8, 1, 100);
    for stream in ["a", "b"] {
        stage.add(stream, &recording, 1, Pace::Max);
    }
    let worker = bare(&stage, kafka);
    let cli = Cli(format!("http://{}", worker.address()));
    let file = stage.folder.path().join("cameras.json");
    let write = |connector: &kvs_harness::ConnectorFile| std::fs::write(&file, connector.text()).unwrap();
    write(&stage.connector(&["a", "b"]));
    let path = file.display().to_string();

    let (_, progress) = cli.ok(&["connector", "create", &path, "--wait"]);
    assert!(progress.contains("cameras: RUNNING, tasks: 2 RUNNING"), "{progress}");
    let (code, _, said) = cli.run(&["connector", "create", &path]);
    assert!(code == 75 && said.contains("Connector cameras already exists"), "{said}");
    stage.expect_all(kafka, &["a", "b"]);
    let (table, _) = cli.ok(&["connector", "list"]);
    let row = table.lines().nth(1).unwrap();
    assert!(
        table.starts_with("NAME") && row.contains("cameras") && row.contains("RUNNING") && row.contains("2/2"),
        "{table}"
    );
    let (table, _) = cli.ok(&["connector", "status", "cameras"]);
    assert!(table.lines().count() == 4 && table.contains("task 1") && table.contains(&worker.address()), "{table}");
    assert_eq!(cli.json(&["connector", "status", "cameras", "--json"])["tasks"][1]["state"], "RUNNING");
    assert_eq!(cli.json(&["connector", "get", "cameras"])["kvs.streams"], "a,b");

    let (_, progress) = cli.ok(&["connector", "pause", "cameras", "--wait"]);
    assert!(progress.contains("PAUSED, tasks: 2 PAUSED"), "{progress}");
    cli.ok(&["connector", "resume", "cameras", "--wait"]);
    let held: Vec<String> = stage.held("a").into_iter().map(|(number, _)| number).collect();
    let (code, _, said) = cli.run(&["offsets", "set", "cameras", "a", &held[2]]);
    assert!(code == 78 && said.contains("kvs-connect connector stop cameras --wait"), "{said}");
    cli.ok(&["connector", "stop", "cameras", "--wait"]);
    let (table, _) = cli.ok(&["offsets", "list", "cameras"]);
    assert!(
        table.starts_with("CONNECTOR") && table.contains(held.last().unwrap()) && table.contains("2017-11-28T"),
        "{table}"
    );
    cli.ok(&["offsets", "set", "cameras", "a", &held[2]]);
    let listed = cli.ok(&["offsets", "list", "--json"]).0;
    let first: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    assert_eq!((first["stream"].as_str(), first["fragment_number"].as_str()), (Some("a"), Some(held[2].as_str())));
    // The same from Kafka; wrong requests are refused with advice.
    let (bootstrap, group) = (kafka.bootstrap(), stage.group());
    let [topic, configs, statuses] = [("offset", "offsets"), ("config", "configs"), ("status", "status")]
        .map(|(kind, name)| format!("{kind}.storage.topic={group}-{name}"));
    let group = format!("group.id={group}");
    let of_topic = |settings: &[&str]| {
        let mut arguments = vec!["offsets", "list", "--bootstrap-servers", bootstrap];
        settings
            .iter()
            .chain(&[group.as_str(), &configs, &statuses])
            .for_each(|setting| arguments.extend(["--set", setting]));
        cli.run(&arguments)
    };
    let (code, table, said) = of_topic(&[&topic, "offset.storage.partitions=2"]);
    assert!(code == 0 && table.contains(&held[2]), "{code} {table}{said}");
    let (code, _, said) = of_topic(&[&topic]);
    assert!(code == 78 && said.contains("has 2 partitions") && said.contains("offset.storage.partitions=2"), "{said}");
    let (code, _, said) = of_topic(&["offset.storage.topic=no-such-topic"]);
    assert!(code == 69 && said.contains("no-such-topic at ") && said.contains("the topic does not exist"), "{said}");
    let two = "offset.storage.partitions=2";
    let (code, _, said) =
        cli.run(&["offsets", "list", "--bootstrap-servers", bootstrap, "--set", &topic, "--set", two]);
    assert!(code == 78 && said.contains("group.id") && said.contains("pass the worker's file (--worker)"), "{said}");
    cli.ok(&["offsets", "reset", "cameras", "--stream", "b"]);
    assert_eq!(cli.ok(&["offsets", "list", "cameras", "--json"]).0.lines().count(), 1);
    cli.ok(&["offsets", "reset", "cameras"]);
    assert_eq!(cli.ok(&["offsets", "list", "cameras", "--json"]).0, "");
    cli.ok(&["connector", "resume", "cameras", "--wait"]);

    // An update whose stream fails reports that instead of waiting.
    stage.add("bad", &recording, 1, Pace::Max);
    let kind = FaultKind::ErrorTag { after_fragments: 1, error_id: 4502, error_code: "ON_PURPOSE".to_owned() };
    let lasting = FaultKind::ErrorTag { after_fragments: 0, error_id: 4502, error_code: "LASTING".to_owned() };
    stage.simulator.add_fault(Fault::new(kind).on("bad"));
    write(&stage.connector(&["a", "bad"]));
    // The stream runs before it fails; a command that waits for the restart notices the failure.
    cli.ok(&["connector", "update", &path]);
    kvs_harness::wait_for("the stream to fail", || cli.ok(&["connector", "status", "cameras"]).0.contains("FAILED"));
    let (code, _, said) = cli.run(&["connector", "resume", "cameras", "--wait"]);
    assert!(code == 69 && said.contains("has failed") && said.contains("4502"), "{code}: {said}");
    let (table, _) = cli.ok(&["connector", "status", "cameras"]);
    assert!(table.contains("4502"), "{table}");
    cli.ok(&["connector", "restart", "cameras", "--include-tasks", "--only-failed"]);
    cli.ok(&["connector", "restart", "cameras", "--task", "0", "--json"]);

    // A failure before a restart is not one of the restart.
    stage.simulator.add_fault(Fault::new(lasting).on("bad").times(0));
    cli.ok(&["connector", "restart", "cameras", "--include-tasks"]);
    kvs_harness::wait_for("it to fail again", || cli.ok(&["connector", "status", "cameras"]).0.contains("LASTING"));
    stage.simulator.clear_faults();
    let (_, progress) = cli.ok(&["connector", "restart", "cameras", "--include-tasks", "--wait"]);
    assert!(progress.contains("2 RUNNING"), "{progress}");

    write(&stage.connector(&["a"]).set("kvs.region", "nowhere at all"));
    let (code, _, said) = cli.run(&["connector", "update", &path]);
    assert!(code == 78 && said.contains("kvs.region"), "{said}");
    cli.ok(&["connector", "delete", "cameras", "--wait"]);
    let (code, _, said) = cli.run(&["connector", "status", "cameras"]);
    assert!(code == 66 && said.contains("No status found for connector cameras"), "{said}");
}

#[test]
fn validate_tries_the_connections_when_told_to_and_otherwise_says_that_it_did_not() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("validate-connect"));
    stage.add("a", &stage.recording(1, 1, 100), 1, Pace::Max);
    let file = stage.folder.path().join("cameras.json");
    let validate = |bootstrap: &str, secret: &str, connector: &kvs_harness::ConnectorFile, connect: &[&str]| {
        std::fs::write(&file, connector.text()).unwrap();
        let output = Command::new(program())
            .args(["validate", "--bootstrap-servers", bootstrap])
            .args(connect)
            .arg(&file)
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", secret)])
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    };
    let (good, none) = (stage.connector(&["a"]), stage.connector(&["a", "none"]));
    let nobody = format!("127.0.0.1:{}", kvs_harness::kafka::free_port());
    let bootstrap = kafka.bootstrap();

    // Nothing listens at that address, and no such stream exists: neither is asked.
    let (code, out, _) = validate(&nobody, "wrong", &none, &[]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("is valid") && out.lines().last().unwrap().contains("--connect"), "{out}");

    let (code, out, err) = validate(bootstrap, "test", &good, &["--connect"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("is valid") && out.contains("Connections were tried"), "{out}");
    assert!(!kvs_harness::topic::exists(bootstrap, &stage.topic()), "trying has created the topic");

    let (code, out, err) = validate(bootstrap, "test", &none, &["--connect"]);
    assert_eq!(code, 78, "{out}{err}");
    assert!(err.contains(&format!("{}: kvs.streams: none: ", file.display())), "{err}");
    assert!(!out.contains("is valid"), "{out}");
    let (code, _, err) = validate(bootstrap, "wrong", &good, &["--connect"]);
    assert!(code == 78 && err.contains("InvalidSignatureException"), "{code}: {err}");
    let huge = good.clone().set("topic.creation.default.replication.factor", "3");
    let (code, _, err) = validate(bootstrap, "test", &huge, &["--connect"]);
    assert!(
        code == 78
            && err.contains("topic.creation.default.replication.factor: a replication factor of 3 was requested"),
        "{err}"
    );

    // Kafka that is not there is unavailable; what is wrong beside it is said, too, and decides.
    let (code, _, err) = validate(&nobody, "test", &good, &["--connect"]);
    assert_eq!(code, 69, "{err}");
    assert!(err.contains(&nobody) && err.contains("Connection refused"), "{err}");
    let (code, _, err) = validate(&nobody, "test", &none, &["--connect"]);
    assert!(code == 78 && err.contains("Connection refused") && err.contains("kvs.streams: none: "), "{code}: {err}");
}
