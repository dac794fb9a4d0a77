//! What can be wrong with media.

use std::fmt;

use crate::elements;
use crate::limits::LimitKind;

/// Why media cannot be read, with the element and the stream offset concerned.
///
/// A splitter that has returned an error is ready for a new stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Detail>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Detail {
    kind: ErrorKind,
    element_id: u32,
    offset: u64,
}

/// What is wrong with the media.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no valid element id at this offset.
    #[error("no valid element id")]
    BadElementId,
    /// The element's size field is not valid.
    #[error("the size field is not valid")]
    BadElementSize,
    /// The file ends inside an element.
    #[error("the file ends inside an element")]
    Truncated,
    /// The element has an unknown size, which only Segment and Cluster may have.
    #[error("the size is unknown, which is allowed for Segment and Cluster only")]
    UnknownSize,
    /// The chunk does not begin with an EBML header.
    #[error("a chunk has to begin with an EBML header")]
    NotAChunk,
    /// The EBML header is not followed by a Segment.
    #[error("a Segment was expected after the EBML header")]
    NoSegment,
    /// The element extends beyond the end of its parent.
    #[error("the element extends beyond the end of its parent {parent}")]
    Overruns {
        /// Name of the parent element.
        parent: &'static str,
    },
    /// A limit of [`crate::Limits`] is exceeded.
    #[error("{what} would be {actual}, the limit is {limit}")]
    TooLarge {
        /// Which limit is exceeded.
        what: LimitKind,
        /// The amount found, or the least amount that reading on would need.
        actual: u64,
        /// The limit that applies.
        limit: u64,
    },
    /// The content of a block, or of its lacing, is not valid.
    #[error("the block is not valid: {reason}")]
    BadBlock {
        /// What is wrong with the block.
        reason: &'static str,
    },
    /// The content does not match the element's type.
    #[error("the content is not valid")]
    BadContent,
    /// The chunk ended without a fragment number.
    #[error("the chunk has no AWS_KINESISVIDEO_FRAGMENT_NUMBER")]
    MissingFragmentNumber,
    /// The fragment number is not 1 to 128 decimal digits.
    #[error("AWS_KINESISVIDEO_FRAGMENT_NUMBER is not 1 to 128 decimal digits")]
    BadFragmentNumber,
    /// The continuation token is not 1 to 128 ASCII characters.
    #[error("AWS_KINESISVIDEO_CONTINUATION_TOKEN is not 1 to 128 characters")]
    BadContinuationToken,
    /// Media follows the trailing AWS tags, where it would belong to no fragment.
    #[error("media follows the continuation token in the same chunk")]
    MediaAfterToken,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, element_id: u32, offset: u64) -> Self {
        Self(Box::new(Detail { kind, element_id, offset }))
    }

    /// Returns what is wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Returns the name of the element concerned, as RFC 9559 spells it, or "unknown element".
    pub fn element(&self) -> &'static str {
        elements::name(self.0.element_id)
    }

    /// Returns the id of the element concerned, with its marker bits.
    pub fn element_id(&self) -> u32 {
        self.0.element_id
    }

    /// Returns the offset of the element concerned, in bytes since the start of the stream.
    pub fn offset(&self) -> u64 {
        self.0.offset
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} (id 0x{:X}) at byte {}: {}",
            self.element(),
            self.element_id(),
            self.offset(),
            self.kind()
        )
    }
}

impl std::error::Error for Error {}
