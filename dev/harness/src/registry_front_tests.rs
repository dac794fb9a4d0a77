//! The front, with a client that knows nothing of it.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};

use super::{RegistryFront, RegistryRequest, Trouble};
use crate::Registry;
use crate::connector::{http_call, http_get};
use crate::wait::wait_for;

const SUBJECTS: &str = "/apis/ccompat/v7/subjects";

#[test]
fn what_is_asked_of_the_front_is_answered_by_the_registry() {
    let registry = Registry::shared();
    let front = RegistryFront::start(registry);
    assert_eq!(front.url(), registry.url().replace(registry.address(), front.address()));
    let body = serde_json::json!({ "schema": r#""string""# }).to_string();
    let path = format!("{SUBJECTS}/front-value/versions");
    let (status, response) = http_call(front.address(), "POST", &path, Some(&body)).unwrap();
    assert_eq!(status, 200, "{response}");
    assert_eq!(registry.versions("front-value"), [1]);
    let (status, response) =
        http_get(front.address(), &format!("{SUBJECTS}/unknown-value/versions?deleted=true")).unwrap();
    assert!(status == 404 && response.contains("40401"), "{status}: {response}");
    let asked: Vec<_> = front.requests().into_iter().map(|request| (request.method, request.target)).collect();
    let expected = [("POST", path), ("GET", format!("{SUBJECTS}/unknown-value/versions?deleted=true"))];
    assert_eq!(asked, expected.map(|(method, target)| (method.to_owned(), target)));
}

#[test]
fn a_client_may_use_it_as_its_proxy() {
    let registry = Registry::shared();
    let front = RegistryFront::start(registry);
    let target = format!("{}/subjects", registry.url());
    assert_eq!(http_get(front.address(), &target).unwrap().0, 200);
    let request = RegistryRequest { method: "GET".to_owned(), target, authorization: None };
    assert_eq!(front.requests(), [request]);
}

/// Sends a request with a header, and returns the status.
fn status_with(front: &RegistryFront, authorization: &str) -> u16 {
    let mut socket = TcpStream::connect(front.address()).unwrap();
    let request = format!("GET {SUBJECTS} HTTP/1.0\r\nAuthorization: {authorization}\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let response = std::io::read_to_string(socket).unwrap();
    response.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{response}"))
}

#[test]
fn only_the_right_credentials_pass() {
    let front = RegistryFront::start(Registry::shared());
    front.require_basic("user", "pass:word");
    let (status, response) = http_get(front.address(), SUBJECTS).unwrap();
    assert!(status == 401 && response.contains("401"), "{status}: {response}");
    assert_eq!(status_with(&front, "Basic dXNlcjp3cm9uZw=="), 401);
    assert_eq!(status_with(&front, "Basic dXNlcjpwYXNzOndvcmQ="), 200);
    front.require_bearer("token");
    assert_eq!(status_with(&front, "Basic dXNlcjpwYXNzOndvcmQ="), 401);
    assert_eq!(status_with(&front, "Bearer token"), 200);
    assert_eq!(front.requests().last().unwrap().authorization.as_deref(), Some("Bearer token"));
}

#[test]
fn troubles_begin_and_end() {
    let front = RegistryFront::start(Registry::shared());
    let ask = || http_get(front.address(), SUBJECTS);
    front.trouble(Some(Trouble::status(500)));
    assert!(ask().is_some_and(|(status, body)| status == 500 && body.contains(r#""error_code":500"#)));
    front.trouble(Some(Trouble::html()));
    assert!(ask().is_some_and(|(status, body)| status == 200 && body.starts_with("<!doctype html>")));
    front.trouble(Some(Trouble::Drop));
    assert_eq!(ask(), None);
    front.trouble(None);
    assert!(ask().is_some_and(|(status, _)| status == 200));
}

#[test]
fn a_front_that_hangs_takes_the_request_and_can_be_dropped() {
    let front = RegistryFront::start(Registry::shared());
    front.trouble(Some(Trouble::Hang));
    let address = front.address().to_owned();
    let client = std::thread::spawn(move || http_get(&address, SUBJECTS));
    wait_for("the request to be there", || front.requests().len() == 1);
    // The end of the trouble is for later requests.
    front.trouble(None);
    assert!(http_get(front.address(), SUBJECTS).is_some_and(|(status, _)| status == 200));
    assert!(!client.is_finished());
    drop(front);
    assert_eq!(client.join().unwrap(), None);
}

/// Sends a request over TLS to a front whose certificate is trusted; returns the response.
fn ask_over_tls(front: &RegistryFront, trusted: RootCertStore) -> std::io::Result<String> {
    let client = ClientConfig::builder().with_root_certificates(trusted).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut socket = StreamOwned::new(connection, TcpStream::connect(front.address()).unwrap());
    socket.write_all(format!("GET {SUBJECTS} HTTP/1.0\r\n\r\n").as_bytes())?;
    std::io::read_to_string(socket)
}

#[test]
fn over_tls_it_is_reached_by_those_who_trust_it() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let tls =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![own.cert.der().clone()], key).unwrap();
    let front = RegistryFront::start_tls(Registry::shared(), tls);
    assert!(front.url().starts_with("https://127.0.0.1:"), "{}", front.url());
    let mut trusted = RootCertStore::empty();
    assert!(ask_over_tls(&front, trusted.clone()).is_err());
    trusted.add(own.cert.der().clone()).unwrap();
    let response = ask_over_tls(&front, trusted).unwrap();
    assert!(response.starts_with("HTTP/1.0 200"), "{response}");
    assert_eq!(front.requests().len(), 1);
}
