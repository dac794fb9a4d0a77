#![allow(clippy::unwrap_used)]

use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(60);

async fn request(address: SocketAddr, path: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut response = String::new();
    tokio::time::timeout(LONG, socket.read_to_string(&mut response)).await.unwrap().unwrap();
    response
}

#[tokio::test]
async fn a_request_that_panics_is_answered_with_500() {
    async fn panicking() -> &'static str {
        panic!("on purpose")
    }
    let router = Router::new().route("/panics", get(panicking)).route("/well", get(async || "well"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
    let accepting = accept(listener, None, with_panics_caught(router), cancel.clone(), tasks.clone());
    tasks.spawn(accepting);
    let response = request(address, "/panics").await;
    assert!(response.starts_with("HTTP/1.1 500 "), "{response}");
    assert!(request(address, "/well").await.ends_with("well"));
    cancel.cancel();
    tasks.close();
    tasks.wait().await;
}

#[tokio::test]
async fn the_end_of_a_task_that_panics_is_noticed() {
    let ended = CancellationToken::new();
    let panicking = async {
        tokio::task::yield_now().await;
        panic!("on purpose")
    };
    let task: tokio::task::JoinHandle<()> = tokio::spawn(noticed(panicking, ended.clone().drop_guard()));
    tokio::time::timeout(LONG, ended.cancelled()).await.unwrap();
    assert!(task.await.unwrap_err().is_panic());
}

#[tokio::test]
async fn a_simulator_has_not_ended_before_it_is_stopped() {
    let simulator = Simulator::start(SimulatorConfig::default()).await.unwrap();
    assert!(request(simulator.address(), "/").await.starts_with("HTTP/1.1 "));
    assert!(simulator.ended().now_or_never().is_none());
    let ended = simulator.ended.clone();
    simulator.stop().await;
    assert!(ended.is_cancelled());
}

/// The client of the handshake sends nothing.
#[tokio::test]
async fn a_handshake_does_not_delay_the_stop() {
    let config = SimulatorConfig {
        tls: Some(Tls::Generated { names: Vec::new(), certificate_file: None }),
        ..SimulatorConfig::default()
    };
    let simulator = Simulator::start(config).await.unwrap();
    let mut socket = TcpStream::connect(simulator.address()).await.unwrap();
    // A later connection has been served, so this one has been accepted.
    let mut other = TcpStream::connect(simulator.address()).await.unwrap();
    other.write_all(b"no handshake").await.unwrap();
    let mut alert = Vec::new();
    let _ = tokio::time::timeout(LONG, other.read_to_end(&mut alert)).await.unwrap();
    tokio::time::timeout(HANDSHAKE_TIMEOUT / 2, simulator.stop()).await.unwrap();
    assert_eq!(socket.read(&mut [0; 1]).await.unwrap_or_default(), 0);
}
