use super::*;
use crate::config::worker;

fn said(flags: &[(&str, &str)]) -> Vec<String> {
    let mut all = vec![("bootstrap.servers".to_owned(), "127.0.0.1:1".to_owned())];
    all.extend(flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    problems(&worker::load(None, &all).unwrap()).iter().map(ToString::to_string).collect()
}

#[test]
fn what_librdkafka_refuses_is_named_as_it_was_given() {
    assert!(said(&[]).is_empty());
    for (key, value, protocol) in [
        ("producer.compression.codec", "brotli", "plaintext"),
        ("consumer.fetch.max.bytes", "1", "plaintext"),
        ("admin.socket.keepalive.enable", "maybe", "plaintext"),
        ("producer.no.such.key", "x", "plaintext"),
        ("ssl.ca.location", "/no/such/file", "ssl"),
        ("sasl.mechanism", "GSSAPI", "sasl_ssl"),
    ] {
        let said = said(&[(key, value), ("security.protocol", protocol)]);
        assert!(!said.is_empty(), "{key}={value} is accepted");
        assert!(said.iter().all(|said| said.starts_with(&format!("command line: {key}: Kafka's client"))), "{said:?}");
    }
    // A setting that was left out is named, too.
    let said = said(&[("security.protocol", "sasl_ssl")]);
    assert!(said[0].starts_with("worker settings: sasl.mechanism: Kafka's client"), "{said:?}");
}
