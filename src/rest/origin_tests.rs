#![allow(clippy::unwrap_used)]

use axum::body::Body;

use super::*;

fn origins(hosts: &[&str], allowed: &[&str]) -> Origins {
    Origins::of(&config(None, hosts, allowed))
}

fn config(tls: Option<crate::config::rest::TlsFiles>, hosts: &[&str], allowed: &[&str]) -> RestConfig {
    let text = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
    RestConfig {
        listeners: Vec::new(),
        advertised_host: Some("Worker-7.Example.com".to_owned()),
        advertised_port: None,
        tls,
        htpasswd: None,
        tokens: None,
        admins: Vec::new(),
        allowed_hosts: text(hosts),
        allowed_origins: text(allowed),
    }
}

fn request(host: &str) -> Request {
    Request::builder().uri("/connectors").header(header::HOST, host).body(Body::empty()).unwrap()
}

#[test]
fn only_the_workers_own_hosts_are_served() {
    let own = origins(&["connect", "*.svc.cluster.local"], &[]);
    for host in [
        "localhost",
        "LOCALHOST:8083",
        "localhost.:8083",
        "a.localhost",
        "127.0.0.1:8083",
        "[::1]:8083",
        "[::1]",
        "10.1.2.3",
        "worker-7.example.com:1",
        "connect:8083",
        "a.b.svc.cluster.local",
    ] {
        assert_eq!(own.check_host(&request(host)), Ok(()), "{host}");
    }
    for host in [
        "evil.example",
        "evil.example:8083",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil-localhost",
        "connect.evil.example",
        "svc.cluster.local.evil",
        "127.1",
        "2130706433",
    ] {
        let host_alone = host.split(':').next().unwrap().to_owned();
        assert_eq!(own.check_host(&request(host)), Err(ForeignHost::Unknown(host_alone)), "{host}");
    }
    for host in ["", "a b", "evil.example@127.0.0.1", "[::1"] {
        assert_eq!(own.check_host(&request(host)), Err(ForeignHost::Malformed), "{host}");
    }
    if let Some(name) = machine_name() {
        assert_eq!(own.check_host(&request(&name)), Ok(()));
    }
    assert_eq!(origins(&["*"], &[]).check_host(&request("evil.example")), Ok(()));
}

/// The names in the certificate are the worker's own.
#[test]
fn names_of_the_certificate_are_own_hosts() {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let names = ["connect.example", "*.pool.example", "127.0.0.1"].map(str::to_owned);
    let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let file = folder.path().join("worker.pem");
    std::fs::write(&file, certificate.pem()).unwrap();
    let files = crate::config::rest::TlsFiles { key: file.clone(), certificate: file, client_ca: None };
    let own = Origins::of(&config(Some(files), &[], &[]));
    for host in ["connect.example", "one.pool.example:8443"] {
        assert_eq!(own.check_host(&request(host)), Ok(()), "{host}");
    }
    for host in ["pool.example", "other.example", "a.connect.example"] {
        assert!(own.check_host(&request(host)).is_err(), "{host}");
    }
}

#[test]
fn no_host_two_hosts_and_one_in_the_target_are_looked_at() {
    let own = origins(&[], &[]);
    let mut two = request("localhost");
    two.headers_mut().append(header::HOST, "evil.example".parse().unwrap());
    assert_eq!(own.check_host(&two), Err(ForeignHost::Malformed));
    let mut none = request("localhost");
    none.headers_mut().clear();
    assert_eq!(own.check_host(&none), Err(ForeignHost::Malformed));
    *none.version_mut() = Version::HTTP_10;
    assert_eq!(own.check_host(&none), Ok(()));
    // Other servers prefer the target over the header; here both must be right.
    let mut both = request("localhost");
    *both.uri_mut() = "http://evil.example/connectors".parse().unwrap();
    assert_eq!(own.check_host(&both), Err(ForeignHost::Unknown("evil.example".to_owned())));
}

fn sent(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
}

#[test]
fn a_page_of_another_origin_is_foreign_and_a_program_is_not() {
    let own = origins(&[], &["https://ui.example", "http://other.example:3000/"]);
    let foreign = |pairs: &[(&'static str, &str)]| own.foreign(&sent(pairs)).is_some();
    let host = ("host", "127.0.0.1:8083");
    assert!(!foreign(&[host]));
    assert!(!foreign(&[host, ("origin", "http://127.0.0.1:8083")]));
    assert!(foreign(&[host, ("origin", "http://evil.example")]));
    assert!(foreign(&[host, ("origin", "http://127.0.0.1:9000")]) && foreign(&[host, ("origin", "null")]));
    assert!(foreign(&[host, ("origin", "")]) && foreign(&[host, ("origin", "http://a"), ("origin", "http://b")]));
    // Default ports of the scheme.
    assert!(!foreign(&[("host", "ui"), ("origin", "http://UI:80")]));
    assert!(foreign(&[("host", "ui"), ("origin", "http://ui:8080")]));
    // A proxy has replaced its own host by the worker's: the browser knows better.
    for (site, is_foreign) in [("same-origin", false), ("none", false), ("same-site", true), ("cross-site", true)] {
        let page = [host, ("origin", "https://behind-a-proxy.example"), ("sec-fetch-site", site)];
        assert_eq!(foreign(&page), is_foreign, "{site}");
    }
    assert!(foreign(&[host, ("origin", "http://127.0.0.1:8083"), ("sec-fetch-site", "cross-site")]));
    assert!(foreign(&[host, ("sec-fetch-site", "cross-site")]));
    // Allowed origins, with and without a port.
    for origin in ["https://ui.example", "https://UI.example:443", "http://other.example:3000"] {
        assert!(!foreign(&[host, ("origin", origin)]), "{origin}");
        assert!(!foreign(&[host, ("origin", origin), ("sec-fetch-site", "cross-site")]), "{origin}");
    }
    for origin in ["http://ui.example", "https://ui.example.evil", "https://a.ui.example", "http://other.example"] {
        assert!(foreign(&[host, ("origin", origin)]), "{origin}");
    }
    assert!(origins(&[], &["*"]).foreign(&sent(&[host, ("origin", "http://evil.example")])).is_none());
}
