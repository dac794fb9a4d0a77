//! S3, as moto speaks it, with a front for what moto never does.
#![allow(clippy::unwrap_used)]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;
use kvs_client::{Client, ClientConfig, CredentialsSource};
use kvs_harness::{S3Front, S3Server, S3Trouble};

use super::tests::{block_on, config};
use super::*;

const SECRET: &str = "very-secret-key";

fn server() -> &'static S3Server {
    static SHARED: OnceLock<S3Server> = OnceLock::new();
    SHARED.get_or_init(S3Server::start)
}

/// Temporary credentials, of which the first are replaced when they are refused.
#[derive(Default)]
struct Temporary {
    is_replaced: AtomicBool,
}

impl AwsCredentials for Temporary {
    fn get(&self) -> BoxFuture<'_, Result<AwsKeys, AwsCredentialsError>> {
        let token = if self.is_replaced.load(Ordering::Relaxed) { "second" } else { "first" };
        Box::pin(async { Ok(("key".to_owned(), SECRET.to_owned(), Some(token.to_owned()))) })
    }

    fn forget(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.is_replaced.store(true, Ordering::Relaxed) })
    }
}

fn open(url: &str, endpoint: &str) -> PayloadStore {
    PayloadStore::open(&config(url, Some(endpoint)), Arc::new(Temporary::default())).unwrap()
}

fn put(store: &PayloadStore, content: Vec<Bytes>) -> Result<StoredObject, StoreError> {
    let result = block_on(store.put(&["door", "17.mkv"], content));
    assert!(!format!("{result:?}").contains(SECRET), "{result:?}");
    result
}

fn content() -> Vec<Bytes> {
    vec![Bytes::from_static(b"one"), Bytes::from_static(b" and two")]
}

#[test]
fn objects_are_written_and_replaced() {
    let server = server();
    server.create_bucket("written");
    let store = open("s3://written/site=a/day+1", &server.url());
    for content in [content(), vec![Bytes::from(vec![7; 50 << 20])], vec![]] {
        let whole = content.concat();
        let stored = put(&store, content).unwrap();
        let uri = "s3://written/site=a/day+1/door/17.mkv".to_owned();
        assert_eq!(stored, StoredObject { uri, size_bytes: whole.len() as u64 });
        assert!(server.get("written", "site=a/day+1/door/17.mkv").unwrap() == whole);
    }
    assert_eq!(server.keys("written"), ["site=a/day+1/door/17.mkv"]);
}

#[test]
fn a_check_needs_the_right_to_write_only_and_leaves_nothing_where_it_can() {
    let server = server();
    server.create_bucket("checked");
    let front = S3Front::start(server);
    let store = open("s3://checked/prefix", &front.url());
    block_on(store.check()).unwrap();
    assert_eq!(server.keys("checked"), [] as [String; 0]);
    for method in ["DELETE", "HEAD", "GET", "POST"] {
        front.forbid(method);
    }
    block_on(store.check()).unwrap();
    block_on(store.check()).unwrap();
    assert_eq!(server.keys("checked"), ["prefix/.kvs-connect-write-check"]);
    front.forbid("PUT");
    assert_eq!(block_on(store.check()).unwrap_err().kind, StoreErrorKind::Denied);
}

#[test]
fn refusals_say_what_is_wrong_and_what_to_do() {
    use StoreErrorKind::{Busy, Credentials, Denied, NoBucket, WrongRegion};
    let server = server();
    let missing = put(&open("s3://missing", &server.url()), content()).unwrap_err();
    assert_eq!(missing.kind, NoBucket);
    let said = missing.to_string();
    assert!(said.starts_with("cannot write s3://missing/door/17.mkv: HTTP 404 NoSuchBucket"), "{said}");
    assert!(said.ends_with("; create it, or change payload.store.url"), "{said}");
    let front = S3Front::start(server);
    let store = open("s3://refusals", &front.url());
    for (status, code, more, kind, advice) in [
        (403, "AccessDenied", "", Denied, "allow s3:PutObject"),
        (403, "InvalidAccessKeyId", "", Credentials, "kvs.credentials."),
        (403, "SignatureDoesNotMatch", "<StringToSign>very-secret-key</StringToSign>", Credentials, "kvs.credentials."),
        (
            400,
            "AuthorizationHeaderMalformed",
            "<Region>eu-west-1</Region>",
            WrongRegion,
            "payload.store.region=eu-west-1",
        ),
        (503, "SlowDown", "", Busy, "continues by itself"),
        (500, "InternalError", "", Busy, "continues by itself"),
    ] {
        front.trouble(S3Trouble::Answer { status, code, more }, usize::MAX);
        let error = put(&store, content()).unwrap_err();
        let said = error.to_string();
        assert_eq!(error.kind, kind, "{said}");
        assert!(said.contains(&format!("HTTP {status} {code}: On purpose & for a test.")), "{said}");
        assert!(said.contains(advice), "{said}");
    }
}

#[test]
fn what_passes_within_seconds_is_no_error() {
    let server = server();
    server.create_bucket("passing");
    let front = S3Front::start(server);
    let store = open("s3://passing", &front.url());
    for trouble in [S3Trouble::answer(503, "SlowDown"), S3Trouble::answer(500, "InternalError"), S3Trouble::Drop] {
        let before = front.requests().len();
        front.trouble(trouble, 2);
        put(&store, content()).unwrap();
        assert_eq!(front.requests().len() - before, 3);
    }
    front.trouble(S3Trouble::Slow { step_bytes: 1 << 20 }, 1);
    put(&store, vec![Bytes::from(vec![7; 10 << 20])]).unwrap();
    assert_eq!(server.get("passing", "door/17.mkv").unwrap().len(), 10 << 20);
}

#[test]
fn a_store_that_hangs_or_is_gone_is_an_error_after_few_attempts() {
    let server = server();
    let front = S3Front::start(server);
    let store = open("s3://hanging", &front.url());
    front.trouble(S3Trouble::Hang, usize::MAX);
    let error = put(&store, content()).unwrap_err();
    assert_eq!((error.kind, front.requests().len()), (StoreErrorKind::TimedOut, 1), "{error}");
    front.trouble(S3Trouble::Drop, usize::MAX);
    let error = put(&store, content()).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unreachable, "{error}");
    assert!(front.requests().len() <= 6);
    drop(front);
    let error = put(&store, content()).unwrap_err();
    assert!(error.kind == StoreErrorKind::Unreachable && error.to_string().contains("nothing is listening"), "{error}");
    assert!(error.to_string().ends_with("; the stream continues by itself when the store responds"), "{error}");
}

#[test]
fn refused_credentials_are_fetched_again() {
    let server = server();
    server.create_bucket("expiring");
    let front = S3Front::start(server);
    let store = open("s3://expiring", &front.url());
    put(&store, content()).unwrap();
    front.require_token("second");
    let error = put(&store, content()).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Credentials, "{error}");
    put(&store, content()).unwrap();
    let tokens: Vec<_> = front.requests().into_iter().filter_map(|request| request.token).collect();
    assert_eq!(tokens, ["first", "first", "second"]);
}

/// The connector's own client signs for the store, too.
#[test]
fn the_clients_credentials_are_used() {
    let server = server();
    server.create_bucket("of-client");
    let front = S3Front::start(server);
    front.require_token("of the settings");
    let mut settings = ClientConfig::new("eu-central-1");
    settings.credentials = CredentialsSource::Static {
        access_key_id: "key".to_owned(),
        secret_access_key: SECRET.to_owned(),
        session_token: Some("of the settings".to_owned()),
    };
    block_on(async {
        let client = Arc::new(Client::new(settings, Arc::default()).await.unwrap());
        let store = PayloadStore::open(&config("s3://of-client", Some(&front.url())), client).unwrap();
        store.put(&["door", "17.mkv"], content()).await.unwrap();
    });
    assert_eq!(server.keys("of-client"), ["door/17.mkv"]);
}

#[test]
fn the_proxy_is_used_except_for_its_exceptions() {
    let server = server();
    server.create_bucket("proxied");
    let proxy = S3Front::start(server);
    let mut config = config("s3://proxied", Some(&server.url()));
    config.proxy = Some(proxy.url());
    config.no_proxy = Some(String::new());
    let open = |config: &PayloadStoreConfig| PayloadStore::open(config, Arc::new(Temporary::default())).unwrap();
    put(&open(&config), content()).unwrap();
    let targets: Vec<_> = proxy.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, [format!("{}/proxied/door/17.mkv", server.url())]);
    config.no_proxy = Some("127.0.0.1".to_owned());
    put(&open(&config), content()).unwrap();
    assert_eq!(proxy.requests().len(), 1);
}

/// object_store takes other endpoints as those of the bucket.
#[test]
fn the_bucket_is_in_the_host_unless_the_path_has_it() {
    let server = server();
    let proxy = S3Front::start(server);
    let mut config = config("s3://bucket", Some("http://s3.test:9000"));
    (config.proxy, config.no_proxy, config.path_style) = (Some(proxy.url()), Some(String::new()), false);
    proxy.trouble(S3Trouble::answer(403, "AccessDenied"), usize::MAX);
    for (is_path_style, target) in
        [(false, "http://bucket.s3.test:9000/door/17.mkv"), (true, "http://s3.test:9000/bucket/door/17.mkv")]
    {
        config.path_style = is_path_style;
        let store = PayloadStore::open(&config, Arc::new(Temporary::default())).unwrap();
        put(&store, content()).unwrap_err();
        assert_eq!(proxy.requests().pop().unwrap().target, target);
    }
}
