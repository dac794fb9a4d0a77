//! AWS credentials for S3, from where the connector has them.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;

/// Why there are no credentials.
pub type AwsCredentialsError = Box<dyn std::error::Error + Send + Sync>;

/// Provides AWS credentials that do not expire soon.
pub trait AwsCredentials: Send + Sync {
    /// Returns access key id, secret access key and session token.
    fn get(&self) -> BoxFuture<'_, Result<(String, String, Option<String>), AwsCredentialsError>>;
}

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
        let (key_id, secret_key, token) =
            self.0.get().await.map_err(|source| object_store::Error::Generic { store: "S3", source })?;
        Ok(Arc::new(AwsCredential { key_id, secret_key, token }))
    }
}

/// Returns object_store's provider of these credentials.
pub(super) fn bridge(credentials: Arc<dyn AwsCredentials>) -> Arc<dyn CredentialProvider<Credential = AwsCredential>> {
    Arc::new(Bridge(credentials))
}
