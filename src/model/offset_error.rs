//! Why a record of the offsets topic cannot be read.
//!
//! It must never be treated as "no offset": the stream would be published again.

use std::sync::Arc;

use kvs_mkv::BadFragmentNumber;

/// What is wrong with a record of the offsets topic.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OffsetError {
    /// The value is no JSON, or JSON of another form.
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
    /// The fragment number is none.
    #[error("fragmentNumber: {0}")]
    FragmentNumber(#[source] BadFragmentNumber),
    /// No fragment can have this sequence.
    #[error("sequence: 0 to {max} was expected, not {found}")]
    Sequence {
        /// What is there.
        found: i64,
        /// The largest that is taken.
        max: i64,
    },
}

impl From<serde_json::Error> for OffsetError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(Arc::new(error))
    }
}
