#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use futures::future::BoxFuture;

use super::*;

pub(super) struct NoCredentials;

impl AwsCredentials for NoCredentials {
    fn get(&self) -> BoxFuture<'_, Result<AwsKeys, AwsCredentialsError>> {
        Box::pin(async { Err("there are no credentials here".into()) })
    }
}

pub(super) fn config(url: &str, endpoint: Option<&str>) -> PayloadStoreConfig {
    PayloadStoreConfig {
        url: StoreUrl::parse(url).unwrap(),
        region: Some("eu-central-1".to_owned()),
        endpoint: endpoint.map(str::to_owned),
        path_style: true,
        timeout: Duration::from_secs(60),
        connect_timeout: Duration::from_secs(5),
        proxy: None,
        no_proxy: None,
        ca_file: None,
        options: BTreeMap::new(),
    }
}

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn put(store: &PayloadStore, names: &[&str], content: &[&'static [u8]]) -> Result<StoredObject, StoreError> {
    block_on(store.put(names, content.iter().map(|part| Bytes::from_static(part)).collect()))
}

fn open(url: &str) -> Result<PayloadStore, StoreError> {
    PayloadStore::open(&config(url, None), Arc::new(NoCredentials))
}

/// Returns the files under a folder, each with its content.
fn files_of(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_of(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

#[test]
fn a_folder_has_whole_objects_that_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}/new%20one/payloads", folder.path().display());
    let store = open(&url).unwrap();
    for content in [&[&b"first"[..]][..], &[b"sec", b"ond!"]] {
        let stored = put(&store, &["door", "17.mkv"], content).unwrap();
        let bytes = content.concat();
        assert_eq!(stored, StoredObject { uri: format!("{url}/door/17.mkv"), size_bytes: bytes.len() as u64 });
        assert_eq!(stored.uri, store.uri(&["door", "17.mkv"]));
        let path = folder.path().join("new one/payloads/door/17.mkv").display().to_string();
        assert_eq!(files_of(folder.path()), [(path, bytes)]);
    }
    assert_eq!(store.url().to_string(), url);
}

#[test]
fn a_check_leaves_a_folder_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&format!("file://{}", folder.path().display())).unwrap();
    block_on(store.check()).unwrap();
    assert_eq!(files_of(folder.path()), []);
}

#[test]
fn names_that_could_leave_the_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&format!("file://{}/inner", folder.path().display())).unwrap();
    for names in [
        &["..", "17.mkv"][..],
        &[".", "17.mkv"],
        &["", "17.mkv"],
        &["/etc", "17.mkv"],
        &["door/../..", "17.mkv"],
        &["door", "17\0.mkv"],
        &["door", "17#1"],
        &["door", "ä"],
        &["door", ""],
        &[],
    ] {
        let error = put(&store, names, &[b"x"]).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Name, "{names:?}: {error}");
    }
    assert_eq!(files_of(folder.path()), []);
}

#[test]
fn what_cannot_be_written_says_where_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let error = open(&format!("file://{}/file/payloads", folder.path().display())).unwrap_err();
    assert!(error.to_string().starts_with("cannot create the folder of payload.store.url file:///"), "{error}");
    assert!(error.to_string().ends_with("; create it, or change payload.store.url"), "{error}");
    // A file where the stream's folder belongs.
    let store = open(&format!("file://{}", folder.path().display())).unwrap();
    let error = put(&store, &["file", "17.mkv"], &[b"x"]).unwrap_err();
    assert!(error.to_string().starts_with("cannot write file:///"), "{error}");
}

/// A folder that is gone is created again, as it was when the store was opened.
#[test]
fn a_missing_folder_is_created_again() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    let store = open(&format!("file://{}", inner.display())).unwrap();
    std::fs::remove_dir(&inner).unwrap();
    put(&store, &["door", "17.mkv"], &[b"x"]).unwrap();
    assert!(inner.join("door/17.mkv").exists());
}

#[test]
fn what_is_secret_is_shown_nowhere() {
    let secret = "c2VjcmV0LXZhbHVl";
    let mut config = config("az://container", None);
    config.proxy = Some(format!("http://user:{secret}@127.0.0.1:1"));
    config.options.insert("azure_storage_account_name".to_owned(), "account".to_owned());
    config.options.insert("azure_storage_account_key".to_owned(), secret.to_owned());
    assert!(!format!("{config:?}").contains(secret));
    let store = PayloadStore::open(&config, Arc::new(NoCredentials)).unwrap();
    assert!(!format!("{store:?}").contains(secret));
    let error = put(&store, &["door", "17.mkv"], &[b"x"]).unwrap_err();
    assert!(!format!("{error:?} {error}").contains(secret), "{error:?}");
    assert_eq!(error.kind, StoreErrorKind::Unreachable);
    // serde quotes what it finds instead of an object.
    let mut config = super::tests::config("gs://bucket", None);
    config.options.insert("google_service_account_key".to_owned(), format!("\"{secret}\""));
    let error = PayloadStore::open(&config, Arc::new(NoCredentials)).unwrap_err();
    assert!(error.kind == StoreErrorKind::Settings && !format!("{error:?}").contains(secret), "{error:?}");
}

#[test]
fn options_that_cannot_be_used_are_named() {
    for (url, name, value, said) in [
        ("s3://bucket", "aws_regoin", "x", "payload.store.option.aws_regoin is no option of S3"),
        ("s3://bucket", "aws_region", "x", "payload.store.option.aws_region has no effect: use payload.store.region"),
        ("file:///tmp", "aws_region", "x", "a folder has no options"),
        ("gs://bucket", "google_service_account", "/dev/zero", "google_service_account: /dev/zero "),
        ("s3://bucket", "aws_unsigned_payload", "perhaps", "perhaps"),
    ] {
        let mut config = config(url, None);
        config.options.insert(name.to_owned(), value.to_owned());
        let error = PayloadStore::open(&config, Arc::new(NoCredentials)).unwrap_err();
        assert!(error.kind == StoreErrorKind::Settings && error.to_string().contains(said), "{error}");
    }
}
