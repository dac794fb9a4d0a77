//! Calls: where they go, and how they are signed, checked, limited, retried and reported.
#![cfg_attr(not(all(feature = "archive", feature = "rustls")), allow(unused_imports))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::*;
use kvs_client::{CallLimits, CallObserver, CallReport, Client, ClientConfig, Error, ErrorClass, StreamRef, Timestamp};
use kvs_simulator::{AccessKey, Fault, FaultKind, Pace, Repeat, Simulator, SimulatorConfig, StreamSource, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn refuse(status: u16, error_type: &str) -> FaultKind {
    FaultKind::Refuse { status, error_type: error_type.to_owned(), message: "on purpose".to_owned() }
}

fn stream(text: &str) -> StreamRef {
    text.parse().unwrap()
}

/// One line per call: operation, attempts, outcome.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl CallObserver for Heard {
    fn called(&self, report: &CallReport<'_>) {
        assert!(report.duration < Duration::from_secs(60));
        assert!(report.outcome != "ok" || report.request_id.is_some());
        let line = format!("{} {} {}", report.operation.name(), report.attempts, report.outcome);
        self.0.lock().unwrap().push(line);
    }
}

impl Heard {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

async fn heard(simulator: &Simulator) -> (Arc<Client>, Heard) {
    let heard = Heard::default();
    let client = Client::new(client_config(simulator, "test"), Arc::new(CallLimits::default())).await.unwrap();
    (Arc::new(client.with_observer(Box::new(heard.clone()))), heard)
}

#[tokio::test]
async fn refused_calls_are_retried_by_class_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(vec![source("s", &recording(folder.path(), 1))]).await;
    let (client, heard) = heard(&simulator).await;
    let fault = |kind, count| simulator.add_fault(Fault::new(kind).api("DescribeStream").times(count));
    fault(refuse(500, "InternalFailure"), 2);
    assert_eq!(client.describe_stream(&stream("s")).await.unwrap().name, "s");
    assert_eq!(heard.take(), ["DescribeStream 3 ok"]);
    fault(refuse(400, "ClientLimitExceededException"), 5);
    let error = client.describe_stream(&stream("s")).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Retry);
    assert_eq!(heard.take(), ["DescribeStream 5 ClientLimitExceededException"]);
    let error = client.describe_stream(&stream("nobody")).await.unwrap_err();
    assert!(error.is_not_found() && error.class() == ErrorClass::Fatal);
    assert_eq!(heard.take(), ["DescribeStream 1 ResourceNotFoundException"]);
    let mut puller = puller(&client, "s", None, config());
    pull(&mut puller, 1).await;
    assert_eq!(heard.take(), ["GetDataEndpoint 1 ok", "GetMedia 1 ok"]);
}

#[cfg(feature = "archive")]
#[tokio::test]
async fn all_pages_of_streams_tags_and_fragments() {
    let folder = tempfile::tempdir().unwrap();
    let file = recording(folder.path(), 3);
    let streams = (0..30).map(|index| source(&format!("{}-{index:02}", if index < 20 { "a" } else { "b" }), &file));
    let simulator = simulator(streams.collect()).await;
    let client = client(&simulator).await;
    assert_eq!(client.list_streams(None).await.unwrap().len(), 30);
    let named = client.list_streams(Some("b-")).await.unwrap();
    assert_eq!(named.len(), 10);
    assert!(named.iter().all(|info| info.name.starts_with("b-") && info.status == "ACTIVE"));
    assert_eq!(client.list_tags(&stream("a-00")).await.unwrap(), []);
    let at = |millis: i64| Timestamp::from_millis(1_511_852_109_000 + millis);
    let all = client.list_fragments(&stream("a-00"), at(0), at(60_000)).await.unwrap();
    assert_eq!(
        all.iter().map(|info| info.number.as_str().to_owned()).collect::<Vec<_>>(),
        [number(0), number(1), number(2)]
    );
    assert_eq!(client.list_fragments(&stream("a-00"), at(1), at(2_000)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn requests_that_the_service_would_refuse_are_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(vec![source("s", &recording(folder.path(), 1))]).await;
    let (checked, heard) = heard(&simulator).await;
    let error = checked.list_streams(Some("no space, and ü")).await.unwrap_err();
    assert!(matches!(&error, Error::Parameters { violations, .. } if violations.len() == 1), "{error}");
    assert!(error.to_string().contains("StreamNameCondition.ComparisonValue"), "{error}");
    assert_eq!(heard.take(), [""; 0]);
    // If the checks are off, the service refuses.
    let unchecked = client_of(with(client_config(&simulator, "test"), |it| it.parameter_checks = false)).await;
    let error = unchecked.list_streams(Some("no space, and ü")).await.unwrap_err();
    assert!(matches!(&error, Error::Service(refusal) if refusal.error_type == "InvalidArgumentException"), "{error}");
}

#[tokio::test]
async fn region_and_partition_of_an_arn_are_honoured() {
    let config = SimulatorConfig { region: "cn-north-1".to_owned(), ..SimulatorConfig::default() };
    let folder = tempfile::tempdir().unwrap();
    let simulator =
        Simulator::start(SimulatorConfig { streams: vec![source("s", &recording(folder.path(), 1))], ..config });
    let simulator = simulator.await.unwrap();
    let own = with(client_config(&simulator, "test"), |it| it.region = Some("cn-north-1".to_owned()));
    let arn = client_of(own).await.describe_stream(&stream("s")).await.unwrap().arn;
    assert!(arn.starts_with("arn:aws-cn:kinesisvideo:cn-north-1:"), "{arn}");
    // The service refuses a client of another region, except for a stream whose ARN names its region.
    let client = client(&simulator).await;
    let error = client.describe_stream(&stream("s")).await.unwrap_err();
    assert!(error.to_string().contains("valid region: 'cn-north-1'"), "{error}");
    assert_eq!(client.describe_stream(&stream(&arn)).await.unwrap().name, "s");
    // GetMedia's model only accepts ARNs of the partition aws: the stream is identified by name there.
    let (fragments, _) = pull(&mut puller(&client, &arn, None, config_()), 1).await;
    assert_eq!(indexes(&fragments), [0]);
    let wrong = arn.replace("arn:aws-cn:", "arn:aws:");
    let error = client.describe_stream(&stream(&wrong)).await.unwrap_err();
    assert!(error.to_string().contains("region cn-north-1 is in the partition aws-cn, not in aws"), "{error}");
}

fn config_() -> kvs_client::PullerConfig {
    config()
}

#[tokio::test]
async fn fips_or_dual_stack_cannot_be_combined_with_an_endpoint() {
    for (fips, dual_stack) in [(Some(true), None), (None, Some(true))] {
        let config = with(ClientConfig::new("us-east-1"), |it| {
            it.endpoint = Some("http://127.0.0.1:9".to_owned());
            it.fips = fips;
            it.dual_stack = dual_stack;
        });
        let error = Client::new(config, Arc::default()).await.unwrap_err();
        assert!(error.to_string().contains("cannot be combined"), "{error}");
    }
    let plain = with(ClientConfig::new("us-east-1"), |it| it.endpoint = Some("http://kvs.example".to_owned()));
    let error = Client::new(plain, Arc::default()).await.unwrap_err();
    assert!(error.to_string().contains("plain http"), "{error}");
}

#[tokio::test]
async fn a_wrong_clock_is_measured_or_set() {
    let folder = tempfile::tempdir().unwrap();
    for hours in [-3, 2] {
        let clock_offset_ms = hours * 3_600_000;
        let streams = vec![source("s", &recording(folder.path(), 1))];
        let config = SimulatorConfig { clock_offset_ms, streams, ..SimulatorConfig::default() };
        let simulator = Simulator::start(config).await.unwrap();
        let (client, heard) = heard(&simulator).await;
        client.describe_stream(&stream("s")).await.unwrap();
        client.list_streams(None).await.unwrap();
        // Signed again immediately, which is no failure.
        assert_eq!(heard.take(), ["DescribeStream 1 ok", "ListStreams 1 ok"]);
        let fixed = with(client_config(&simulator, "test"), |it| it.clock_offset_ms = Some(clock_offset_ms));
        client_of(fixed).await.list_streams(None).await.unwrap();
        let wrong = with(client_config(&simulator, "test"), |it| it.clock_offset_ms = Some(0));
        let error = client_of(wrong).await.list_streams(None).await.unwrap_err();
        assert!(error.to_string().contains("InvalidSignatureException"), "{error}");
    }
}

#[cfg(feature = "rustls")]
#[tokio::test]
async fn tls_with_a_private_ca() {
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    let tls = Tls::Generated { names: Vec::new(), certificate_file: Some(ca_file.clone()) };
    let streams = vec![source("s", &recording(folder.path(), 3))];
    let simulator = Simulator::start(SimulatorConfig { tls: Some(tls), streams, ..SimulatorConfig::default() });
    let simulator = simulator.await.unwrap();
    assert!(simulator.url().starts_with("https://"));
    let mut config = client_config(&simulator, "test");
    config.http.ca_file = Some(ca_file);
    let client = client_of(config.clone()).await;
    let (fragments, _) = pull(&mut puller(&client, "s", None, common::config()), 3).await;
    assert_eq!(indexes(&fragments), [0, 1, 2]);
    config.http.ca_file = None;
    let error = client_of(config.clone()).await.describe_stream(&stream("s")).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    config.http.ca_file = Some(folder.path().join("none.pem"));
    let error = Client::new(config, Arc::default()).await.unwrap_err();
    assert!(error.to_string().contains("none.pem"), "{error}");
}

/// A proxy without tunnels: it forwards plain requests and records who asked.
async fn proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let noted = Arc::clone(&noted);
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut buffer = [0; 4096];
                while !request.windows(4).any(|four| four == b"\r\n\r\n") {
                    let count = socket.read(&mut buffer).await.unwrap();
                    request.extend_from_slice(&buffer[..count]);
                }
                let text = String::from_utf8_lossy(&request).into_owned();
                let target = text.split_whitespace().nth(1).unwrap().to_owned();
                let authority = target.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
                noted.lock().unwrap().push(text);
                let mut upstream = TcpStream::connect(authority).await.unwrap();
                upstream.write_all(&request).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut socket, &mut upstream).await;
            });
        }
    });
    (format!("http://user:p%40ss@{address}"), seen)
}

#[tokio::test]
async fn a_proxy_with_credentials_and_exceptions() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(vec![source("s", &recording(folder.path(), 1))]).await;
    let (url, seen) = proxy().await;
    let mut config = client_config(&simulator, "test");
    config.http.proxy = Some(url);
    // NO_PROXY in the environment must not influence this test.
    config.http.no_proxy = Some("nowhere.example".to_owned());
    client_of(config.clone()).await.describe_stream(&stream("s")).await.unwrap();
    let request = seen.lock().unwrap().pop().expect("the call went by the proxy");
    let lower = request.to_lowercase();
    assert!(lower.contains("proxy-authorization: basic dxnlcjpwqhnz"), "{request}");
    assert!(lower.contains(concat!("user-agent: kvs-connect/", env!("CARGO_PKG_VERSION"))), "{request}");
    config.http.no_proxy = Some("127.0.0.0/8".to_owned());
    client_of(config).await.describe_stream(&stream("s")).await.unwrap();
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_redirect_is_an_error_that_names_its_target() {
    let simulator = simulator(Vec::new()).await;
    // The simulator's faults have no Location; this listener has.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            let _ = socket.read(&mut buffer).await;
            let answer =
                "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://evil.example/steal\r\nContent-Length: 0\r\n\r\n";
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    let config = with(client_config(&simulator, "test"), |it| it.endpoint = Some(format!("http://{address}")));
    let error = client_of(config).await.describe_stream(&stream("s")).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Fatal);
    assert!(error.to_string().contains("http://evil.example/steal, which is not followed"), "{error}");
}

#[cfg(feature = "archive")]
#[tokio::test]
async fn a_stale_data_endpoint_is_requested_again() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(vec![source("s", &recording(folder.path(), 2))]).await;
    let (client, heard) = heard(&simulator).await;
    for error_type in ["InvalidEndpointException", "ResourceNotFoundException"] {
        pull(&mut puller(&client, "s", None, common::config()), 2).await;
        heard.take();
        simulator.add_fault(Fault::new(refuse(400, error_type)));
        pull(&mut puller(&client, "s", None, common::config()), 2).await;
        let expected =
            [format!("GetMedia 1 {error_type}"), "GetDataEndpoint 1 ok".to_owned(), "GetMedia 1 ok".to_owned()];
        assert_eq!(heard.take(), expected);
    }
    // Each operation has its own endpoint, which is kept.
    let at = Timestamp::from_millis;
    for _ in 0..2 {
        client.list_fragments(&stream("s"), at(0), at(1)).await.unwrap();
    }
    assert_eq!(heard.take(), ["GetDataEndpoint 1 ok", "ListFragments 1 ok", "ListFragments 1 ok"]);
    simulator.add_fault(Fault::new(refuse(400, "InvalidEndpointException")).api("ListFragments"));
    client.list_fragments(&stream("s"), at(0), at(1)).await.unwrap();
    let again = ["ListFragments 1 InvalidEndpointException", "GetDataEndpoint 1 ok", "ListFragments 1 ok"];
    assert_eq!(heard.take(), again);
}

/// GetDataEndpoint first returns a port where nothing is listening, then the simulator.
#[tokio::test]
async fn an_unreachable_data_endpoint_is_requested_again() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(vec![source("s", &recording(folder.path(), 2))]).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", front.local_addr().unwrap());
    let mut answers = vec![simulator.url().to_owned(), format!("http://{closed}")];
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = front.accept().await {
            let mut buffer = [0; 8192];
            let _ = socket.read(&mut buffer).await;
            let body = format!(r#"{{"DataEndpoint":"{}"}}"#, answers.pop().unwrap_or_default());
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = socket.write_all((head + &body).as_bytes()).await;
        }
    });
    let client = client_of(with(client_config(&simulator, "test"), |it| it.endpoint = Some(endpoint))).await;
    let (fragments, others) = pull(&mut puller(&client, "s", None, common::config()), 2).await;
    assert_eq!(indexes(&fragments), [0, 1]);
    assert!(
        matches!(&others[0], kvs_client::Pulled::Retrying { error, .. } if error.class() == ErrorClass::RefreshEndpoint),
        "{others:?}"
    );
}

/// The simulator counts like the service: a call above the limits would be refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_at_once_stay_within_the_limits() {
    let folder = tempfile::tempdir().unwrap();
    let file = recording(folder.path(), 1);
    let names: Vec<String> = (0..200).map(|index| format!("s{index}")).collect();
    let simulator = simulator(names.iter().map(|name| source(name, &file)).collect()).await;
    let (client, heard) = heard(&simulator).await;
    let began = Instant::now();
    let pulling = names.iter().map(|name| {
        let mut puller = puller(&client, name, None, common::config());
        async move { pull(&mut puller, 1).await }
    });
    futures::future::join_all(pulling).await;
    let refused: Vec<String> = heard.take().into_iter().filter(|line| !line.ends_with(" ok")).collect();
    assert_eq!(refused, [""; 0], "after {:?}", began.elapsed());
    // More calls than an account may make per second: each is accepted the first time.
    let names: Vec<StreamRef> = (0..700).map(|index| stream(&format!("nobody-{index}"))).collect();
    futures::future::join_all(names.iter().map(|name| client.describe_stream(name))).await;
    let heard = heard.take();
    assert_eq!(heard.len(), 700);
    assert!(heard.iter().all(|line| line == "DescribeStream 1 ResourceNotFoundException"), "{heard:?}");
}

#[tokio::test]
async fn credentials_that_expire_during_a_call_are_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut key = AccessKey::new("temporary", "secret", kvs_simulator::DEFAULT_ACCOUNT);
    key.session_token = Some("token".to_owned());
    let mut live: StreamSource = source("s", &recording(folder.path(), 30));
    (live.repeat, live.pace) = (Repeat::Times(1), Pace::FragmentsPerSecond(20.0));
    let config = SimulatorConfig { keys: vec![key], streams: vec![live], ..SimulatorConfig::default() };
    let simulator = Simulator::start(config).await.unwrap();
    let mut config = client_config(&simulator, "secret");
    let of = |token: Option<&str>| kvs_client::CredentialsSource::Static {
        access_key_id: "temporary".to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: token.map(str::to_owned),
    };
    // Without its token, or with another one, the key is unknown.
    for token in [None, Some("other")] {
        config.credentials = of(token);
        let error = client_of(config.clone()).await.list_streams(None).await.unwrap_err();
        assert!(error.to_string().contains("UnrecognizedClientException"), "{error}");
    }
    config.credentials = of(Some("token"));
    let client = client_of(config).await;
    simulator.add_fault(Fault::new(FaultKind::EndSession { after_ms: 300 }).times(1));
    let mut puller = puller(&client, "s", None, common::config());
    pull(&mut puller, 2).await;
    simulator.add_fault(Fault::new(refuse(403, "ExpiredTokenException")).times(2));
    let (fragments, others) = pull(&mut puller, 28).await;
    assert_eq!(indexes(&fragments), (2..30).collect::<Vec<_>>());
    let retried = others.iter().filter(|other| matches!(other, kvs_client::Pulled::Retrying { .. })).count();
    assert_eq!(retried, 2, "{others:?}");
}
