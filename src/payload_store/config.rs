//! What the settings say of a store.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use url::Url;

/// How a store is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct PayloadStoreConfig {
    /// Where payloads are written.
    pub url: StoreUrl,
    /// The region of S3.
    pub region: Option<String>,
    /// Another endpoint than the service's.
    pub endpoint: Option<String>,
    /// Whether the bucket is in the path of requests and not in the host's name.
    pub path_style: bool,
    /// How long one request may take.
    pub timeout: Duration,
    /// The proxy, whose URL may contain a password.
    pub proxy: Option<String>,
    /// Options of the store's client, by name.
    pub options: BTreeMap<String, String>,
}

/// Shows neither proxy nor options, which may contain secrets.
impl fmt::Debug for PayloadStoreConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PayloadStoreConfig").field("url", &self.url.to_string()).finish_non_exhaustive()
    }
}

/// The kinds of stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// Amazon S3 and what speaks its protocol.
    S3,
    /// Google Cloud Storage.
    GoogleCloud,
    /// Azure Blob Storage.
    Azure,
    /// A folder of this machine.
    Folder,
}

/// The URL of a store: the kind, the bucket or container, and a prefix of all names; or a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreUrl {
    /// Which store.
    pub kind: StoreKind,
    /// `s3://bucket`, without the prefix.
    base: String,
    /// What all names begin with, without slashes at its ends.
    pub prefix: String,
}

/// A text that is not the URL of a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreUrlError {
    /// It is no URL of a known kind.
    #[error("s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///FOLDER was expected")]
    Scheme,
    /// There is no bucket.
    #[error("a bucket was expected after the scheme, as in s3://BUCKET/PREFIX")]
    NoBucket,
    /// A folder is not absolute, or the URL names a machine.
    #[error("an absolute folder was expected, as in file:///var/lib/payloads")]
    NotFolder,
    /// It has parts that no such URL has. They are not shown, because they may be secret.
    #[error("neither a user, a port, a query nor a fragment was expected; keys belong in payload.store.option.*")]
    More,
}

impl StoreUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, StoreUrlError> {
        let url = Url::parse(text).map_err(|_| StoreUrlError::Scheme)?;
        let kind = match url.scheme() {
            "s3" => StoreKind::S3,
            "gs" => StoreKind::GoogleCloud,
            "az" => StoreKind::Azure,
            "file" => StoreKind::Folder,
            _ => return Err(StoreUrlError::Scheme),
        };
        let has_more = !url.username().is_empty() || url.password().is_some() || url.port().is_some();
        if has_more || url.query().is_some() || url.fragment().is_some() {
            return Err(StoreUrlError::More);
        }
        let host = url.host_str().unwrap_or_default();
        if kind == StoreKind::Folder {
            let folder = url.to_file_path().ok().filter(|folder| folder.is_absolute() && host.is_empty());
            let folder = folder.and_then(|folder| folder.to_str().map(str::to_owned));
            let folder = folder.filter(|folder| folder != "/").ok_or(StoreUrlError::NotFolder)?;
            return Ok(Self { kind, base: folder, prefix: String::new() });
        }
        if host.is_empty() {
            return Err(StoreUrlError::NoBucket);
        }
        let prefix = url.path().trim_matches('/').to_owned();
        Ok(Self { kind, base: format!("{}://{host}", url.scheme()), prefix })
    }

    /// Returns the URL without the prefix.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Returns the folder.
    pub(super) fn folder(&self) -> &Path {
        Path::new(&self.base)
    }

    /// Returns the URI of an object with this path in the store.
    pub(super) fn uri_of(&self, path: &str) -> String {
        match self.kind {
            StoreKind::Folder => format!("file://{}/{path}", self.base.trim_end_matches('/')),
            _ => format!("{}/{path}", self.base),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            StoreKind::Folder => write!(formatter, "file://{}", self.base),
            _ if self.prefix.is_empty() => formatter.write_str(&self.base),
            _ => write!(formatter, "{}/{}", self.base, self.prefix),
        }
    }
}

/// Checks that a store of this kind has an option.
///
/// # Errors
/// When it has none of this name.
pub fn option_names(kind: StoreKind, name: &str) -> Result<(), String> {
    let unknown = |what: &str| format!("is no option of {what}; see the documentation of the Rust crate object_store");
    let is_known = match kind {
        StoreKind::S3 => name.parse::<object_store::aws::AmazonS3ConfigKey>().is_ok(),
        StoreKind::GoogleCloud => name.parse::<object_store::gcp::GoogleConfigKey>().is_ok(),
        StoreKind::Azure => name.parse::<object_store::azure::AzureConfigKey>().is_ok(),
        StoreKind::Folder => false,
    };
    let what = match kind {
        StoreKind::S3 => "S3",
        StoreKind::GoogleCloud => "Google Cloud Storage",
        StoreKind::Azure => "Azure Blob Storage",
        StoreKind::Folder => "a folder, which has none",
    };
    if is_known { Ok(()) } else { Err(unknown(what)) }
}
