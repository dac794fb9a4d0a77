//! Creates the client of each kind of store.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kvs_client::files;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};

use super::config::PayloadStoreConfig;
use super::credentials::{AwsCredentials, bridge};
use super::error::StoreError;
use super::http::Connector;
use super::url::StoreKind;

/// How long failed requests are repeated. The last attempt may begin just before that and find out for another ten seconds that
/// nothing moves.
const RETRY_TIMEOUT: Duration = Duration::from_secs(4);
/// How many times a request is repeated at most.
const RETRIES_MAX: usize = 4;
/// The longest delay between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// Creates the client of a store.
///
/// # Errors
/// When a setting or a file that one names cannot be used, or a folder cannot be created.
pub(super) fn open(
    config: &PayloadStoreConfig,
    credentials: &Arc<dyn AwsCredentials>,
) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let url = &config.url;
    for name in config.options.keys() {
        super::check_option(url.kind, name).map_err(|error| StoreError::option(url, name, error))?;
    }
    if url.kind == StoreKind::Folder {
        return folder(config);
    }
    let connector = Connector::new(config).map_err(|error| StoreError::client(url, &error))?;
    let failed = |error| StoreError::opening(config, &error);
    match url.kind {
        StoreKind::S3 => s3(config, connector, credentials).map_err(failed),
        StoreKind::GoogleCloud => google(config, connector),
        _ => azure(config, connector),
    }
}

fn retry() -> RetryConfig {
    let backoff = BackoffConfig { max_backoff: BACKOFF_MAX, ..BackoffConfig::default() };
    RetryConfig { backoff, max_retries: RETRIES_MAX, retry_timeout: RETRY_TIMEOUT }
}

fn s3(
    config: &PayloadStoreConfig,
    connector: Connector,
    credentials: &Arc<dyn AwsCredentials>,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    let bucket = config.url.bucket();
    let mut builder =
        AmazonS3Builder::new().with_bucket_name(bucket).with_http_connector(connector).with_retry(retry());
    if let Some(region) = &config.region {
        builder = builder.with_region(region);
    }
    // A certificate for *.s3.REGION.amazonaws.com does not cover a bucket with dots in its name.
    let is_path_style = config.path_style || bucket.contains('.') && config.endpoint.is_none();
    builder = builder.with_virtual_hosted_style_request(!is_path_style);
    let china = || {
        let region = config.region.as_deref().filter(|region| region.starts_with("cn-"))?;
        Some(format!("https://s3.{region}.amazonaws.com.cn"))
    };
    if let Some(endpoint) = config.endpoint.clone().or_else(china) {
        // object_store takes an endpoint of this style as one that already has the bucket.
        builder = builder.with_endpoint(if is_path_style { endpoint } else { with_host(&endpoint, bucket) });
    }
    let mut has_own_key = false;
    for (name, value) in &config.options {
        let key = name.parse::<AmazonS3ConfigKey>()?;
        has_own_key |= matches!(
            key,
            AmazonS3ConfigKey::AccessKeyId | AmazonS3ConfigKey::SecretAccessKey | AmazonS3ConfigKey::SkipSignature
        );
        builder = builder.with_config(key, value);
    }
    if !has_own_key {
        builder = builder.with_credentials(bridge(Arc::clone(credentials)));
    }
    Ok(Arc::new(builder.build()?))
}

/// Returns an endpoint with the bucket in front of its host.
fn with_host(endpoint: &str, bucket: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{bucket}.{}", rest.trim_end_matches('/')),
        None => endpoint.to_owned(),
    }
}

fn google(config: &PayloadStoreConfig, connector: Connector) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let failed = |error| StoreError::opening(config, &error);
    let mut builder = GoogleCloudStorageBuilder::from_env()
        .with_bucket_name(config.url.bucket())
        .with_http_connector(connector)
        .with_retry(retry());
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_base_url(endpoint.trim_end_matches('/'));
    }
    for (name, value) in &config.options {
        let key = name.parse::<GoogleConfigKey>().map_err(failed)?;
        if matches!(key, GoogleConfigKey::ServiceAccount | GoogleConfigKey::ApplicationCredentials) {
            check_file(config, name, value)?;
        }
        builder = builder.with_config(key, value);
    }
    Ok(Arc::new(builder.build().map_err(failed)?))
}

fn azure(config: &PayloadStoreConfig, connector: Connector) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let failed = |error| StoreError::opening(config, &error);
    let mut builder = MicrosoftAzureBuilder::from_env()
        .with_url(config.url.base())
        .with_http_connector(connector)
        .with_retry(retry());
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
    }
    for (name, value) in &config.options {
        let key = name.parse::<AzureConfigKey>().map_err(failed)?;
        if key == AzureConfigKey::FederatedTokenFile {
            check_file(config, name, value)?;
        }
        builder = builder.with_config(key, value);
    }
    Ok(Arc::new(builder.build().map_err(failed)?))
}

/// Checks a file before object_store reads it: a pipe or a device would never end.
fn check_file(config: &PayloadStoreConfig, name: &str, file: &str) -> Result<(), StoreError> {
    files::read(Path::new(file)).map(|_| ()).map_err(|error| StoreError::file(&config.url, name, file, &error))
}

fn folder(config: &PayloadStoreConfig) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let url = &config.url;
    std::fs::create_dir_all(url.folder()).map_err(|error| StoreError::folder(url, &error))?;
    let folder = LocalFileSystem::new_with_prefix(url.folder()).map_err(|error| StoreError::opening(config, &error))?;
    Ok(Arc::new(folder.with_fsync(true)))
}
