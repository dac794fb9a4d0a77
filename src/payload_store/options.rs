//! Options of the stores' clients, which the settings pass on by name.

use object_store::ClientConfigKey;
use object_store::aws::AmazonS3ConfigKey as S3;
use object_store::azure::AzureConfigKey as Azure;
use object_store::gcp::GoogleConfigKey as Google;

use super::url::StoreKind;

/// Reasons why a store does not have an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// There is none of this name.
    #[error("is no option of {}", .0.title())]
    Unknown(StoreKind),
    /// A folder has no options.
    #[error("has no effect: a folder has no options")]
    OfFolder,
    /// There is a setting for it.
    #[error("has no effect: use {0}")]
    OwnSetting(&'static str),
    /// It changes requests that are never made.
    #[error("has no effect: objects are only written")]
    Unused,
}

/// The settings that HTTP clients of all stores get.
const HTTP: OptionError = OptionError::OwnSetting(
    "kvs.connect.timeout.ms, kvs.proxy.url, kvs.proxy.exceptions, kvs.tls.ca.file and payload.store.timeout.ms",
);
const CHAIN: OptionError = OptionError::OwnSetting("kvs.credentials.* and kvs.role.arn");

/// Checks that a store of this kind has an option.
///
/// # Errors
/// Why not.
pub fn check_option(kind: StoreKind, name: &str) -> Result<(), OptionError> {
    let own = |setting| Err(OptionError::OwnSetting(setting));
    let unknown = |_| OptionError::Unknown(kind);
    match kind {
        StoreKind::Folder => Err(OptionError::OfFolder),
        StoreKind::S3 => match name.parse::<S3>().map_err(unknown)? {
            S3::Client(key) => client(&key),
            S3::Region | S3::DefaultRegion => own("payload.store.region"),
            S3::Endpoint | S3::S3Endpoint => own("payload.store.endpoint"),
            S3::VirtualHostedStyleRequest => own("payload.store.path.style"),
            S3::Bucket => own("payload.store.url"),
            S3::CopyIfNotExists | S3::ConditionalPut | S3::DisableBulkDelete => Err(OptionError::Unused),
            S3::ImdsV1Fallback
            | S3::MetadataEndpoint
            | S3::ContainerCredentialsRelativeUri
            | S3::ContainerCredentialsFullUri
            | S3::ContainerAuthorizationTokenFile
            | S3::WebIdentityTokenFile
            | S3::RoleArn
            | S3::RoleSessionName
            | S3::StsEndpoint => Err(CHAIN),
            _ => Ok(()),
        },
        StoreKind::GoogleCloud => match name.parse::<Google>().map_err(unknown)? {
            Google::Client(key) => client(&key),
            Google::Bucket => own("payload.store.url"),
            Google::BaseUrl => own("payload.store.endpoint"),
            _ => Ok(()),
        },
        StoreKind::Azure => match name.parse::<Azure>().map_err(unknown)? {
            Azure::Client(key) => client(&key),
            Azure::ContainerName => own("payload.store.url"),
            Azure::Endpoint | Azure::UseEmulator => own("payload.store.endpoint"),
            _ => Ok(()),
        },
    }
}

fn client(key: &ClientConfigKey) -> Result<(), OptionError> {
    match key {
        ClientConfigKey::AllowHttp => {
            Err(OptionError::OwnSetting("payload.store.endpoint, which may begin with http://"))
        }
        _ => Err(HTTP),
    }
}

/// Returns the names of the options that a store of this kind has, each in its longest form.
pub const fn option_names(kind: StoreKind) -> &'static [&'static str] {
    match kind {
        StoreKind::Folder => &[],
        StoreKind::S3 => &[
            "aws_access_key_id",
            "aws_secret_access_key",
            "aws_session_token",
            "aws_server_side_encryption",
            "aws_sse_kms_key_id",
            "aws_sse_bucket_key_enabled",
            "aws_sse_customer_key_base64",
            "aws_unsigned_payload",
            "aws_checksum_algorithm",
            "aws_request_payer",
            "aws_skip_signature",
            "aws_s3_express",
            "aws_disable_tagging",
        ],
        StoreKind::GoogleCloud => &[
            "google_service_account",
            "google_service_account_key",
            "google_application_credentials",
            "google_bearer_token",
            "google_skip_signature",
        ],
        StoreKind::Azure => &[
            "azure_storage_account_name",
            "azure_storage_account_key",
            "azure_storage_client_id",
            "azure_storage_client_secret",
            "azure_storage_tenant_id",
            "azure_storage_authority_host",
            "azure_storage_sas_key",
            "azure_storage_token",
            "azure_storage_encryption_key",
            "azure_msi_endpoint",
            "azure_object_id",
            "azure_msi_resource_id",
            "azure_federated_token_file",
            "azure_credential_type",
            "azure_use_azure_cli",
            "azure_use_fabric_endpoint",
            "azure_skip_signature",
            "azure_disable_tagging",
        ],
    }
}

/// Returns whether the value of an option is secret, as far as its name says. Unknown names count, too: a misspelt key is as
/// secret as the right one.
pub fn is_secret_option(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_harmless = ["_id", "_enabled", "_file", "_type", "_url", "_name", "skip_signature"];
    let smells = ["key", "secret", "token", "password", "sas", "signature", "credential"];
    // The path of a file, which has the credentials.
    let is_path = name.ends_with("application_credentials");
    !is_path && !is_harmless.iter().any(|end| name.ends_with(end)) && smells.iter().any(|part| name.contains(part))
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
