//! Errors of stores, with what to do.

use super::config::{StoreKind, StoreUrl};

/// A store that cannot be used, or an object that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {}{}", reason(&**.source), remedy(*.kind, *.store))]
pub struct StoreError {
    /// What was being done, with the URL.
    pub doing: String,
    /// What kind of error it is.
    pub kind: StoreErrorKind,
    store: StoreKind,
    /// The client's error.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// The kinds of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// The settings are wrong.
    Settings,
    /// The credentials are not accepted.
    Credentials,
    /// The credentials are accepted but do not suffice.
    Denied,
    /// There is no such bucket or container.
    NoBucket,
    /// There is no room.
    Full,
    /// The folder must not be written.
    ReadOnly,
    /// The store does not respond in time, or refuses for the moment.
    Unavailable,
    /// Anything else.
    Other,
}

/// Returns an error with its causes, each once.
fn reason(error: &(dyn std::error::Error + Send + Sync + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    // Bodies of answers are long, and of several lines.
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((at, _)) = words.char_indices().nth(700) {
        words.truncate(at);
        words.push('…');
    }
    words
}

fn remedy(kind: StoreErrorKind, store: StoreKind) -> &'static str {
    match (kind, store) {
        (StoreErrorKind::Settings, _) => "; see payload.store.*",
        (StoreErrorKind::Credentials, StoreKind::S3) => "; S3 uses the connector's AWS credentials (kvs.credentials.*)",
        (StoreErrorKind::Credentials, _) => "; set the store's credentials with payload.store.option.*",
        (StoreErrorKind::Denied, StoreKind::S3) => "; grant s3:PutObject on the prefix",
        (StoreErrorKind::Denied, _) => "; grant the right to create and overwrite objects under the prefix",
        (StoreErrorKind::NoBucket, _) => "; create it, or change payload.store.url",
        (StoreErrorKind::Full, _) => "; make room: the stream continues then by itself",
        (StoreErrorKind::ReadOnly, _) => {
            "; let the worker's user write to the folder: the stream continues then by itself"
        }
        (StoreErrorKind::Unavailable, _) => "; the stream continues by itself when the store responds",
        (StoreErrorKind::Other, _) => "",
    }
}

impl StoreError {
    pub(super) fn opening(url: &StoreUrl, source: object_store::Error) -> Self {
        let doing = format!("cannot use payload.store.url {url}");
        Self { doing, kind: StoreErrorKind::Settings, store: url.kind, source: Box::new(source) }
    }

    pub(super) fn folder(url: &StoreUrl, error: &std::io::Error) -> Self {
        let doing = format!("cannot create the folder of payload.store.url {url}");
        let source = Box::new(std::io::Error::new(error.kind(), error.to_string()));
        Self { doing, kind: kind_of_io(error), store: url.kind, source }
    }

    pub(super) fn writing(url: &StoreUrl, uri: String, source: object_store::Error) -> Self {
        let kind = kind_of(&source);
        Self { doing: format!("cannot write {uri}"), kind, store: url.kind, source: Box::new(source) }
    }
}

fn kind_of_io(error: &std::io::Error) -> StoreErrorKind {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => StoreErrorKind::Full,
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => StoreErrorKind::ReadOnly,
        ErrorKind::TimedOut => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Other,
    }
}

fn kind_of(error: &object_store::Error) -> StoreErrorKind {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && kind_of_io(io) != StoreErrorKind::Other
        {
            return kind_of_io(io);
        }
        cause = error.source();
    }
    match error {
        object_store::Error::Unauthenticated { .. } => StoreErrorKind::Credentials,
        object_store::Error::PermissionDenied { source, .. } => {
            // S3 says 403 for wrong keys, too.
            let text = source.to_string();
            let is_key = ["InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"];
            if is_key.iter().any(|code| text.contains(code)) {
                StoreErrorKind::Credentials
            } else {
                StoreErrorKind::Denied
            }
        }
        object_store::Error::NotFound { .. } => StoreErrorKind::NoBucket,
        object_store::Error::Generic { source, .. } => {
            let text = reason(&**source);
            let is = |words: &[&str]| words.iter().any(|word| text.contains(word));
            match () {
                () if is(&["credentials", "provider"]) => StoreErrorKind::Credentials,
                () if is(&["NoSuchBucket", "ContainerNotFound", "404"]) => StoreErrorKind::NoBucket,
                () if is(&["timed out", "error sending request", "503", "500", "429", "connection"]) => {
                    StoreErrorKind::Unavailable
                }
                () => StoreErrorKind::Other,
            }
        }
        _ => StoreErrorKind::Other,
    }
}
