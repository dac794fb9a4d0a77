//! Why a reference to a secret cannot be resolved. No error holds the value.

use super::FORMS;

/// What is wrong with the references in a setting.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// A setting that is sent as a credential has something that begins as a reference does and is none.
    #[error("what begins with ${{ in it is no reference; references are {FORMS}")]
    NoReference,
    /// A reference stands where all workers have to have the same value.
    #[error("{reference}: has to be the same on all workers, so no reference can stand here")]
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

/// Why a provider has no value for a reference.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// The reference names no provider.
    #[error("no provider is named")]
    NoProvider,
    /// The reference has no path with a name behind it.
    #[error("${{{provider}:/path:name}} was expected")]
    NoPath {
        /// The provider.
        provider: String,
    },
    /// The worker does not allow the variable.
    #[error("the variable is not allowed; the worker's {setting} has to match its name")]
    VariableNotAllowed {
        /// The worker's setting that would.
        setting: &'static str,
    },
    /// The worker's environment does not have the variable, as text.
    #[error("the variable is not set on this worker")]
    VariableNotSet,
    /// The worker does not allow the path, whether there is something or not.
    #[error("the path is not allowed; the worker's {setting} has to name it, or a folder above it")]
    PathNotAllowed {
        /// The worker's setting that would.
        setting: &'static str,
    },
    /// The path is allowed, and nothing can be found there.
    #[error("it cannot be read: {0}")]
    NotFound(#[source] std::io::Error),
    /// The file cannot be read.
    #[error("it {0}")]
    Unreadable(#[source] kvs_client::files::FileError),
    /// The file of properties does not have the key.
    #[error("the file has no such key")]
    NoSuchKey,
    /// The name of a file in a folder is a path.
    #[error("the name of a file in the folder was expected")]
    NotFileName,
}
