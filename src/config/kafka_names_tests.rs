use super::*;

#[test]
fn brokers_are_hosts_with_ports() {
    for (given, read) in [
        ("kafka:9092", "kafka:9092"),
        (" a:1 , b_2.example-x:65535,,", "a:1,b_2.example-x:65535"),
        ("kafka", "kafka"),
        ("10.0.0.1:9092,[::1]:9092,[fe80::1%eth0]:1,[::1]", "10.0.0.1:9092,[::1]:9092,[fe80::1%eth0]:1,[::1]"),
        ("SASL_SSL://kafka:9092", "SASL_SSL://kafka:9092"),
        ("sasl_ssl://[::1]:9092", "sasl_ssl://[::1]:9092"),
    ] {
        assert_eq!(servers(given, "sasl_ssl").as_deref(), Ok(read));
    }
    for (given, said) in [
        (",,,", "no broker is named"),
        (" ", "no broker is named"),
        ("a b:1", "\"a b:1\": HOST:PORT was expected"),
        ("a:1, c:99999", "\"c:99999\": a port from 1 to 65535"),
        ("a:0", "a port from 1"),
        ("a:", "a port from 1"),
        ("a:+1", "a port from 1"),
        ("a:9092x", "a port from 1"),
        (":9092", "HOST:PORT was expected"),
        ("::1", "in brackets"),
        ("fe80::1:9092", "in brackets"),
        ("[::1", "in brackets"),
        ("[kafka]:9092", "HOST:PORT was expected"),
        ("[::1]9092", "in brackets"),
        ("a;b:1", "HOST:PORT was expected"),
        ("a\0:1", "HOST:PORT was expected"),
        ("http://a:1", "security.protocol is plaintext"),
        ("ssl://a:1", "security.protocol is plaintext"),
        ("plaintext://", "HOST:PORT was expected"),
        ("plaintext://a:1/path", "a port from 1"),
    ] {
        let reason = servers(given, "plaintext").expect_err(given).to_string();
        assert!(reason.contains(said), "{given}: {reason}");
    }
    let long = format!("{}:1", "x".repeat(100_000));
    assert!(servers(&long, "plaintext").is_err_and(|reason| reason.to_string().len() < 300));
}

#[test]
fn names_are_short_and_printable() {
    for name in ["cameras", "cameras of berlin", &"ü".repeat(249)] {
        assert_eq!(check_client_name(name), Ok(()));
    }
    for name in ["a\0b", "a\nb", "\u{1b}[2J", "\u{85}", &"x".repeat(250)] {
        let reason = check_client_name(name).expect_err(name).to_string();
        assert!(reason.contains("at most 249 characters") && !reason.contains(char::is_control), "{reason}");
    }
    assert!(check_client_name(&"x".repeat(100_000)).is_err_and(|reason| reason.to_string().len() < 300));
}
