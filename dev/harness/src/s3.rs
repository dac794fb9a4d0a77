//! A server that speaks S3's protocol: moto, from PyPI.
//!
//! **What is real:** the protocol, as AWS's own SDKs use it. **What is not:** moto accepts every signature, so wrong
//! credentials and policies are tested elsewhere, and keeps everything in memory.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use crate::connector::http_call;
use crate::kafka::{free_port, repository};
use crate::process::{Process, command};
use crate::wait::wait_for_within;

/// How long the server may take to respond on a slow machine.
const START_LIMIT: Duration = Duration::from_secs(240);

/// A server that this process has started. It is killed when this is dropped.
#[derive(Debug)]
pub struct S3Server {
    address: String,
    process: Option<Process>,
}

impl S3Server {
    /// Starts a server without buckets, and waits until it responds. What it needs is downloaded once.
    ///
    /// # Panics
    /// Panics if it cannot be started.
    pub fn start() -> Self {
        let mut server = Self { address: format!("127.0.0.1:{}", free_port()), process: None };
        server.up();
        server
    }

    /// Starts the server again, without buckets, at the same address.
    ///
    /// # Panics
    /// Panics if it does not respond.
    pub fn up(&mut self) {
        let got = std::process::Command::new(repository().join("dev/sdks")).arg("s3").output().expect("dev/sdks runs");
        assert!(got.status.success(), "{}", String::from_utf8_lossy(&got.stderr));
        let python = PathBuf::from(String::from_utf8_lossy(&got.stdout).trim());
        let port = self.address.rsplit(':').next().unwrap_or_default();
        let mut start = command(python.with_file_name("moto_server"));
        start.args(["-H", "127.0.0.1", "-p", port]);
        start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = Process::start(start);
        wait_for_within(START_LIMIT, "the S3 server to respond", || {
            assert_eq!(process.exit_code(), None, "the S3 server ended");
            http_call(&self.address, "GET", "/moto-api/", None).is_some()
        });
        self.process = Some(process);
    }

    /// Kills the server. What it had is lost.
    pub fn down(&mut self) {
        self.process = None;
    }

    /// Returns its URL, which is the value of `payload.store.endpoint`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Creates a bucket.
    ///
    /// # Panics
    /// Panics if it cannot be created.
    pub fn create_bucket(&self, name: &str) {
        let answer = http_call(&self.address, "PUT", &format!("/{name}"), None);
        assert!(matches!(answer, Some((200, _))), "{answer:?}");
    }

    /// Returns an object's content; `None` if there is no such object.
    ///
    /// # Panics
    /// Panics if the server does not respond.
    pub fn get(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        self.request(&format!("/{bucket}/{key}"))
    }

    /// Returns the keys of a bucket's objects, at most 1,000.
    ///
    /// # Panics
    /// Panics if there is no such bucket, or the server does not respond.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let listed = self.request(&format!("/{bucket}?list-type=2")).expect("the bucket exists");
        let listed = String::from_utf8_lossy(&listed);
        listed.split("<Key>").skip(1).filter_map(|rest| rest.split_once('<')).map(|(key, _)| key.to_owned()).collect()
    }

    /// Returns the body of a response, if it is a success.
    fn request(&self, target: &str) -> Option<Vec<u8>> {
        let mut stream = TcpStream::connect(&self.address).expect("the S3 server listens");
        // Whoever has a signature, any, is the owner.
        let signature =
            "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        let head = format!("Host: {}\r\nAuthorization: {signature}\r\n\r\n", self.address);
        let request = format!("GET {target} HTTP/1.0\r\n{head}");
        stream.write_all(request.as_bytes()).expect("the S3 server takes requests");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the S3 server responds");
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a response has a head");
        let status = String::from_utf8_lossy(&answer[..end]).split_whitespace().nth(1).map(str::to_owned);
        (status.as_deref() == Some("200")).then(|| answer.split_off(end + 4))
    }
}
