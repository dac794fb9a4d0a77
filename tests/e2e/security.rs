//! A Kafka with authentication: SASL over TLS, certificates, and ACLs one by one.

use kvs_harness::kafka::tool;
use kvs_harness::{Connector, Kafka, WorkerFile, wait_for, wait_until};
use kvs_simulator::Pace;

use crate::certificates::write_certificates;
use crate::rest::{config, task_states};
use crate::stage::{Stage, program};

/// A broker with a listener for tests, one for SASL over TLS and one for certificates; the user `kvs` has no
/// permissions.
struct Secure {
    kafka: Kafka,
    sasl: String,
    mtls: String,
}

impl Secure {
    fn start() -> Self {
        let settings = |port: u16, folder: &std::path::Path, ports: &[u16; 3]| {
            write_certificates(folder, &["broker", "pipeline"]);
            let [controller, sasl, mtls] = ports;
            let file = |name: &str| folder.join(name).display().to_string();
            let module = "org.apache.kafka.common.security";
            [
                format!("listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},SASL://127.0.0.1:{sasl},MTLS://127.0.0.1:{mtls}"),
                format!("advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL://127.0.0.1:{sasl},MTLS://127.0.0.1:{mtls}"),
                format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
                "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_SSL,MTLS:SSL".to_owned(),
                "inter.broker.listener.name=PLAINTEXT".to_owned(),
                "sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN,OAUTHBEARER".to_owned(),
                format!("listener.name.sasl.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_plain=\"plain-secret\";"),
                format!("listener.name.sasl.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;"),
                format!("listener.name.sasl.oauthbearer.sasl.jaas.config={module}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";"),
                "ssl.keystore.type=PEM".to_owned(),
                format!("ssl.keystore.location={}", file("broker-both.pem")),
                "ssl.truststore.type=PEM".to_owned(),
                format!("ssl.truststore.location={}", file("ca.pem")),
                "listener.name.mtls.ssl.client.auth=required".to_owned(),
                "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned(),
                "super.users=User:ANONYMOUS;User:plain;User:oauth;User:scram;User:CN=pipeline".to_owned(),
            ]
            .join("\n") + "\n"
        };
        let (mut kafka, [_, sasl, mtls]) = Kafka::prepare_with(settings, &["scram=scram-secret", "kvs=kvs-secret"]);
        kafka.up();
        Self { kafka, sasl: format!("127.0.0.1:{sasl}"), mtls: format!("127.0.0.1:{mtls}") }
    }

    fn file(&self, name: &str) -> String {
        format!("{:?}", self.kafka.folder().unwrap().join(name).display().to_string())
    }

    fn sasl(&self, worker: WorkerFile, mechanism: &str) -> WorkerFile {
        worker
            .set("bootstrap.servers", &format!("{:?}", self.sasl))
            .set("security.protocol", "\"SASL_SSL\"")
            .set("sasl.mechanism", &format!("{mechanism:?}"))
            .set("ssl.ca.location", &self.file("ca.pem"))
    }

    fn allow(&self, arguments: &[&str]) {
        let fixed = [
            "org.apache.kafka.tools.AclCommand",
            "--bootstrap-server",
            self.kafka.bootstrap(),
            "--add",
            "--force",
            "--allow-principal",
            "User:kvs",
        ];
        tool(&[&fixed[..], arguments].concat());
    }
}

#[test]
fn workers_reach_kafka_by_scram_plain_oauthbearer_and_certificates_and_name_missing_acls() {
    let secure = Secure::start();
    every_mechanism(&secure);
    one_acl_after_the_other(&secure);
}

fn every_mechanism(secure: &Secure) {
    let user = |worker: WorkerFile, name: &str| {
        worker.set("sasl.username", &format!("{name:?}")).set("sasl.password", &format!("\"{name}-secret\""))
    };
    let unsecured = |worker: WorkerFile| {
        ["producer", "consumer", "admin"]
            .into_iter()
            .fold(worker.set("sasl.oauthbearer.config", "\"principal=oauth\""), |worker, kind| {
                worker.set(&format!("{kind}.enable.sasl.oauthbearer.unsecure.jwt"), "true")
            })
    };
    for mechanism in ["SCRAM-SHA-512", "PLAIN", "OAUTHBEARER", "certificate"] {
        let stage = Stage::with_shards(&format!("sasl-{}", mechanism.to_lowercase()), 2);
        // Large enough for the values to be lent to librdkafka, which then encrypts what it does not own.
        stage.add("a", &stage.recording(3, 1, 200_000), 1, Pace::Max);
        let base = stage.worker(&secure.kafka);
        let worker = match mechanism {
            "SCRAM-SHA-512" => user(secure.sasl(base, mechanism), "scram"),
            "PLAIN" => user(secure.sasl(base, mechanism), "plain"),
            "OAUTHBEARER" => unsecured(secure.sasl(base, mechanism)),
            _ => base
                .set("bootstrap.servers", &format!("{:?}", secure.mtls))
                .set("security.protocol", "\"SSL\"")
                .set("ssl.ca.location", &secure.file("ca.pem"))
                .set("ssl.certificate.location", &secure.file("pipeline.pem"))
                .set("ssl.key.location", &secure.file("pipeline.key")),
        };
        let mut worker = stage.start(&worker, &stage.connector(&["a"]));
        worker.wait_healthy();
        stage.expect_all(&secure.kafka, &["a"]);
        assert!(!worker.log().contains("-secret"), "a password is in the log");
        assert_eq!(worker.terminate().0, 0);
    }
}

/// Nothing is granted at first; each permission that is reported as missing is granted, and the next report is
/// expected.
fn one_acl_after_the_other(secure: &Secure) {
    let stage = Stage::with_shards("acls", 1);
    stage.add("a", &stage.recording(3, 1, 100), 1, Pace::Max);
    let group = stage.group();
    let topic = |what: &str| format!("{group}-{what}");
    let (offsets, configs, statuses, notifications) =
        (topic("offsets"), topic("configs"), topic("status"), topic("notifications"));
    let settings = secure
        .sasl(stage.worker(&secure.kafka), "SCRAM-SHA-512")
        .set("sasl.username", "\"kvs\"")
        .set("sasl.password", "\"kvs-secret\"");
    let refused = |expected: &str| {
        let mut worker = Connector::start(program(), &settings, &[]);
        let code = worker.wait_exit();
        let log = worker.log();
        assert!(code == 78 && log.contains(expected), "{code}: {expected:?} is not in the log: {log}");
    };
    // If the expected text is missing, the failure shows the log, or that the worker has ended.
    let says = |worker: &mut Connector, expected: &str| {
        let _ = wait_until(expected, || worker.log().contains(expected) || worker.exit_code().is_some());
        let log = worker.log();
        assert!(log.contains(expected), "{expected:?} is not in the log (ended with {:?}): {log}", worker.exit_code());
    };
    // The group is checked first, and waited for.
    let mut worker = Connector::start(program(), &settings, &[]);
    says(&mut worker, &format!("grant Read on group {group}"));
    assert_eq!(worker.get("/health").map(|(code, _)| code), Some(503));
    secure.allow(&["--operation", "Read", "--group", &group, "--resource-pattern-type", "prefixed"]);
    drop(worker);
    refused(&format!("grant Describe on topic {offsets}"));
    secure.allow(&["--operation", "Describe", "--topic", &offsets]);
    refused(&format!("grant Create on topic {offsets}"));
    secure.allow(&["--operation", "Create", "--topic", &offsets]);
    refused(&format!("grant DescribeConfigs on topic {offsets}"));
    secure.allow(&["--operation", "DescribeConfigs", "--topic", &offsets]);
    for name in [&configs, &statuses] {
        secure.allow(&[
            "--operation",
            "Describe",
            "--operation",
            "Create",
            "--operation",
            "DescribeConfigs",
            "--topic",
            name,
        ]);
    }
    // The topic is empty: whether it may be read shows once the worker is in the group and follows the topic.
    secure.allow(&["--operation", "Read", "--topic", &offsets]);
    let mut worker = Connector::start(program(), &settings, &[]);
    says(&mut worker, &format!("Read on topic {configs}").replace("Read on", "Read and Describe on"));
    drop(worker);
    for name in [&configs, &statuses] {
        secure.allow(&["--operation", "Read", "--topic", name]);
    }
    let mut worker = Connector::start(program(), &settings, &[]);
    // The worker continues after a grant, without a restart, and is unhealthy as long as nobody can learn of its state.
    says(&mut worker, &format!("grant Write on topic {statuses}"));
    wait_for("the worker to be unhealthy", || worker.get("/health").is_some_and(|(code, _)| code == 500));
    assert!(worker.get("/health").unwrap().1.contains(&statuses));
    secure.allow(&["--operation", "Write", "--topic", &statuses]);
    worker.wait_healthy();

    let connector = config(&stage, &["a"]);
    let put = |worker: &Connector| {
        let (code, answer) = worker.rest("PUT", "/connectors/cameras/config", Some(&connector));
        (code, answer["message"].as_str().unwrap_or_default().to_owned())
    };
    let (code, message) = put(&worker);
    assert!(code == 500 && message.contains(&format!("on transactional id {group}-{configs}-0")), "{code}: {message}");
    secure.allow(&[
        "--operation",
        "Write",
        "--operation",
        "Describe",
        "--transactional-id",
        &group,
        "--resource-pattern-type",
        "prefixed",
    ]);
    let (code, message) = put(&worker);
    assert!(code == 500 && message.contains(&format!("Write on topic {configs}")), "{code}: {message}");
    secure.allow(&["--operation", "Write", "--topic", &configs]);
    let (code, message) = put(&worker);
    assert_eq!(code, 201, "{message}");
    let trace = |expected: &str| {
        wait_for(expected, || worker.rest("GET", "/connectors/cameras/status", None).1.to_string().contains(expected));
    };
    // Fragments do not wait for notifications.
    let unusable = format!("{notifications}: not authorized");
    wait_for("the log to name what notifications need", || worker.log().contains(&unusable));
    trace(&format!("topic {}", stage.topic()));
    for name in [&notifications, &stage.topic()] {
        secure.allow(&[
            "--operation",
            "Describe",
            "--operation",
            "Create",
            "--operation",
            "DescribeConfigs",
            "--topic",
            name,
        ]);
    }
    trace(&format!("grant Write on topic {}", stage.topic()));
    secure.allow(&["--operation", "Write", "--topic", &stage.topic()]);
    trace(&format!("grant Write on topic {} and {offsets}", stage.topic()));
    secure.allow(&["--operation", "Write", "--topic", &offsets, "--topic", &notifications]);
    wait_for("the stream to run", || task_states(&worker, "cameras") == ["RUNNING"]);
    stage.expect_all(&secure.kafka, &["a"]);
    assert_eq!(worker.terminate().0, 0);
}
