//! Servers that do not respond: the error names the server and what to check.
#![cfg_attr(not(all(feature = "archive", feature = "rustls")), allow(unused_imports))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::{client_config, client_of, simulator, with};
use kvs_simulator::{Simulator, SimulatorConfig, Tls};

/// Returns the error of a call to `endpoint`.
async fn said(simulator: &Simulator, endpoint: &str) -> String {
    let mut config = client_config(simulator, "test");
    config.endpoint = Some(endpoint.to_owned());
    config.retry = with(config.retry, |it| it.attempts_max = 1);
    let error = client_of(config).await.describe_stream(&"front-door".parse().unwrap()).await.unwrap_err();
    let said = error.to_string();
    assert!(!said.contains("request id") && !said.contains("describeStream"), "{said}");
    said
}

#[cfg(feature = "rustls")]
#[tokio::test]
async fn an_error_without_a_response_names_the_server_and_what_to_check() {
    let plain = simulator(Vec::new()).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = said(&plain, &format!("http://{free}")).await;
    assert!(text.starts_with(&format!("DescribeStream of stream front-door: {free} cannot be reached: ")), "{text}");
    assert!(
        text.contains("Connection refused (os error 111); nothing is listening there: check the endpoint"),
        "{text}"
    );
    assert!(text.contains("the region"), "{text}");

    let text = said(&plain, "https://kinesisvideo.no-such-host.invalid").await;
    assert!(text.contains("front-door: kinesisvideo.no-such-host.invalid:443 cannot be reached: "), "{text}");
    assert!(text.contains("check the spelling of the endpoint or the region, and the machine's DNS"), "{text}");

    let text = said(&plain, &plain.url().replace("http://", "https://")).await;
    assert!(
        text.contains("does not use TLS: check the endpoint, its port, and whether it should be http://"),
        "{text}"
    );

    let tls = Some(Tls::Generated { names: Vec::new(), certificate_file: None });
    let tls = Simulator::start(SimulatorConfig { tls, ..SimulatorConfig::default() }).await.unwrap();
    let text = said(&tls, tls.url()).await;
    assert!(text.contains("that its authority is among the trusted certificates"), "{text}");
    let text = said(&tls, &tls.url().replace("https://", "http://")).await;
    assert!(text.contains("check the endpoint, its port, and whether it should be https://"), "{text}");
}

#[cfg(not(feature = "rustls"))]
#[tokio::test]
async fn https_without_tls_says_which_feature_is_missing() {
    let plain = simulator(Vec::new()).await;
    let text = said(&plain, &plain.url().replace("http://", "https://")).await;
    assert!(text.contains("this build has no TLS: see the feature `rustls` of kvs-client"), "{text}");
}

#[tokio::test]
async fn a_session_without_a_response_names_the_data_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let file = common::recording(folder.path(), 3);
    let simulator = simulator(vec![common::source("s", &file)]).await;
    let kind = kvs_simulator::FaultKind::Delay { duration_ms: 60_000 };
    simulator.add_fault(kvs_simulator::Fault::new(kind).api("GetMedia").times(1));
    let mut config = client_config(&simulator, "test");
    config.http.inactivity_timeout = Duration::from_millis(300);
    let retry = with(config.retry, |it| it.attempts_max = 1);
    let client = client_of(config).await;
    let mut puller =
        common::puller(&client, "s", None, with(kvs_client::PullerConfig::default(), |it| it.retry = retry));
    let text = loop {
        match puller.next().await {
            Ok(kvs_client::Pulled::Retrying { error, .. }) => break error.to_string(),
            Ok(_) => {}
            Err(error) => break error.to_string(),
        }
    };
    let server = simulator.url().trim_start_matches("http://");
    assert!(text.contains(&format!("no response from {server} within 0.3 s")), "{text}");
}
