//! Where payloads are stored outside of Kafka: S3, Google Cloud Storage, Azure or a folder.
//!
//! **Contract.** An object is visible as a whole or not at all, and writing it again replaces it: a folder gets it under another
//! name first, and it is on disk before it gets its own. Failed requests are repeated for a few seconds; the caller tries again
//! with its own delays. Errors contain no credentials. The bytes are not copied.

mod config;
mod credentials;
mod error;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig};

pub use config::{PayloadStoreConfig, StoreKind, StoreUrl, StoreUrlError, option_names};
pub use credentials::{AwsCredentials, AwsCredentialsError};
pub use error::{StoreError, StoreErrorKind};

/// How long failed requests are repeated.
const RETRY_TIMEOUT: Duration = Duration::from_secs(10);
const RETRIES_MAX: usize = 5;
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A place for payloads.
#[derive(Debug, Clone)]
pub struct PayloadStore {
    store: Arc<dyn ObjectStore>,
    url: StoreUrl,
}

/// An object that has been written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Its URI, as other tools take it: `s3://bucket/key`, `gs://…`, `az://…` or `file:///…`.
    pub uri: String,
}

impl PayloadStore {
    /// Opens a store. Nothing is requested from it; a folder is created if it is missing.
    ///
    /// # Errors
    /// When an option is wrong, or the folder cannot be created.
    pub fn open(config: &PayloadStoreConfig, credentials: Arc<dyn AwsCredentials>) -> Result<Self, StoreError> {
        let url = config.url.clone();
        let failed = |error| StoreError::opening(&url, error);
        let retry = RetryConfig { max_retries: RETRIES_MAX, retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() };
        let mut client = ClientOptions::new()
            .with_timeout(config.timeout)
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_allow_http(config.endpoint.is_some());
        if let Some(proxy) = &config.proxy {
            client = client.with_proxy_url(proxy);
        }
        let store: Arc<dyn ObjectStore> = match url.kind {
            StoreKind::S3 => {
                let mut builder = AmazonS3Builder::new()
                    .with_url(url.base())
                    .with_credentials(credentials::bridge(credentials))
                    .with_client_options(client)
                    .with_retry(retry);
                if let Some(region) = &config.region {
                    builder = builder.with_region(region);
                }
                if let Some(endpoint) = &config.endpoint {
                    builder = builder.with_endpoint(endpoint);
                }
                builder = builder.with_virtual_hosted_style_request(!config.path_style);
                for (key, value) in &config.options {
                    builder = builder.with_config(key.parse::<AmazonS3ConfigKey>().map_err(failed)?, value);
                }
                Arc::new(builder.build().map_err(failed)?)
            }
            StoreKind::GoogleCloud => {
                let mut builder = GoogleCloudStorageBuilder::from_env()
                    .with_url(url.base())
                    .with_client_options(client)
                    .with_retry(retry);
                for (key, value) in &config.options {
                    builder = builder.with_config(key.parse::<GoogleConfigKey>().map_err(failed)?, value);
                }
                Arc::new(builder.build().map_err(failed)?)
            }
            StoreKind::Azure => {
                let mut builder = MicrosoftAzureBuilder::from_env()
                    .with_url(url.base())
                    .with_client_options(client)
                    .with_retry(retry);
                if let Some(endpoint) = &config.endpoint {
                    builder = builder.with_endpoint(endpoint.clone());
                }
                for (key, value) in &config.options {
                    builder = builder.with_config(key.parse::<AzureConfigKey>().map_err(failed)?, value);
                }
                Arc::new(builder.build().map_err(failed)?)
            }
            StoreKind::Folder => {
                std::fs::create_dir_all(url.folder()).map_err(|error| StoreError::folder(&url, &error))?;
                Arc::new(LocalFileSystem::new_with_prefix(url.folder()).map_err(failed)?.with_fsync(true))
            }
        };
        Ok(Self { store, url })
    }

    /// Returns the store's URL.
    pub fn url(&self) -> &StoreUrl {
        &self.url
    }

    /// Returns the URI that an object gets. Characters of names that stores do not allow are written in percent encoding.
    pub fn uri(&self, names: &[&str]) -> String {
        self.url.uri_of(self.path(names).as_ref())
    }

    fn path(&self, names: &[&str]) -> Path {
        let prefix = self.url.prefix.split('/').filter(|segment| !segment.is_empty());
        Path::from_iter(prefix.chain(names.iter().copied()))
    }

    /// Writes an object, whose name is the prefix of the store's URL followed by these names.
    ///
    /// # Errors
    /// When it cannot be written at the moment, with what to do.
    pub async fn put(&self, names: &[&str], content: Vec<Bytes>) -> Result<StoredObject, StoreError> {
        let path = self.path(names);
        let uri = self.url.uri_of(path.as_ref());
        let payload: PutPayload = content.into_iter().collect();
        match self.store.put(&path, payload).await {
            Ok(_) => Ok(StoredObject { uri }),
            Err(error) => Err(StoreError::writing(&self.url, uri, error)),
        }
    }
}

#[cfg(test)]
#[path = "payload_store/payload_store_tests.rs"]
mod tests;
