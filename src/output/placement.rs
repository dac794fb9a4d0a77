//! Where the payload of a fragment is, as its records say it.

use serde::Serialize;

use crate::model::PayloadMode;

/// Where a payload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// In which way it is stored.
    pub mode: PayloadMode,
    /// The object that has it.
    pub uri: Option<String>,
    /// Its SHA-256 in hexadecimal digits, unless it is in the record.
    pub sha256: Option<String>,
    /// The records that have it.
    pub chunks: Option<ChunksPlacement>,
}

/// The records that have a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChunksPlacement {
    /// Their topic.
    pub topic: String,
    /// Their partition.
    pub partition: i64,
    /// How many there are.
    pub count: i64,
    /// Size of each but the last, in bytes.
    pub max_size_bytes: i64,
}

impl Placement {
    /// In the record itself.
    pub const INLINE: Self = Self { mode: PayloadMode::Inline, uri: None, sha256: None, chunks: None };

    /// Returns that of a payload that is left out.
    pub fn none() -> Self {
        Self { mode: PayloadMode::None, ..Self::INLINE }
    }

    /// Returns that of a payload in an object; `sha256`: its hash, unless the object has more than the payload.
    pub fn in_object(uri: String, sha256: Option<String>) -> Self {
        Self { mode: PayloadMode::Reference, uri: Some(uri), sha256, chunks: None }
    }

    /// Returns that of a payload in records.
    pub fn in_chunks(chunks: ChunksPlacement, sha256: String) -> Self {
        Self { mode: PayloadMode::Chunked, uri: None, sha256: Some(sha256), chunks: Some(chunks) }
    }
}
