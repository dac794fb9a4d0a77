//! Reasons why a reference to a secret cannot be resolved. No error contains the value.

use super::FORMS;

/// Reasons why the references in a setting cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// A setting that is sent as a credential contains something that begins like a reference but is none.
    #[error("it contains ${{ but not as part of a reference; references are {FORMS}")]
    NoReference,
    /// A reference in a setting that must have the same value on all workers.
    #[error("{reference}: the setting must be the same on all workers, so it cannot contain references")]
    SameEverywhere {
        /// The reference.
        reference: String,
    },
    /// A reference cannot be resolved on this worker.
    #[error("{reference}: {source}")]
    Unresolved {
        /// The reference.
        reference: String,
        /// Why not.
        source: ProviderError,
    },
}

/// Reasons why a provider cannot resolve a reference.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// The reference names no provider.
    #[error("no provider is named")]
    NoProvider,
    /// The reference has no path followed by a name.
    #[error("${{{provider}:/path:name}} was expected")]
    NoPath {
        /// The provider.
        provider: String,
    },
    /// The worker does not allow the variable.
    #[error("the variable is not allowed; the worker's {setting} must match its name")]
    VariableNotAllowed {
        /// The worker's setting that allows variables.
        setting: &'static str,
    },
    /// The worker's environment does not have the variable, or not as text.
    #[error("the variable is not set on this worker")]
    VariableNotSet,
    /// The worker does not allow the path, which may exist or not.
    #[error("the path is not allowed; the worker's {setting} must contain it, or a folder above it")]
    PathNotAllowed {
        /// The worker's setting that allows paths.
        setting: &'static str,
    },
    /// The path is allowed, but nothing exists there.
    #[error("it cannot be read: {0}")]
    NotFound(#[source] std::io::Error),
    /// The file cannot be read.
    #[error("it {0}")]
    Unreadable(#[source] kvs_client::files::FileError),
    /// The properties file does not have the key.
    #[error("the file has no such key")]
    NoSuchKey,
    /// The name of a file in a folder is a path.
    #[error("a file name was expected, not a path")]
    NotFileName,
}
