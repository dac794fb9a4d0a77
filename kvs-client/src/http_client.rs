//! The HTTP client that all calls and sessions of a [`Client`](crate::Client) share.

#[cfg(feature = "rustls")]
use std::path::{Path, PathBuf};

#[cfg(feature = "rustls")]
use reqwest::Certificate;
use reqwest::{NoProxy, Proxy};

use crate::config::HttpConfig;
use crate::error::ConfigError;
#[cfg(feature = "rustls")]
use crate::files;

/// The name and version that requests carry.
const USER_AGENT: &str = concat!("kvs-connect/", env!("CARGO_PKG_VERSION"));

/// Creates the client on a thread where blocking is allowed, because its certificates are read from a file.
pub(crate) async fn build_off_runtime(config: &HttpConfig) -> Result<reqwest::Client, ConfigError> {
    let config = config.clone();
    #[expect(clippy::disallowed_methods, reason = "the caller handles a panic as an error")]
    let built = tokio::task::spawn_blocking(move || build(&config)).await;
    built.map_err(|error| ConfigError::HttpClient { source: Box::new(error) })?
}

fn build(config: &HttpConfig) -> Result<reqwest::Client, ConfigError> {
    let mut builder = reqwest::Client::builder()
        .http1_only()
        .tcp_nodelay(true)
        .connect_timeout(config.connect_timeout)
        // A request is signed for its host, so a redirect is an error, which says where it points to.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(USER_AGENT);
    if let Some(url) = &config.proxy {
        let proxy = Proxy::all(url).map_err(|error| ConfigError::Proxy { source: Box::new(error.without_url()) })?;
        let exceptions = config.no_proxy.as_deref().map_or_else(NoProxy::from_env, NoProxy::from_string);
        builder = builder.proxy(proxy.no_proxy(exceptions));
    }
    #[cfg(feature = "rustls")]
    if let Some(file) = config.ca_file.clone().or_else(|| std::env::var_os("AWS_CA_BUNDLE").map(PathBuf::from)) {
        builder = builder.tls_certs_merge(certificates(&file)?);
    }
    builder.build().map_err(|error| ConfigError::HttpClient { source: Box::new(error) })
}

#[cfg(feature = "rustls")]
fn certificates(file: &Path) -> Result<Vec<Certificate>, ConfigError> {
    let file_name = || file.to_owned();
    let pem = files::read(file).map_err(|source| ConfigError::CertificatesUnreadable { file: file_name(), source })?;
    let found = Certificate::from_pem_bundle(&pem)
        .map_err(|error| ConfigError::CertificatesInvalid { file: file_name(), source: Box::new(error) })?;
    if found.is_empty() {
        return Err(ConfigError::NoCertificates { file: file_name() });
    }
    Ok(found)
}
