#![allow(clippy::unwrap_used)]

use super::*;

#[tokio::test]
async fn who_has_no_credentials_is_told_where_to_put_them() {
    // The instance's own are the last in the chain; here is no instance.
    let nobody = aws_config::imds::Client::builder().endpoint("http://127.0.0.1:1").unwrap();
    let chain = aws_config::imds::credentials::ImdsCredentialsProvider::builder().imds_client(nobody.build()).build();
    let cache = CredentialsCache { provider: Some(SharedCredentialsProvider::new(chain)), known: Mutex::default() };
    let said = cache.get().await.unwrap_err().to_string();
    for text in ["; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE", "a role"] {
        assert!(said.contains(text), "{said}");
    }
}

#[test]
fn a_role_that_is_refused_has_its_own_reason() {
    let reason = "AccessDenied: not authorized to perform sts:AssumeRole";
    assert_eq!(advice(reason), None);
    let error = CredentialsError::NotProvided { advice: None, source: reason.into() };
    assert_eq!(error.to_string(), reason);
}
