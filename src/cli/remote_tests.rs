use super::*;

#[test]
fn a_url_without_a_scheme_is_told_what_is_missing() {
    let said = |text| worker_url(text).err().map(|failure| (failure.code, failure.lines.concat())).unwrap_or_default();
    for text in ["127.0.0.1:28083", "localhost:8083", "worker-1", "ftp://worker-1"] {
        let (code, said) = said(text);
        assert_eq!(code, EXIT_USAGE);
        assert!(said.starts_with(&format!("--url {text:?}: ")), "{said}");
        assert!(said.contains("http:// or https:// is missing in front of it"), "{said}");
    }
    assert_eq!(said("http://127.0.0.1:28083/"), (0, String::new()));
    assert!(said("http://").1.contains("empty host"));
}

#[test]
fn the_connector_that_has_to_be_stopped_is_named() {
    let message = crate::cluster::Refusal::NotStopped("cameras".to_owned()).to_string();
    assert_eq!(connector_to_stop(&message), Some("cameras"));
    assert_eq!(connector_to_stop("Connector cameras not found"), None);
}

#[test]
fn a_password_in_a_url_is_not_shown() {
    let url =
        worker_url("http://anna:hunter2@127.0.0.1:8083/connectors?token=x").ok().unwrap_or_else(|| unreachable!());
    assert_eq!(shown(&url), "http://127.0.0.1:8083/connectors");
}
