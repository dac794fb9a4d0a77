#![allow(clippy::unwrap_used)]

use super::*;

fn hash_of(password: &str) -> String {
    bcrypt::hash(password, 4).unwrap()
}

/// The output of the reference implementation's `argon2` for the password "password" and the salt "somesalt".
const ARGON2: &str = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

fn access(htpasswd: &str, tokens: &str, admins: &[&str]) -> Result<Access, AccessError> {
    let folder = tempfile::tempdir().unwrap();
    let (users, all) = (folder.path().join("users"), folder.path().join("tokens"));
    std::fs::write(&users, htpasswd).unwrap();
    std::fs::write(&all, tokens).unwrap();
    Access::load(&RestConfig {
        listeners: Vec::new(),
        advertised_host: None,
        advertised_port: None,
        tls: None,
        htpasswd: Some(users),
        tokens: Some(all),
        admins: admins.iter().map(|name| (*name).to_owned()).collect(),
        allowed_hosts: Vec::new(),
        allowed_origins: Vec::new(),
    })
}

async fn caller(access: &Access, authorization: &str) -> Caller {
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, authorization.parse().unwrap())]);
    access.caller(&headers, &Peer::default()).await
}

fn basic(text: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(text))
}

#[tokio::test]
async fn passwords_tokens_and_certificates_say_who_somebody_is() {
    let token = "a token";
    let digest: String = Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect();
    let users = format!("# users\nanna:{}\nbert:{ARGON2}\n", hash_of("right:one"));
    let access = access(&users, &format!("robot:{digest}\n"), &["anna", "robot", "pipeline"]).unwrap();
    for _ in 0..2 {
        assert_eq!(caller(&access, &basic("anna:right:one")).await, Caller::Admin);
        assert_eq!(caller(&access, &basic("bert:password")).await, Caller::User);
        assert_eq!(caller(&access, &format!("Bearer {token}")).await, Caller::Admin);
        for wrong in [
            basic("anna:wrong"),
            basic("anna"),
            basic("carl:x"),
            "Bearer x".to_owned(),
            "Digest x".to_owned(),
            "x".to_owned(),
        ] {
            assert_eq!(caller(&access, &wrong).await, Caller::Unknown, "{wrong}");
        }
    }
    let peer = |name: &str| Peer { certificate: Some(name.to_owned()) };
    assert_eq!(access.caller(&HeaderMap::new(), &peer("pipeline")).await, Caller::Admin);
    assert_eq!(access.caller(&HeaderMap::new(), &peer("")).await, Caller::User);
    assert_eq!(access.caller(&HeaderMap::new(), &Peer::default()).await, Caller::Unknown);
}

#[test]
fn files_of_users_are_refused_with_the_line() {
    let said = |users: &str, tokens: &str| access(users, tokens, &["*"]).err().unwrap().to_string();
    assert!(said("\nanna:plain", "").contains("users:2: the hash is neither bcrypt nor argon2"));
    assert!(said("anna", "").contains("users:1: NAME:HASH"));
    assert!(said("", "robot:123").contains("tokens:1: NAME:SHA256"));
}

/// Neither a page nor a user who may only read can make the worker call others.
#[test]
fn settings_may_be_tried_out_by_those_who_look_and_connections_may_not() {
    let request =
        |method: Method, uri: &str| Request::builder().method(method).uri(uri).body(axum::body::Body::empty()).unwrap();
    let looks = |method, uri| only_looks(&request(method, uri));
    assert!(looks(Method::GET, "/connectors") && looks(Method::HEAD, "/health"));
    assert!(looks(Method::PUT, "/connector-plugins/KinesisVideoSource/config/validate"));
    for uri in [
        "/connector-plugins/KinesisVideoSource/config/validate?connect=true",
        "/connector-plugins/KinesisVideoSource/config/validate?%63onnect=true",
        "/connector-plugins/a/b/config/validate",
        "/connectors/x/config",
        "/connectors/connector-plugins/x/config/validate",
    ] {
        assert!(!looks(Method::PUT, uri), "{uri}");
    }
    assert!(!looks(Method::POST, "/connector-plugins/KinesisVideoSource/config/validate"));
}
