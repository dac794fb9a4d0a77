//! Where payloads are stored outside of Kafka: S3, Google Cloud Storage, Azure or a folder.
//!
//! **Contract.** An object is visible as a whole or not at all, and writing it again replaces it. A folder gets an object under
//! another name first; file and folder are on disk before the object has its own name. The bytes are not copied. Requests that
//! fail are repeated for a few seconds, so an error comes within about 15 seconds; an upload that makes progress may take as long
//! as `payload.store.timeout.ms` says. The caller tries again with its own delays. No error, log line or debug output contains
//! credentials.

mod config;
mod credentials;
mod error;
mod http;
mod open;
mod options;
mod url;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::path::{Path, PathPart};
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

pub use config::PayloadStoreConfig;
pub use credentials::{AwsCredentials, AwsCredentialsError, AwsKeys};
pub use error::{StoreError, StoreErrorKind};
pub use options::{OptionError, check_option, is_secret_option, option_names};
pub use url::{StoreKind, StoreUrl, StoreUrlError};

/// The name of the object that [`PayloadStore::check`] writes.
const CHECK_NAME: &str = ".kvs-connect-write-check";
/// What that object contains, for people who find it.
const CHECK_CONTENT: &[u8] = b"kvs-connect checks that it can write here. This object may be deleted.\n";
/// How long removing that object may take.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(5);

/// A place for payloads.
#[derive(Clone)]
pub struct PayloadStore {
    store: Arc<dyn ObjectStore>,
    url: StoreUrl,
    credentials: Arc<dyn AwsCredentials>,
}

/// Shows nothing but the URL: the store's client has credentials.
impl fmt::Debug for PayloadStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PayloadStore").field("url", &self.url.to_string()).finish_non_exhaustive()
    }
}

/// An object that has been written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Its URI, as other tools take it: `s3://bucket/key`, `gs://…`, `az://…`, `abfss://…` or `file:///…`.
    pub uri: String,
    /// Its size, in bytes.
    pub size_bytes: u64,
}

impl PayloadStore {
    /// Opens a store. Nothing is requested from it; a folder is created if it is missing. Blocks, because files of certificates
    /// are read. S3 uses `credentials` unless the options have an access key of the store's own.
    ///
    /// # Errors
    /// When a setting or a file that one names cannot be used, or the folder cannot be created.
    pub fn open(config: &PayloadStoreConfig, credentials: Arc<dyn AwsCredentials>) -> Result<Self, StoreError> {
        let store = open::open(config, &credentials)?;
        Ok(Self { store, url: config.url.clone(), credentials })
    }

    /// Returns the store's URL.
    pub fn url(&self) -> &StoreUrl {
        &self.url
    }

    /// Returns the URI that an object with these names gets.
    pub fn uri(&self, names: &[&str]) -> String {
        self.url.uri_of(self.path(names).as_ref())
    }

    fn path(&self, names: &[&str]) -> Path {
        let prefix = self.url.prefix.split('/').filter(|segment| !segment.is_empty());
        Path::from_iter(prefix.chain(names.iter().copied()))
    }

    /// Writes an object, whose key is the prefix of the store's URL followed by these names.
    ///
    /// # Errors
    /// [`StoreErrorKind::Name`] when a name is empty, `.`, `..`, or has characters that a store would have to rewrite. Otherwise
    /// when the object cannot be written at the moment, with what to do.
    pub async fn put(&self, names: &[&str], content: Vec<Bytes>) -> Result<StoredObject, StoreError> {
        if let Some(name) = names.iter().find(|name| !is_safe(name)) {
            return Err(StoreError::name(&self.url, name));
        }
        if names.is_empty() {
            return Err(StoreError::name(&self.url, ""));
        }
        let path = self.path(names);
        let uri = self.url.uri_of(path.as_ref());
        let size_bytes = content.iter().map(|part| part.len() as u64).sum();
        let payload: PutPayload = content.into_iter().collect();
        match self.store.put(&path, payload).await {
            Ok(_) => Ok(StoredObject { uri, size_bytes }),
            Err(error) => {
                let error = StoreError::writing(&self.url, &uri, &error);
                if error.kind == StoreErrorKind::Credentials {
                    // They may have been revoked or replaced before their time. The next attempt gets new ones.
                    self.credentials.forget().await;
                }
                Err(error)
            }
        }
    }

    /// Reads an object that was written to this store, by the URI that its record has.
    ///
    /// # Errors
    /// [`StoreErrorKind::Name`] when the URI is not one of this store's; otherwise when the object cannot be read.
    pub async fn get(&self, uri: &str) -> Result<Bytes, StoreError> {
        let path = self.url.path_of(uri).and_then(|path| Path::parse(path).ok());
        let path = path.ok_or_else(|| StoreError::foreign(&self.url, uri))?;
        let reading = |error: object_store::Error| StoreError::reading(&self.url, uri, &error);
        self.store.get(&path).await.map_err(reading)?.bytes().await.map_err(reading)
    }

    /// Checks that objects can be written, by writing a small one under the prefix of the store's URL and removing it again.
    ///
    /// Only the right to create objects under the prefix is needed. Where the object may not be removed it stays; it has always
    /// the same name, so there is at most one.
    ///
    /// # Errors
    /// As [`PayloadStore::put`].
    pub async fn check(&self) -> Result<(), StoreError> {
        self.put(&[CHECK_NAME], vec![Bytes::from_static(CHECK_CONTENT)]).await?;
        let path = self.path(&[CHECK_NAME]);
        // Writing is what counts; nobody needs the right to delete.
        let _ = tokio::time::timeout(REMOVE_TIMEOUT, self.store.delete(&path)).await;
        Ok(())
    }
}

/// Returns whether a name is one segment of a path that every store takes as it is.
fn is_safe(name: &str) -> bool {
    !name.is_empty() && PathPart::from(name).as_ref() == name
}

#[cfg(test)]
#[path = "payload_store/payload_store_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "payload_store/s3_tests.rs"]
mod s3_tests;

#[cfg(test)]
#[path = "payload_store/azure_tests.rs"]
mod azure_tests;

#[cfg(test)]
#[path = "payload_store/folder_tests.rs"]
mod folder_tests;
