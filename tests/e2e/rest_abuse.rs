//! Abuse of the REST API: pages of other sites, clients that read nothing, and clients that do not wait for their
//! changes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use kvs_harness::connector::http_call;
use kvs_harness::{Connector, Kafka, wait_for};
use serde_json::{Value, json};

use crate::rest::{bare, config};
use crate::stage::{Stage, program};

/// Returns the status and body of a request with these headers only.
fn ask(worker: &Connector, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(worker.address()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(90))).unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let size = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(!head.to_ascii_lowercase().contains("access-control"), "{head}");
    (head.split_whitespace().nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// A worker without connectors and without users, which accepts `connect.example` and a user interface.
fn open_worker(stage: &Stage, kafka: &Kafka) -> Connector {
    let worker = stage
        .worker(kafka)
        .set("rest.allowed.hosts", "\"connect.example\"")
        .set("rest.allowed.origins", "\"https://ui.example\"");
    let mut worker = Connector::start(program(), &worker, &[]);
    worker.wait_healthy();
    worker
}

/// DNS rebinding: the page's own name resolves to this machine, so its browser sees no other origin.
#[test]
fn a_page_with_a_rebound_name_neither_reads_nor_changes_anything() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("rebinding", 2));
    let worker = open_worker(&stage, kafka);
    let settings = config(&stage, &["a"]).to_string();
    assert_eq!(worker.rest("PUT", "/connectors/kept/config", Some(&config(&stage, &["a"]))).0, 201);
    let port = worker.address().rsplit(':').next().unwrap().to_owned();
    let evil = format!("evil.example:{port}");
    let origin = format!("http://{evil}");
    let page = [("Host", evil.as_str()), ("Origin", origin.as_str()), ("Sec-Fetch-Site", "same-origin")];
    for (method, path, body) in [
        ("GET", "/connectors", ""),
        ("GET", "/connectors/kept/config", ""),
        ("GET", "/metrics", ""),
        ("GET", "/openapi.json", ""),
        ("PUT", "/connectors/made/config", settings.as_str()),
        ("PUT", "/connector-plugins/KinesisVideoSource/config/validate", settings.as_str()),
        ("DELETE", "/connectors/kept", ""),
    ] {
        let (code, said) = ask(&worker, method, path, &page, body);
        assert_eq!(code, 403, "{method} {path}: {said}");
        assert!(said.contains("rest.allowed.hosts") && said.contains("evil.example"), "{said}");
    }
    assert_eq!(worker.rest("GET", "/connectors", None), (200, json!(["kept"])));
    // A load balancer may ask for the health by any name, and learns nothing else.
    let (code, said) = ask(&worker, "GET", "/health", &[("Host", "any.example")], "");
    assert!(code == 200 && !said.contains("failed_"), "{said}");
    for host in ["localhost", "connect.example", "connect.example:80", "[::1]:8083", "192.0.2.7:1"] {
        let (code, said) = ask(&worker, "GET", "/health", &[("Host", host)], "");
        assert!(code == 200 && said.contains("failed_streams"), "{host}: {said}");
        assert_eq!(ask(&worker, "GET", "/connectors", &[("Host", host)], "").0, 200, "{host}");
    }
    assert_eq!(ask(&worker, "GET", "/connectors", &[], "").0, 400);
    assert_eq!(ask(&worker, "GET", "/connectors", &[("Host", "localhost"), ("Host", &evil)], "").0, 400);
    assert_eq!(ask(&worker, "GET", "http://evil.example/connectors", &[("Host", "localhost")], "").0, 403);
}

/// nginx replaces the Host by the worker's, unless it is configured otherwise.
#[test]
fn a_user_interface_behind_a_proxy_is_distinguished_from_a_page_of_another_site() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("proxied", 2));
    let worker = open_worker(&stage, kafka);
    let address = worker.address();
    let settings = config(&stage, &["a"]).to_string();
    let put = |name: &str, headers: &[(&str, &str)]| {
        let headers = [&[("Host", address.as_str())], headers].concat();
        ask(&worker, "PUT", &format!("/connectors/{name}/config"), &headers, &settings)
    };
    let proxied = ("Origin", "https://kafka-ui.example");
    assert_eq!(put("by-browser", &[proxied, ("Sec-Fetch-Site", "same-origin")]).0, 201);
    // A browser that sends no Sec-Fetch-Site, and one that sends another value.
    let (code, said) = put("foreign", &[proxied]);
    assert!(code == 403 && said.contains("rest.allowed.origins") && said.contains("kafka-ui.example"), "{said}");
    assert_eq!(put("foreign", &[proxied, ("Sec-Fetch-Site", "cross-site")]).0, 403);
    assert_eq!(put("foreign", &[proxied, ("Sec-Fetch-Site", "same-site")]).0, 403);
    assert_eq!(put("foreign", &[("Origin", "null")]).0, 403);
    assert_eq!(put("by-origin", &[("Origin", "https://ui.example")]).0, 201);
    assert_eq!(put("by-host", &[("Origin", &format!("http://{address}"))]).0, 201);
    assert_eq!(put("by-program", &[]).0, 201);
    let names = json!(["by-browser", "by-host", "by-origin", "by-program"]);
    assert_eq!(worker.rest("GET", "/connectors", None), (200, names));
    // Validating settings changes nothing, but making the worker call others with its credentials is more than reading.
    let validate = "/connector-plugins/KinesisVideoSource/config/validate";
    let foreign = [("Host", address.as_str()), ("Origin", "http://evil.example")];
    let (code, said) = ask(&worker, "PUT", validate, &foreign, &settings);
    assert!(code == 200 && said.contains("error_count"), "{said}");
    assert_eq!(ask(&worker, "PUT", &format!("{validate}?connect=true"), &foreign, &settings).0, 403);
}

/// Returns the number of connections that a worker holds open on its listener.
fn connections(worker: &Connector) -> usize {
    const ESTABLISHED: &str = "01";
    const CLOSE_WAIT: &str = "08";
    let port: u16 = worker.address().rsplit(':').next().unwrap().parse().unwrap();
    let local = format!("0100007F:{port:04X}");
    let table = std::fs::read_to_string(format!("/proc/{}/net/tcp", worker.pid())).unwrap();
    let rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row[1] == local && [ESTABLISHED, CLOSE_WAIT].contains(&row[3])).count()
}

/// A client that requests more than any buffer holds, and reads nothing of it.
fn reads_nothing(worker: &Connector) -> TcpStream {
    let mut socket = TcpStream::connect(worker.address()).unwrap();
    socket.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    let one = format!(
        "GET /openapi.json HTTP/1.1\r\nHost: {0}\r\n\r\nGET /health HTTP/1.1\r\nHost: {0}\r\n\r\n",
        worker.address()
    );
    // The connection may be closed, which is what the test is about.
    let _ = socket.write_all(one.repeat(100).as_bytes());
    socket
}

#[test]
fn connections_that_pipeline_and_read_nothing_block_nobody_and_are_closed() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("slow-readers", 2));
    let worker = bare(&stage, kafka);
    let held: Vec<TcpStream> = (0..256).map(|_| reads_nothing(&worker)).collect();
    for round in 0..50 {
        // None of them is closed by the test; other clients still get responses at once.
        let answer = http_call(&worker.address(), "GET", "/health", None);
        assert_eq!(answer.map(|(code, _)| code), Some(200), "round {round}");
    }
    assert!(worker.metric("kvs_connect_rest_connections_closed_total") >= 128.0);
    // One peer gets no more than its share, and finally nothing.
    assert!(connections(&worker) <= 128 + 2, "{} connections", connections(&worker));
    wait_for("those that read nothing to be closed", || connections(&worker) == 0);
    // So are those that stay within their share, although nobody needs their connections.
    drop(held);
    let held: Vec<TcpStream> = (0..20).map(|_| reads_nothing(&worker)).collect();
    let silent: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(worker.address()).unwrap()).collect();
    wait_for("the others to be closed", || connections(&worker) == 0);
    assert_eq!(worker.rest("GET", "/connectors", None), (200, json!([])));
    drop((held, silent));
}

/// Requests whose bodies do not arrive hold no connection that somebody needs, even with valid heads.
#[test]
fn bodies_that_do_not_arrive_block_nobody() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("no-bodies", 2));
    let worker = bare(&stage, kafka);
    let head = format!(
        "PUT /connectors/x/config HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{",
        worker.address()
    );
    let mut held = Vec::new();
    for _ in 0..300 {
        let mut socket = TcpStream::connect(worker.address()).unwrap();
        let _ = socket.write_all(head.as_bytes());
        held.push(socket);
    }
    let answer = http_call(&worker.address(), "GET", "/health", None);
    assert_eq!(answer.map(|(code, _)| code), Some(200));
    assert_eq!(worker.rest("GET", "/connectors", None), (200, json!([])));
}

/// While Kafka is unavailable a change takes its time; a change whose client has gone is not made.
#[test]
fn changes_whose_clients_have_gone_are_not_made_and_too_many_are_refused() {
    const GONE: usize = 40;
    let mut kafka = Kafka::start();
    let stage = Stage::with_shards("gone", 2);
    let mut worker = bare(&stage, &kafka);
    let settings = config(&stage, &["a"]);
    // Threads of Kafka's client come and go with its brokers; each waiting change would take one of the runtime's.
    let runtimes = |worker: &Connector| worker.threads().iter().filter(|name| name.starts_with("tokio")).count();
    let threads_before = runtimes(&worker);
    kafka.down();
    let put = |name: &str| {
        let mut socket = TcpStream::connect(worker.address()).unwrap();
        let body = settings.to_string();
        let head = format!(
            "PUT /connectors/{name}/config HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            worker.address(),
            body.len()
        );
        socket.write_all((head + &body).as_bytes()).unwrap();
        socket
    };
    let first = put("first");
    let gone: Vec<TcpStream> = (0..GONE).map(|index| put(&format!("gone-{index}"))).collect();
    // More requests are sent until no more may wait.
    let mut more = Vec::new();
    wait_for("one to be refused", || {
        let mut socket = put(&format!("more-{}", more.len()));
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut start = [0; 1000];
        let read = socket.read(&mut start).unwrap_or_default();
        let said = String::from_utf8_lossy(&start[..read]).into_owned();
        more.push(socket);
        said.starts_with("HTTP/1.1 503") && said.contains("are waiting on this worker")
    });
    let threads = runtimes(&worker);
    assert!(threads < threads_before + GONE / 2, "{threads} threads, {threads_before} before");
    drop((gone, more));
    wait_for("the worker to notice that they are gone", || connections(&worker) <= 1);
    kafka.up();
    worker.wait_healthy();
    wait_for("a change whose client waits to be made", || {
        matches!(worker.rest("PUT", "/connectors/after/config", Some(&settings)).0, 200 | 201)
    });
    // All earlier requests have had their turn. One of those whose client has gone may have begun before that.
    let (_, names) = worker.rest("GET", "/connectors", None);
    let names: Vec<&str> = names.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let unwanted = names.iter().filter(|name| !["first", "after"].contains(name)).count();
    assert!(unwanted <= 1, "{names:?}");
    drop(first);
}

/// In a connector's name, settings and the members around them, no key is duplicated and no character misleads.
#[test]
fn misleading_names_and_duplicate_keys_are_refused_and_versions_reported() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("misleading", 2));
    let worker = bare(&stage, kafka);
    let settings = config(&stage, &["a"]);
    for name in ["..", ".", "a\u{202e}b", "a\u{2066}b", "a\u{7}b", "a\u{9b}b"] {
        let body = json!({ "name": name, "config": settings });
        let (code, said) = worker.rest("POST", "/connectors", Some(&body));
        assert_eq!(code, 400, "{name:?}: {said}");
        let path: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        assert_eq!(worker.rest("PUT", &format!("/connectors/{path}/config"), Some(&settings)).0, 400, "{name:?}");
    }
    let twice = settings.to_string().replacen('{', "{\"topic\":\"another\",", 1);
    for (method, path, body) in [
        ("PUT", "/connectors/c/config", twice.clone()),
        ("PATCH", "/connectors/c/config", r#"{"topic":"a","topic":"b"}"#.to_owned()),
        ("POST", "/connectors", format!(r#"{{"name":"c","config":{twice}}}"#)),
        ("POST", "/connectors", format!(r#"{{"name":"c","name":"c","config":{settings}}}"#)),
        ("PUT", "/connector-plugins/KinesisVideoSource/config/validate", twice),
        ("PATCH", "/connectors/c/offsets", r#"{"offsets":[],"offsets":[]}"#.to_owned()),
        ("PUT", "/admin/loggers/root", r#"{"level":"INFO","level":"INFO"}"#.to_owned()),
    ] {
        let (code, said) = http_call(&worker.address(), method, path, Some(&body)).unwrap();
        assert!(code == 400 && said.contains("occurs twice"), "{method} {path}: {code} {said}");
    }
    assert_eq!(worker.rest("GET", "/connectors", None), (200, json!([])));
    // Versions that kcctl and other clients rely on.
    let (_, root) = worker.rest("GET", "/", None);
    assert_eq!(
        (root["version"].as_str(), root["kvs_connect_version"].as_str()),
        (Some("4.1.0"), Some(env!("CARGO_PKG_VERSION")))
    );
}
