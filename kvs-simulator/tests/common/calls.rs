//! Calls for which no SDK for Rust is used here: PutMedia and the archive, signed with aws-sigv4.
#![allow(dead_code, missing_docs, unreachable_pub)]

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SignatureLocation, SigningInstructions, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use kvs_simulator::Simulator;
use serde_json::Value;

/// Returns what a signature with the key `test` adds to a request.
fn instructions(request: SignableRequest<'_>, settings: SigningSettings) -> SigningInstructions {
    let identity = Credentials::new("test", "test", None, None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("kinesisvideo")
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .unwrap();
    sign(request, &params.into()).unwrap().into_parts().0
}

/// Returns the headers of a request, including a signature with the key `test`.
fn signed(url: &str, headers: &[(&str, &str)], body: SignableBody<'_>) -> Vec<(String, String)> {
    let mut settings = SigningSettings::default();
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let request = SignableRequest::new("POST", url, headers.iter().copied(), body).unwrap();
    let instructions = instructions(request, settings);
    let added = instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).chain(added).collect()
}

async fn post(url: &str, headers: Vec<(String, String)>, body: reqwest::Body) -> reqwest::Response {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.post(url).body(body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.send().await.unwrap()
}

/// Starts a session of PutMedia with an unsigned body.
pub async fn put_media(simulator: &Simulator, stream: &str, body: reqwest::Body) -> reqwest::Response {
    let url = format!("{}/putMedia", simulator.url());
    let start = "1700000000";
    let headers = [
        ("x-amzn-stream-name", stream),
        ("x-amzn-fragment-timecode-type", "RELATIVE"),
        ("x-amzn-producer-start-timestamp", start),
    ];
    let headers = signed(&url, &headers, SignableBody::UnsignedPayload);
    post(&url, headers, body).await
}

/// Reads the acknowledgements of a session until it ends.
pub async fn acknowledgements(response: reqwest::Response) -> Vec<Value> {
    assert_eq!(response.status(), 200);
    response.text().await.unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Sends a whole document and returns its acknowledgements.
pub async fn put_all(simulator: &Simulator, stream: &str, document: Vec<u8>) -> Vec<Value> {
    acknowledgements(put_media(simulator, stream, document.into()).await).await
}

/// Sends a JSON call whose signature is in the query, as in a presigned URL.
pub async fn call_presigned(simulator: &Simulator, path: &str, request: &Value) -> reqwest::Response {
    let (url, body) = (format!("{}{path}", simulator.url()), request.to_string());
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(Duration::from_secs(60));
    let request = SignableRequest::new("POST", &url, std::iter::empty(), SignableBody::Bytes(body.as_bytes())).unwrap();
    let instructions = instructions(request, settings);
    let mut signed = url::Url::parse(&url).unwrap();
    signed.query_pairs_mut().extend_pairs(instructions.params());
    post(signed.as_str(), Vec::new(), body.into()).await
}

/// Sends a JSON call whose body has unsigned chunks and a trailer, as SDKs that add checksums send it.
pub async fn call_chunked(simulator: &Simulator, path: &str, request: &Value) -> reqwest::Response {
    let (url, body) = (format!("{}{path}", simulator.url()), request.to_string());
    let headers = signed(&url, &[("content-encoding", "aws-chunked")], SignableBody::StreamingUnsignedPayloadTrailer);
    let (first, second) = body.split_at(body.len() / 2);
    let chunk = |part: &str| format!("{:x}\r\n{part}\r\n", part.len());
    let chunked = chunk(first) + &chunk(second) + "0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
    post(&url, headers, chunked.into()).await
}

/// Sends a JSON call.
pub async fn call(simulator: &Simulator, path: &str, request: &Value) -> reqwest::Response {
    let (url, body) = (format!("{}{path}", simulator.url()), request.to_string());
    let headers = signed(&url, &[("content-type", "application/json")], SignableBody::Bytes(body.as_bytes()));
    post(&url, headers, body.into()).await
}
