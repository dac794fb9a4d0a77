//! The bytes of a chunk that cannot be parsed.

use std::fmt;

use crate::budget::MemoryPermit;

/// The bytes of a chunk that cannot be parsed, from its EBML header on. The default is none.
#[derive(Default)]
#[non_exhaustive]
pub struct RawChunk {
    /// The first bytes of the chunk, at most [`PullerConfig::raw_max_bytes`](crate::PullerConfig::raw_max_bytes).
    pub bytes: Vec<u8>,
    /// How many bytes the chunk has, if its end was seen: where the next chunk begins, or where the response of the archive
    /// ends. `None` if it was not, which includes any chunk of which more arrived than is kept.
    pub size_bytes: Option<u64>,
    /// The memory of the bytes in the budget, which is used until this is dropped.
    pub permit: MemoryPermit,
}

impl RawChunk {
    /// Returns whether the chunk has, or may have, more bytes than these.
    pub fn is_cut_off(&self) -> bool {
        self.size_bytes.is_none_or(|size| size > self.bytes.len() as u64)
    }
}

/// Shows the sizes only.
impl fmt::Debug for RawChunk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("RawChunk");
        shown.field("bytes", &self.bytes.len()).field("size_bytes", &self.size_bytes).finish_non_exhaustive()
    }
}

/// Whether a session keeps the bytes of a chunk that cannot be parsed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawWish {
    /// How many of them, at most.
    pub(crate) max_bytes: usize,
    /// Whether a fragment is skipped when it is broken as before. Until then it is pulled again, and its bytes are not
    /// needed.
    pub(crate) is_last_attempt: bool,
}
