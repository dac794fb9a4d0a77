//! What an audit finds.

use kvs_mkv::FragmentNumber;

use super::reasons::Reason;

/// Where a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The topic.
    pub topic: std::sync::Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// The archive has the fragment, and Kafka does not.
    Missing,
    /// The fragment is published a second time.
    Duplicate,
    /// The record comes after one that should follow it.
    OutOfOrder,
    /// The record's media are not those of the archive, or not what the record says of them.
    Altered,
    /// Records with these sequences are not there.
    Hole,
}

impl FindingKind {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Duplicate => "duplicate",
            Self::OutOfOrder => "out_of_order",
            Self::Altered => "altered",
            Self::Hole => "hole",
        }
    }
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// The fragment; `None` for a hole.
    pub number: Option<FragmentNumber>,
    /// The first and the last sequence, as far as they are known.
    pub sequences: Option<(i64, i64)>,
    /// When the service received the fragment, in milliseconds since 1970.
    pub server_ms: Option<i64>,
    /// The record.
    pub place: Option<Place>,
    /// Why, if that is known.
    pub reason: Option<Reason>,
}
