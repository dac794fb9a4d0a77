#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use futures::future::BoxFuture;

use super::*;

struct NoCredentials;

impl AwsCredentials for NoCredentials {
    fn get(&self) -> BoxFuture<'_, Result<(String, String, Option<String>), AwsCredentialsError>> {
        Box::pin(async { Err("there are no credentials here".into()) })
    }
}

fn config(url: &str, endpoint: Option<&str>) -> PayloadStoreConfig {
    PayloadStoreConfig {
        url: StoreUrl::parse(url).unwrap(),
        region: Some("eu-central-1".to_owned()),
        endpoint: endpoint.map(str::to_owned),
        path_style: true,
        timeout: Duration::from_secs(5),
        proxy: None,
        options: BTreeMap::new(),
    }
}

fn put(store: &PayloadStore, names: &[&str], content: &[&'static [u8]]) -> Result<StoredObject, StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(store.put(names, content.iter().map(|part| Bytes::from_static(part)).collect()))
}

fn open(url: &str) -> Result<PayloadStore, StoreError> {
    PayloadStore::open(&config(url, None), Arc::new(NoCredentials))
}

#[test]
fn a_folder_has_whole_objects_that_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}/new/payloads", folder.path().display());
    let store = open(&url).unwrap();
    for content in [&[&b"first"[..]][..], &[b"sec", b"ond"]] {
        let stored = put(&store, &["door", "17.mkv"], content).unwrap();
        assert_eq!(stored.uri, format!("{url}/door/17.mkv"));
        assert_eq!(stored.uri, store.uri(&["door", "17.mkv"]));
        let file = url::Url::parse(&stored.uri).unwrap().to_file_path().unwrap();
        assert_eq!(std::fs::read(file).unwrap(), content.concat());
    }
    // Nothing else is left.
    let left = std::fs::read_dir(folder.path().join("new/payloads/door")).unwrap().count();
    assert_eq!(left, 1);
}

#[test]
fn names_cannot_lead_out_of_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&format!("file://{}/in", folder.path().display())).unwrap();
    put(&store, &["..", "out.mkv"], &[b"x"]).unwrap();
    put(&store, &["a/../../b", "c.mkv"], &[b"x"]).unwrap();
    let beside: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside, ["in"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), b"").unwrap();
    let error = open(&format!("file://{}/file/payloads", folder.path().display())).unwrap_err();
    assert!(error.to_string().starts_with("cannot create the folder of payload.store.url file:///"), "{error}");
    // A file where the stream's folder belongs.
    let store = open(&format!("file://{}", folder.path().display())).unwrap();
    let error = put(&store, &["file", "17.mkv"], &[b"x"]).unwrap_err();
    assert!(error.to_string().starts_with("cannot write file:///"), "{error}");
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    let error = StoreError::folder(store.url(), &full);
    assert!(error.kind == StoreErrorKind::Full && error.to_string().contains("make room"), "{error}");
}

#[test]
fn a_store_that_does_not_respond_is_an_error_within_seconds() {
    // Nothing listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = format!("http://127.0.0.1:{port}");
    struct Fixed;
    impl AwsCredentials for Fixed {
        fn get(&self) -> BoxFuture<'_, Result<(String, String, Option<String>), AwsCredentialsError>> {
            Box::pin(async { Ok(("key".to_owned(), "very-secret".to_owned(), None)) })
        }
    }
    let store = PayloadStore::open(&config("s3://bucket/prefix", Some(&endpoint)), Arc::new(Fixed)).unwrap();
    assert_eq!(store.uri(&["door", "17.mkv"]), "s3://bucket/prefix/door/17.mkv");
    let error = put(&store, &["door", "17.mkv"], &[b"x"]).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}");
    assert!(error.to_string().starts_with("cannot write s3://bucket/prefix/door/17.mkv: "), "{error}");
    let without = PayloadStore::open(&config("s3://bucket", Some(&endpoint)), Arc::new(NoCredentials)).unwrap();
    let error = put(&without, &["door", "17.mkv"], &[b"x"]).unwrap_err();
    assert!(error.kind == StoreErrorKind::Credentials && error.to_string().contains("no credentials here"), "{error}");
}

#[test]
fn urls_are_those_of_stores() {
    for (text, expected) in [
        ("s3://bucket", Ok("s3://bucket")),
        ("s3://bucket/a/b/", Ok("s3://bucket/a/b")),
        ("gs://bucket/a", Ok("gs://bucket/a")),
        ("az://container", Ok("az://container")),
        ("file:///var/lib/payloads", Ok("file:///var/lib/payloads")),
        ("file:///", Err(StoreUrlError::NotFolder)),
        ("file://host/folder", Err(StoreUrlError::NotFolder)),
        ("/var/lib/payloads", Err(StoreUrlError::Scheme)),
        ("https://bucket.s3.amazonaws.com", Err(StoreUrlError::Scheme)),
        ("s3:///a", Err(StoreUrlError::NoBucket)),
        ("s3://user:password@bucket", Err(StoreUrlError::More)),
        ("s3://bucket?x=y", Err(StoreUrlError::More)),
    ] {
        let found = StoreUrl::parse(text).map(|url| url.to_string());
        assert_eq!(found, expected.map(str::to_owned), "{text}");
    }
}
