//! What part of an archive is wanted: times, numbers of fragments, or both.

use kvs_mkv::{FragmentNumber, Timestamp};

use super::ArchiveRange;

/// What part of a stream's archive is wanted; every bound is included, and one that is missing bounds nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchiveBounds {
    /// The begin, in server time.
    pub from: Option<Timestamp>,
    /// The end, in server time.
    pub to: Option<Timestamp>,
    /// The first fragment.
    pub first: Option<FragmentNumber>,
    /// The last fragment.
    pub last: Option<FragmentNumber>,
}

impl From<ArchiveRange> for ArchiveBounds {
    fn from(range: ArchiveRange) -> Self {
        Self { from: Some(range.from), to: Some(range.to), ..Self::default() }
    }
}

impl ArchiveBounds {
    /// The range of time, where the bounds have both its ends.
    pub(super) fn range(&self) -> Option<ArchiveRange> {
        Some(ArchiveRange { from: self.from?, to: self.to? })
    }

    /// Whether a fragment's number is within.
    pub(super) fn has(&self, number: &FragmentNumber) -> bool {
        self.first.as_ref().is_none_or(|first| number >= first) && self.last.as_ref().is_none_or(|last| number <= last)
    }
}
