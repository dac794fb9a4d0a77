//! AWS credentials for S3, from where the connector has them.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use kvs_client::Client;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;

/// Why there are no credentials.
pub type AwsCredentialsError = Box<dyn std::error::Error + Send + Sync>;

/// Access key id, secret access key and session token.
pub type AwsKeys = (String, String, Option<String>);

/// Provides AWS credentials that do not expire soon. It is asked for each object and has to keep them.
pub trait AwsCredentials: Send + Sync {
    /// Returns access key id, secret access key and session token.
    fn get(&self) -> BoxFuture<'_, Result<AwsKeys, AwsCredentialsError>>;

    /// Forgets credentials that the store refused, so that the next object gets new ones.
    fn forget(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// The credentials that the connector's calls are signed with, from AWS's chain, a profile, a role or the settings.
impl AwsCredentials for Client {
    fn get(&self) -> BoxFuture<'_, Result<AwsKeys, AwsCredentialsError>> {
        Box::pin(async {
            let credentials = self.aws_credentials().await?;
            let owned = |text: &str| text.to_owned();
            let token = credentials.session_token().map(owned);
            Ok((owned(credentials.access_key_id()), owned(credentials.secret_access_key()), token))
        })
    }

    fn forget(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.forget_aws_credentials())
    }
}

/// Says that there are no credentials. A type of its own, so that it can be told from other errors.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct NoCredentials(AwsCredentialsError);

/// Provides credentials to object_store.
struct Bridge(Arc<dyn AwsCredentials>);

impl fmt::Debug for Bridge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Bridge")
    }
}

#[async_trait]
impl CredentialProvider for Bridge {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let failed = |error| object_store::Error::Generic { store: "S3", source: Box::new(NoCredentials(error)) };
        let (key_id, secret_key, token) = self.0.get().await.map_err(failed)?;
        Ok(Arc::new(AwsCredential { key_id, secret_key, token }))
    }
}

/// Returns object_store's provider of these credentials.
pub(super) fn bridge(credentials: Arc<dyn AwsCredentials>) -> Arc<dyn CredentialProvider<Credential = AwsCredential>> {
    Arc::new(Bridge(credentials))
}
