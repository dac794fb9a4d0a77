//! What the settings say of a store.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::url::StoreUrl;

/// How a store is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct PayloadStoreConfig {
    /// Where payloads are written.
    pub url: StoreUrl,
    /// The region of the S3 bucket. Other stores have none.
    pub region: Option<String>,
    /// Another endpoint than the service's, `http://HOST:PORT` or `https://HOST:PORT`.
    pub endpoint: Option<String>,
    /// Whether the bucket is in the path of requests to S3 and not in the host's name.
    pub path_style: bool,
    /// How long one attempt to write an object may take, from connecting to the end of the response.
    pub timeout: Duration,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// The proxy, whose URL may contain a password; otherwise that of the environment.
    pub proxy: Option<String>,
    /// Hosts to reach without the proxy, separated by commas; otherwise `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// A file of certificates in PEM to trust besides the system's; otherwise `AWS_CA_BUNDLE`.
    pub ca_file: Option<PathBuf>,
    /// Options of the store's client, by name.
    pub options: BTreeMap<String, String>,
}

/// Shows neither proxy nor options, which may contain secrets.
impl fmt::Debug for PayloadStoreConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PayloadStoreConfig").field("url", &self.url.to_string()).finish_non_exhaustive()
    }
}
