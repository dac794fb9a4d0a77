//! Authentication and authorization of the REST API: passwords, tokens, certificates, admins; by the command line's
//! client.

use std::path::Path;
use std::process::Command;

use kvs_harness::{Connector, Kafka, WorkerFile, wait_for};
use sha2::{Digest, Sha256};

use crate::certificates::write_certificates;
use crate::stage::{Stage, program};

/// Returns the exit code and the output.
fn run(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(program()).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap_or(-1), said)
}

fn quoted(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}

fn start(worker: &WorkerFile) -> Connector {
    let worker = Connector::start(program(), worker, &[]);
    wait_for("the worker to have started", || worker.log().contains("\"assigned\""));
    worker
}

#[test]
fn users_read_and_admins_change_by_password_or_token() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("users", 2));
    let folder = stage.folder.path();
    let hash = |password: &str| bcrypt::hash(password, 4).unwrap();
    std::fs::write(
        folder.join("users"),
        format!("anna:{}\nvera:{}\n", hash("admin-password"), hash("viewer-password")),
    )
    .unwrap();
    let digest: String = Sha256::digest("robot-token").iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(folder.join("tokens"), format!("robot:{digest}\n")).unwrap();
    let worker = stage
        .worker(kafka)
        .set("rest.auth.htpasswd.file", &quoted(&folder.join("users")))
        .set("rest.auth.tokens.file", &quoted(&folder.join("tokens")))
        .set("rest.auth.admins", "\"anna, robot\"");
    let worker = start(&worker);
    // `/health` needs no authentication, and then reveals nothing else.
    wait_for("the worker to be healthy", || worker.get("/health").is_some_and(|(code, _)| code == 200));
    assert!(!worker.get("/health").unwrap().1.contains("failed_"));
    for path in ["/", "/connectors", "/metrics", "/streams", "/openapi.json", "/nowhere"] {
        assert_eq!(worker.get(path).unwrap().0, 401, "{path}");
    }
    let url = format!("http://{}", worker.address());
    let file = folder.join("c.json");
    std::fs::write(&file, stage.connector(&["a"]).text()).unwrap();
    let file = file.display().to_string();
    let (code, said) = run(&["connector", "list", "--url", &url]);
    assert!(code == 77 && said.contains("--user or --token"), "{code}: {said}");
    assert_eq!(run(&["connector", "list", "--url", &url, "--user", "vera:wrong"]).0, 77);
    assert_eq!(run(&["connector", "list", "--url", &url, "--token", "wrong"]).0, 77);
    let viewer = ["--url", &url, "--user", "vera:viewer-password"];
    assert_eq!(run(&[&["connector", "list"], &viewer[..]].concat()).0, 0);
    let (code, said) = run(&[&["connector", "create", &file], &viewer[..]].concat());
    assert!(code == 77 && said.contains("rest.auth.admins"), "{code}: {said}");
    let (code, said) = run(&["connector", "create", &file, "--url", &url, "--user", "anna:admin-password"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(run(&["connector", "pause", "cameras", "--wait", "--url", &url, "--token", "robot-token"]).0, 0);
    let log = worker.log();
    for secret in ["admin-password", "viewer-password", "robot-token", "$2b$"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn clients_authenticate_by_certificate() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("mtls", 2));
    let folder = stage.folder.path();
    write_certificates(folder, &["worker", "pipeline", "viewer"]);
    let worker = stage
        .worker(kafka)
        .set("listeners", "\"https://127.0.0.1:PORT\"")
        .set("rest.tls.certificate.file", &quoted(&folder.join("worker.pem")))
        .set("rest.tls.key.file", &quoted(&folder.join("worker.key")))
        .set("rest.tls.client.ca.file", &quoted(&folder.join("ca.pem")))
        .set("rest.auth.admins", "\"pipeline\"");
    let worker = start(&worker);
    let url = format!("https://{}", worker.address());
    let file = |name: &str| folder.join(name).display().to_string();
    let (ca, pipeline, viewer) = (file("ca.pem"), file("pipeline-both.pem"), file("viewer-both.pem"));
    // A client that does not trust the worker, or that the worker does not know, is not served.
    let (code, said) = run(&["connector", "list", "--url", &url]);
    assert!(code == 69 && said.contains("ertificate"), "{code}: {said}");
    assert_eq!(run(&["connector", "list", "--url", &url, "--ca-file", &ca]).0, 69);
    std::fs::write(folder.join("c.json"), stage.connector(&["a"]).text()).unwrap();
    let connector = file("c.json");
    let as_viewer = ["--url", &url, "--ca-file", &ca, "--certificate-file", &viewer];
    assert_eq!(run(&[&["connector", "list"], &as_viewer[..]].concat()).0, 0);
    assert_eq!(run(&[&["connector", "create", &connector], &as_viewer[..]].concat()).0, 77);
    let as_pipeline = ["--url", &url, "--ca-file", &ca, "--certificate-file", &pipeline];
    let (code, said) = run(&[&["connector", "create", &connector], &as_pipeline[..]].concat());
    assert_eq!(code, 0, "{said}");
}

#[test]
fn a_listener_that_others_can_reach_needs_authentication_or_consent() {
    let stage = Stage::with_shards("reach", 2);
    let kafka = Kafka::shared();
    let open = stage.worker(kafka).set("listeners", "\"http://0.0.0.0:PORT\"");
    let mut worker = Connector::start(program(), &open, &[]);
    assert_eq!(worker.wait_exit(), 78);
    assert!(worker.log().contains("rest.insecure=true"), "{}", worker.log());
    let mut worker = Connector::start(program(), &open.set("rest.insecure", "true"), &[]);
    worker.wait_healthy();
    // A page of another origin changes nothing, even without authentication, and gets no CORS headers.
    let request = format!(
        "POST /connectors/x/restart HTTP/1.0\r\nHost: {0}\r\nOrigin: http://evil.example\r\n\r\n",
        worker.address()
    );
    let answer = raw(&worker.address(), &request);
    assert!(answer.starts_with("HTTP/1.0 403") || answer.starts_with("HTTP/1.1 403"), "{answer}");
    let answer = raw(&worker.address(), "GET /connectors HTTP/1.0\r\nHost: x\r\nOrigin: http://evil.example\r\n\r\n");
    assert!(!answer.to_ascii_lowercase().contains("access-control"), "{answer}");
}

fn raw(address: &str, request: &str) -> String {
    use std::io::{Read, Write};
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

/// Otherwise a user would be told that the right password is wrong.
#[test]
fn a_check_of_a_password_that_panics_is_answered_with_500_and_the_next_one_is_right() {
    let stage = Stage::new("password-panics");
    let users = stage.folder.path().join("users");
    std::fs::write(&users, format!("anna:{}\n", bcrypt::hash("right", 4).unwrap())).unwrap();
    // Authentication happens first, even without Kafka.
    let worker = WorkerFile::new("127.0.0.1:1", &stage.group())
        .set("rest.auth.htpasswd.file", &quoted(&users))
        .set("rest.auth.admins", "\"*\"");
    let mut worker = Connector::start_with(program(), &worker, &[], &[("KVS_CONNECT_PANIC", "password@1")]);
    wait_for("the worker to listen", || worker.get("/health").is_some());
    let url = format!("http://{}", worker.address());
    let list = || run(&["connector", "list", "--url", &url, "--user", "anna:right"]);
    let (_, said) = list();
    assert!(said.contains("because of a defect in this program"), "{said}");
    let (_, said) = list();
    assert!(said.contains("still starting up"), "{said}");
    // Not only that, but what it waits for.
    wait_for("the reason", || list().1.contains("Kafka at 127.0.0.1:1 cannot be reached"));
    let ((_, said), (code, health)) = (list(), worker.get("/health").unwrap());
    assert!(said.contains("Connection refused"), "{said}");
    assert!(code == 503 && health.contains("Connection refused"), "{health}");
    worker.wait_logged("request panicked at src/supervision/fault.rs:");
    assert_eq!(worker.terminate().0, 0);
}
