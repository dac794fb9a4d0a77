//! Errors of stores: which store and object, what kind of error, and what to do.
//!
//! No error keeps object_store's own: its text has URLs, which may be signed, and whole answers. What it says is in `reason`, as
//! far as it may be shown.

use std::error::Error;

use kvs_client::files::FileError;
use kvs_client::{shown_up_to, with_causes};

use super::config::PayloadStoreConfig;
use super::credentials::NoCredentials;
use super::http::{ClientError, Refusal, TransferError};
use super::options::{OptionError, is_secret_option};
use super::url::{StoreKind, StoreUrl};

/// The maximum number of characters of a reason.
const REASON_MAX_CHARS: usize = 700;
/// The shortest secret that is looked for in texts: a shorter one would be found by chance.
const SECRET_MIN_BYTES: usize = 3;

/// A store that cannot be used, or an object that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {reason}{advice}")]
pub struct StoreError {
    /// What was being done, with the URL of the store or of the object.
    pub doing: String,
    /// What kind of error it is.
    pub kind: StoreErrorKind,
    /// What went wrong, without credentials.
    pub reason: String,
    /// What to do, beginning with a semicolon; empty if unknown.
    pub advice: String,
}

/// The kinds of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// The settings, or files that they name, cannot be used.
    Settings,
    /// The name of an object cannot be used.
    Name,
    /// There are no credentials, or they are not accepted.
    Credentials,
    /// The credentials are accepted but do not suffice.
    Denied,
    /// There is no such bucket or container.
    NoBucket,
    /// The bucket is in another region.
    WrongRegion,
    /// There is no room.
    Full,
    /// The folder must not be written.
    ReadOnly,
    /// The store does not respond in time.
    TimedOut,
    /// There is no connection to the store, or it broke.
    Unreachable,
    /// The store's certificate is not accepted, or it does not speak TLS.
    Tls,
    /// The store refuses for the moment, for example because there are too many requests.
    Busy,
    /// Anything else.
    Other,
}

impl StoreError {
    pub(super) fn opening(config: &PayloadStoreConfig, error: &(dyn Error + 'static)) -> Self {
        let doing = format!("cannot use payload.store.url {}", config.url);
        // A text may quote what it could not read.
        let secrets =
            config.options.iter().filter(|(name, value)| is_secret_option(name) && value.len() >= SECRET_MIN_BYTES);
        let text = secrets.fold(with_causes(error), |text, (_, value)| text.replace(value, "********"));
        let reason = shown_up_to(&text, REASON_MAX_CHARS);
        Self { doing, kind: StoreErrorKind::Settings, reason, advice: "; see payload.store.*".to_owned() }
    }

    pub(super) fn client(url: &StoreUrl, error: &ClientError) -> Self {
        let doing = format!("cannot use payload.store.url {url}");
        let advice = "; see kvs.tls.ca.file and kvs.proxy.url".to_owned();
        Self { doing, kind: StoreErrorKind::Settings, reason: error.to_string(), advice }
    }

    pub(super) fn option(url: &StoreUrl, name: &str, error: OptionError) -> Self {
        let doing = format!("cannot use payload.store.url {url}");
        let reason = format!("payload.store.option.{} {error}", shown_up_to(name, 100));
        Self { doing, kind: StoreErrorKind::Settings, reason, advice: String::new() }
    }

    pub(super) fn file(url: &StoreUrl, name: &str, file: &str, error: &FileError) -> Self {
        let doing = format!("cannot use payload.store.url {url}");
        let reason = format!("payload.store.option.{name}: {} {error}", shown_up_to(file, 300));
        Self { doing, kind: StoreErrorKind::Settings, reason, advice: String::new() }
    }

    pub(super) fn folder(url: &StoreUrl, error: &std::io::Error) -> Self {
        let kind = kind_of_io(error).unwrap_or(StoreErrorKind::Other);
        let doing = format!("cannot create the folder of payload.store.url {url}");
        let advice = match kind {
            StoreErrorKind::Other => "; create it, or change payload.store.url".to_owned(),
            kind => advice(kind, StoreKind::Folder).to_owned(),
        };
        Self { doing, kind, reason: error.to_string(), advice }
    }

    pub(super) fn name(url: &StoreUrl, name: &str) -> Self {
        let doing = format!("cannot write into {url}");
        let reason = format!("{:?} cannot be part of an object's name", shown_up_to(name, 100));
        let advice = "; letters, digits and -_. are expected, but neither . nor ..".to_owned();
        Self { doing, kind: StoreErrorKind::Name, reason, advice }
    }

    pub(super) fn writing(url: &StoreUrl, uri: &str, error: &(dyn Error + 'static)) -> Self {
        let found = Found::of(error, url.kind);
        let mut advice = found.advice.unwrap_or_else(|| advice(found.kind, url.kind).to_owned());
        if matches!(found.kind, StoreErrorKind::TimedOut | StoreErrorKind::Unreachable | StoreErrorKind::Tls) {
            advice.push_str("; the stream continues by itself when the store responds");
        }
        Self { doing: format!("cannot write {uri}"), kind: found.kind, reason: found.reason, advice }
    }

    pub(super) fn foreign(url: &StoreUrl, uri: &str) -> Self {
        let doing = format!("cannot read {}", shown_up_to(uri, 300));
        let reason = format!("it is not in {url}");
        let advice = "; pass the settings of the connector that wrote it".to_owned();
        Self { doing, kind: StoreErrorKind::Name, reason, advice }
    }

    pub(super) fn reading(url: &StoreUrl, uri: &str, error: &(dyn Error + 'static)) -> Self {
        let found = Found::of(error, url.kind);
        let advice = match found.kind {
            // What a store says here is about writing.
            StoreErrorKind::Denied => "; reading needs a right that writing does not (s3:GetObject)".to_owned(),
            kind => found.advice.unwrap_or_else(|| advice(kind, url.kind).to_owned()),
        };
        Self { doing: format!("cannot read {}", shown_up_to(uri, 300)), kind: found.kind, reason: found.reason, advice }
    }
}

/// What an error of object_store comes from.
struct Found {
    kind: StoreErrorKind,
    reason: String,
    advice: Option<String>,
}

impl Found {
    fn of(error: &(dyn Error + 'static), store: StoreKind) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(refusal) = error.downcast_ref::<Refusal>() {
                return Self::refusal(refusal);
            }
            if let Some(transfer) = error.downcast_ref::<TransferError>() {
                let (kind, advice) = of_transfer(transfer);
                return Self { kind, reason: transfer.to_string(), advice: advice.map(str::to_owned) };
            }
            if let Some(none) = error.downcast_ref::<NoCredentials>() {
                return Self { kind: StoreErrorKind::Credentials, reason: with_causes(none), advice: None };
            }
            if let Some(io) = error.downcast_ref::<std::io::Error>()
                && store == StoreKind::Folder
            {
                let kind = kind_of_io(io).unwrap_or(StoreErrorKind::Other);
                return Self { kind, reason: io.to_string(), advice: None };
            }
            cause = error.source();
        }
        Self { kind: StoreErrorKind::Other, reason: innermost(error), advice: None }
    }

    fn refusal(refusal: &Refusal) -> Self {
        let kind = kind_of_refusal(refusal);
        let advice = match (kind, &refusal.region, &*refusal.code) {
            (StoreErrorKind::WrongRegion, Some(region), _) => {
                Some(format!("; the bucket is in {region}: set payload.store.region={region}"))
            }
            (_, _, "RequestTimeTooSkewed") => Some("; set the clock of this machine".to_owned()),
            _ => None,
        };
        Self { kind, reason: refusal.to_string(), advice }
    }
}

/// Returns the text of the last cause. The texts of those before it have URLs.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    shown_up_to(&last.to_string(), REASON_MAX_CHARS)
}

fn kind_of_refusal(refusal: &Refusal) -> StoreErrorKind {
    match (&*refusal.code, refusal.status) {
        (
            "PermanentRedirect"
            | "TemporaryRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException",
            _,
        ) => StoreErrorKind::WrongRegion,
        (
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "InvalidToken"
            | "TokenRefreshRequired"
            | "RequestTimeTooSkewed"
            | "AuthenticationFailed"
            | "InvalidAuthenticationInfo"
            | "UNAUTHENTICATED"
            | "invalid_grant"
            | "invalid_client"
            | "unauthorized_client",
            _,
        ) => StoreErrorKind::Credentials,
        ("NoSuchBucket" | "ContainerNotFound", _) => StoreErrorKind::NoBucket,
        ("QuotaExceeded" | "InsufficientStorage" | "XMinioStorageFull", _) | (_, 507) => StoreErrorKind::Full,
        (_, 301 | 307 | 308) => StoreErrorKind::WrongRegion,
        (_, 401) => StoreErrorKind::Credentials,
        (_, 403) => StoreErrorKind::Denied,
        (_, 404) => StoreErrorKind::NoBucket,
        (_, 408 | 409 | 429 | 500..) => StoreErrorKind::Busy,
        _ => StoreErrorKind::Other,
    }
}

fn of_transfer(error: &TransferError) -> (StoreErrorKind, Option<&'static str>) {
    let TransferError::Broken(cause) = error else {
        return match error {
            TransferError::Stalled { .. } | TransferError::TooSlow { .. } => (StoreErrorKind::TimedOut, None),
            _ => (StoreErrorKind::Other, None),
        };
    };
    let has = |parts: &[&str]| parts.iter().any(|part| cause.contains(part));
    if has(&["invalid peer certificate", "certificate verify failed"]) {
        (StoreErrorKind::Tls, Some("; check the host, and kvs.tls.ca.file"))
    } else if has(&["InvalidContentType", "wrong version number"]) {
        (
            StoreErrorKind::Tls,
            Some("; the server does not use TLS: check whether payload.store.endpoint should be http://"),
        )
    } else if has(&["dns error"]) {
        let advice = "; the host name has no address: check payload.store.endpoint, the region, and the machine's DNS";
        (StoreErrorKind::Unreachable, Some(advice))
    } else if has(&["tunnel", "proxy"]) {
        (StoreErrorKind::Unreachable, Some("; check kvs.proxy.url and kvs.proxy.exceptions"))
    } else if has(&["Connection refused"]) {
        let advice =
            "; nothing is listening there: check payload.store.endpoint with its port, and whether the store runs";
        (StoreErrorKind::Unreachable, Some(advice))
    } else {
        (StoreErrorKind::Unreachable, None)
    }
}

fn kind_of_io(error: &std::io::Error) -> Option<StoreErrorKind> {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Some(StoreErrorKind::Full),
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Some(StoreErrorKind::ReadOnly),
        ErrorKind::TimedOut => Some(StoreErrorKind::TimedOut),
        _ => None,
    }
}

fn advice(kind: StoreErrorKind, store: StoreKind) -> &'static str {
    match (kind, store) {
        (StoreErrorKind::Settings | StoreErrorKind::Name, _) => "",
        (StoreErrorKind::Credentials, StoreKind::S3) => {
            "; S3 uses the connector's AWS credentials (kvs.credentials.*, kvs.role.arn), or payload.store.option.aws_access_key_id \
             and aws_secret_access_key"
        }
        (StoreErrorKind::Credentials, StoreKind::GoogleCloud) => {
            "; set payload.store.option.google_service_account, or GOOGLE_APPLICATION_CREDENTIALS for the worker"
        }
        (StoreErrorKind::Credentials, _) => {
            "; set payload.store.option.azure_storage_account_key, or another of Azure's credentials"
        }
        (StoreErrorKind::Denied, StoreKind::S3) => {
            "; allow s3:PutObject on the prefix for these credentials, and kms:GenerateDataKey if the bucket has a KMS key"
        }
        // Azure says so of a wrong key, too, and behind a firewall of the account.
        (StoreErrorKind::Denied, StoreKind::Azure) => {
            "; check payload.store.option.azure_storage_account_key or whichever credentials are set, the role (Storage Blob Data \
             Contributor) and the account's network rules"
        }
        (StoreErrorKind::Denied, _) => "; grant the right to create and overwrite objects under the prefix",
        (StoreErrorKind::NoBucket, _) => "; create it, or change payload.store.url",
        (StoreErrorKind::WrongRegion, _) => "; set payload.store.region to the bucket's region",
        (StoreErrorKind::Full, _) => "; make room: the stream then continues by itself",
        (StoreErrorKind::ReadOnly, _) => {
            "; let the worker's user write to the folder: the stream then continues by itself"
        }
        (StoreErrorKind::TimedOut, _) => {
            "; check that payload.store.endpoint and the region lead to the store, and whether it hangs"
        }
        (StoreErrorKind::Tls | StoreErrorKind::Unreachable, _) => "; check payload.store.endpoint, and the network",
        (StoreErrorKind::Busy, _) => "; the stream continues by itself when the store accepts requests again",
        (StoreErrorKind::Other, _) => "",
    }
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
