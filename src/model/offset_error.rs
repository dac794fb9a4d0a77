//! Reasons why a record of the offsets topic cannot be read.
//!
//! Such a record must never be treated as "no offset", which would publish the stream again.

use std::sync::Arc;

use kvs_mkv::BadFragmentNumber;

/// Reasons why a record of the offsets topic cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OffsetError {
    /// The value is not JSON, or JSON of another form.
    #[error("{0}")]
    Json(#[source] Arc<serde_json::Error>),
    /// A later version wrote it.
    #[error("it is of version {found} and this worker knows up to {known}: run a newer worker")]
    Version {
        /// The value's version.
        found: u32,
        /// The latest that this worker knows.
        known: u32,
    },
    /// The fragment number is invalid.
    #[error("fragmentNumber: {0}")]
    FragmentNumber(#[source] BadFragmentNumber),
    /// No fragment can have this sequence.
    #[error("sequence: 0 to {max} was expected, not {found}")]
    Sequence {
        /// The value found.
        found: i64,
        /// The largest valid one.
        max: i64,
    },
}

impl From<serde_json::Error> for OffsetError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(Arc::new(error))
    }
}
