//! The HTTP client, made from the settings.

use std::path::{Path, PathBuf};

use reqwest::{Certificate, NoProxy, Proxy};

use crate::config::HttpConfig;
use crate::credentials::with_causes;
use crate::error::Error;
use crate::files;

/// The name and version that requests carry.
const USER_AGENT: &str = concat!("kvs-connect/", env!("CARGO_PKG_VERSION"));

/// Makes the client on a thread where waiting is allowed: its certificates are read from a file.
pub(crate) async fn build_off_runtime(config: &HttpConfig) -> Result<reqwest::Client, Error> {
    let config = config.clone();
    let built = tokio::task::spawn_blocking(move || build(&config)).await;
    built.map_err(|error| Error::Config { reason: format!("the HTTP client cannot be made: {error}") })?
}

fn build(config: &HttpConfig) -> Result<reqwest::Client, Error> {
    let refuse = |reason: String| Error::Config { reason };
    let mut builder = reqwest::Client::builder()
        .http1_only()
        .tcp_nodelay(true)
        .connect_timeout(config.connect_timeout)
        // A signed request is for its host: one that is sent elsewhere is an error that says where.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(USER_AGENT);
    if let Some(url) = &config.proxy {
        // The URL may hold a password.
        let proxy = Proxy::all(url).map_err(|_| refuse("the proxy is no URL, http://host:port".to_owned()))?;
        let exceptions = config.no_proxy.as_deref().map_or_else(NoProxy::from_env, NoProxy::from_string);
        builder = builder.proxy(proxy.no_proxy(exceptions));
    }
    let bundle = config.ca_file.clone().or_else(|| std::env::var_os("AWS_CA_BUNDLE").map(PathBuf::from));
    if let Some(file) = bundle {
        builder = builder.tls_certs_merge(certificates(&file).map_err(refuse)?);
    }
    builder.build().map_err(|error| refuse(format!("the HTTP client cannot be made: {}", with_causes(&error))))
}

fn certificates(file: &Path) -> Result<Vec<Certificate>, String> {
    let in_file = |reason: String| format!("the certificates in {}: {reason}", file.display());
    let pem = files::read(file).map_err(|error| in_file(error.to_string()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| in_file(with_causes(&error)))?;
    if found.is_empty() {
        return Err(in_file("there is none".to_owned()));
    }
    Ok(found)
}
