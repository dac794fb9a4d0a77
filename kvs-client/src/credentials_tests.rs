#![allow(clippy::unwrap_used)]

use super::*;

#[tokio::test]
async fn missing_credentials_are_reported_with_advice() {
    // The instance's own are the last in the chain; this one does not exist.
    let nobody = aws_config::imds::Client::builder().endpoint("http://127.0.0.1:1").unwrap();
    let chain = aws_config::imds::credentials::ImdsCredentialsProvider::builder().imds_client(nobody.build()).build();
    let cache = CredentialsCache { provider: Some(SharedCredentialsProvider::new(chain)), known: Mutex::default() };
    let said = cache.get().await.unwrap_err().to_string();
    for text in ["; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE", "a role"] {
        assert!(said.contains(text), "{said}");
    }
}

#[test]
fn a_refused_role_is_reported_with_its_own_reason() {
    let reason = "AccessDenied: not authorized to perform sts:AssumeRole";
    assert_eq!(advice(reason), None);
    let error = CredentialsError::NotProvided { advice: None, source: reason.into() };
    assert_eq!(error.to_string(), reason);
}
