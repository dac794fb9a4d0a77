#![allow(clippy::unwrap_used)]

use crate::config::connector::from_settings;
use crate::config::{ConnectorConfig, Problem, secrets};
use crate::model::PayloadMode;

fn read(more: &[(&str, &str)]) -> Result<ConnectorConfig, Vec<Problem>> {
    let common = [
        ("name", "cameras"),
        ("connector.class", "KinesisVideoSourceConnector"),
        ("kvs.streams", "door"),
        ("kvs.region", "eu-central-1"),
        ("topic", "fragments"),
    ];
    let settings = common.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    from_settings("c.json", &settings)
}

const REFERENCE: (&str, &str) = ("payload.mode", "reference");

#[test]
fn a_store_is_described_by_few_settings() {
    let config = read(&[REFERENCE, ("payload.store.url", "s3://bucket/prefix")]).unwrap().payload;
    let store = config.store.unwrap();
    assert_eq!((store.region.as_deref(), store.path_style), (Some("eu-central-1"), false));
    let own = [
        REFERENCE,
        ("payload.store.url", "s3://bucket"),
        ("payload.store.endpoint", "http://minio:9000"),
        ("payload.store.option.aws_sse_kms_key_id", "key"),
    ];
    let store = read(&own).unwrap().payload.store.unwrap();
    assert!(store.path_style && store.options.len() == 1);
    let through_proxy = [
        REFERENCE,
        ("payload.store.url", "gs://bucket"),
        ("kvs.proxy.url", "http://proxy:3128"),
        ("kvs.proxy.exceptions", "minio"),
        ("kvs.tls.ca.file", "/etc/ca.pem"),
        ("kvs.connect.timeout.ms", "2000"),
    ];
    let store = read(&through_proxy).unwrap().payload.store.unwrap();
    assert_eq!((store.proxy.as_deref(), store.no_proxy.as_deref()), (Some("http://proxy:3128"), Some("minio")));
    assert_eq!((store.ca_file, store.connect_timeout.as_secs()), (Some("/etc/ca.pem".into()), 2));
    let config = read(&[]).unwrap().payload;
    assert_eq!((config.mode, config.store, config.chunk_topic), (PayloadMode::Inline, None, None));
}

#[test]
fn options_may_be_secret_and_are_never_shown() {
    let (key, secret) = ("payload.store.option.azure_storage_account_key", "c2VjcmV0");
    let settings = [(key.to_owned(), secret.to_owned())].into();
    assert_eq!(secrets::masked(&settings)[key], secrets::MASK);
    let config = read(&[REFERENCE, ("payload.store.url", "az://container"), (key, secret)]).unwrap();
    assert!(!format!("{config:?}").contains(secret));
}

#[test]
fn what_cannot_be_right_is_refused_by_name() {
    for (more, key, expected) in [
        (&[REFERENCE][..], "payload.store.url", "is required with payload.mode=reference"),
        (&[("payload.store.url", "s3://b")], "payload.store.url", "has no effect without payload.mode=reference"),
        (&[REFERENCE, ("payload.store.url", "ftp://b")], "payload.store.url", "s3://BUCKET/PREFIX, gs://"),
        (
            &[REFERENCE, ("payload.store.url", "s3://b"), ("payload.store.option.colour", "red")],
            "payload.store.option.colour",
            "is no option of S3",
        ),
        (
            &[REFERENCE, ("payload.store.url", "s3://b"), ("payload.store.option.aws_sse_kms_key", "key")],
            "payload.store.option.aws_sse_kms_key",
            "is no option of S3; the nearest known one is aws_sse_kms_key_id",
        ),
        (
            &[REFERENCE, ("payload.store.url", "s3://b"), ("payload.store.option.aws_region", "eu-west-1")],
            "payload.store.option.aws_region",
            "has no effect: use payload.store.region",
        ),
        (
            &[REFERENCE, ("payload.store.url", "file:///objects"), ("payload.store.endpoint", "http://h")],
            "payload.store.endpoint",
            "a folder has no endpoint",
        ),
        (
            &[REFERENCE, ("payload.store.url", "s3://b"), ("payload.store.endpoint", "minio:9000")],
            "payload.store.endpoint",
            "http://HOST:PORT or https://HOST:PORT was expected",
        ),
        (
            &[REFERENCE, ("payload.store.url", "s3://b"), ("payload.store.endpoint", "http://h/b")],
            "payload.store.endpoint",
            "http://HOST:PORT or https://HOST:PORT was expected",
        ),
        (
            &[REFERENCE, ("payload.store.url", "gs://b"), ("payload.store.region", "eu-west-1")],
            "payload.store.region",
            "only S3 has it",
        ),
        (
            &[REFERENCE, ("payload.store.url", "gs://b"), ("payload.store.path.style", "true")],
            "payload.store.path.style",
            "only S3 has it",
        ),
        (&[("payload.mode", "chunked")], "payload.chunk.topic", "is required with payload.mode=chunked"),
        (&[("payload.chunk.topic", "parts")], "payload.chunk.topic", "has no effect without payload.mode=chunked"),
        (
            &[("payload.mode", "chunked"), ("payload.chunk.topic", "parts.${track}")],
            "payload.chunk.topic",
            "must contain ${track} if topic does",
        ),
        (&[("payload.mode", "elsewhere")], "payload.mode", "one of inline, none, reference, chunked was expected"),
    ] {
        let problems = read(more).unwrap_err();
        let said = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(said.contains(&format!("{key}: ")) && said.contains(expected), "{more:?}: {said}");
    }
}
