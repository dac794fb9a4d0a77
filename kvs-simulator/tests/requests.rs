//! Ways to sign requests and to reach the listener.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/calls.rs"]
mod calls;
mod common;

use std::time::{Duration, SystemTime};

use calls::{call, call_chunked, call_presigned};
use common::{simulator_with, until};
use kvs_simulator::{AccessKey, DEFAULT_ACCOUNT, Limits, SimulatorConfig, Tls};
use serde_json::json;

#[tokio::test]
async fn every_form_of_signature_is_accepted_and_verified() {
    let simulator = simulator_with(SimulatorConfig::default()).await;
    let request = json!({ "MaxResults": 7 });
    let in_headers = call(&simulator, "/listStreams", &request).await;
    let in_query = call_presigned(&simulator, "/listStreams", &request).await;
    let chunked = call_chunked(&simulator, "/listStreams", &request).await;
    for response in [in_headers, in_query, chunked] {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-amzn-requestid"], response.headers()["x-amz-requestid"]);
    }
    // The content of the chunks is checked: this value is not a number.
    let wrong = call_chunked(&simulator, "/listStreams", &json!({ "MaxResults": "x" })).await;
    assert_eq!(
        (wrong.status().as_u16(), &wrong.headers()["x-amzn-errortype"]),
        (400, &"InvalidArgumentException".parse().unwrap())
    );
    // A request without a signature, or with one of another request, is refused.
    let plain = reqwest::Client::new();
    let url = format!("{}/listStreams", simulator.url());
    let unsigned = plain.post(&url).body("{}").send().await.unwrap();
    assert_eq!(unsigned.headers()["x-amzn-errortype"], "MissingAuthenticationTokenException");
    let other =
        plain.post(&url).header("authorization", "AWS4-HMAC-SHA256 Credential=a").body("{}").send().await.unwrap();
    assert_eq!(other.headers()["x-amzn-errortype"], "IncompleteSignatureException");
}

#[tokio::test]
async fn temporary_keys_expire() {
    let mut key = AccessKey::new("test", "test", DEFAULT_ACCOUNT);
    key.expires = Some(SystemTime::now() + Duration::from_secs(2));
    let simulator = simulator_with(SimulatorConfig { keys: vec![key], ..SimulatorConfig::default() }).await;
    assert_eq!(call(&simulator, "/listStreams", &json!({})).await.status(), 200);
    let is_expired = async || {
        let response = call(&simulator, "/listStreams", &json!({})).await;
        response.headers().get("x-amzn-errortype").is_some_and(|error_type| error_type == "ExpiredTokenException")
    };
    until("the key to expire", is_expired).await;
}

#[tokio::test]
async fn tls_with_an_existing_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = Some(Tls::Given { certificate, key });
    let simulator = simulator_with(SimulatorConfig { tls, ..SimulatorConfig::default() }).await;
    let trusted = reqwest::Certificate::from_pem(simulator.certificate_pem().unwrap().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([trusted]).no_proxy().build().unwrap();
    let url = format!("https://localhost:{}/simulator/health", simulator.address().port());
    assert_eq!(client.get(url).send().await.unwrap().text().await.unwrap(), "ok");
    let missing = Tls::Given { certificate: "none.pem".into(), key: "none.pem".into() };
    let refused =
        kvs_simulator::Simulator::start(SimulatorConfig { tls: Some(missing), ..SimulatorConfig::default() }).await;
    assert!(refused.unwrap_err().to_string().contains("none.pem"));
}

#[tokio::test]
async fn calls_above_the_limits_are_refused_per_operation() {
    let simulator = simulator_with(SimulatorConfig::default()).await;
    assert_eq!(call(&simulator, "/createStream", &json!({ "StreamName": "s" })).await.status(), 200);
    for (path, request) in [
        ("/describeStream", json!({ "StreamName": "s" })),
        ("/getDataEndpoint", json!({ "StreamName": "s", "APIName": "GET_MEDIA" })),
        ("/listTagsForStream", json!({ "StreamName": "s" })),
        ("/listFragments", json!({ "StreamName": "s" })),
    ] {
        let calls = (0..12).map(|_| call(&simulator, path, &request));
        let responses = futures::future::join_all(calls).await;
        let refused: Vec<_> = responses.iter().filter(|response| response.status() == 400).collect();
        assert!(refused.len() >= 6, "{path}: {} of 12", refused.len());
        assert!(
            refused.iter().all(|response| response.headers()["x-amzn-errortype"] == "ClientLimitExceededException")
        );
    }
    let limits = Limits { calls: false, ..Limits::default() };
    let unlimited = simulator_with(SimulatorConfig { limits, ..SimulatorConfig::default() }).await;
    let request = json!({});
    let calls = (0..60).map(|_| call(&unlimited, "/listStreams", &request));
    assert!(futures::future::join_all(calls).await.iter().all(|response| response.status() == 200));
}
