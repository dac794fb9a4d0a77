//! What can be wrong with a stream of media.

use std::fmt;

use crate::ebml;

/// Why the splitter refused its input, and where.
///
/// The splitter is back at its beginning afterwards: feed it a new stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Detail>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Detail {
    kind: ErrorKind,
    element_id: u32,
    offset: u64,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No valid element id at this place.
    #[error("no valid element id")]
    BadElementId,
    /// The size field is not valid.
    #[error("the size field is not valid")]
    BadElementSize,
    /// The file ends inside an element.
    #[error("the file ends inside an element")]
    Truncated,
    /// Only Segment and Cluster may have an unknown size.
    #[error("its size is unknown, which only Segment and Cluster may be")]
    UnknownSize,
    /// A chunk has to begin with an EBML header.
    #[error("a chunk has to begin with an EBML header")]
    NotAChunk,
    /// The EBML header is not followed by a Segment.
    #[error("a Segment was expected after the EBML header")]
    NoSegment,
    /// The element reaches over the end of its parent.
    #[error("it reaches over the end of its parent {parent}")]
    Overruns {
        /// Name of the parent element.
        parent: &'static str,
    },
    /// A limit of [`crate::Limits`] is passed.
    #[error("{what} would be {actual}, the limit is {limit}")]
    TooLarge {
        /// What is limited, with its unit: `"fragment bytes"`, `"tags"`.
        what: &'static str,
        /// What it is, or would be at least.
        actual: u64,
        /// The limit.
        limit: u64,
    },
    /// The content of a block, or of its lacing, is not valid.
    #[error("the block is not valid: {reason}")]
    BadBlock {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The content does not fit the element's type.
    #[error("its content is not valid")]
    BadContent,
    /// A chunk came to its end without saying its fragment number.
    #[error("the chunk has no AWS_KINESISVIDEO_FRAGMENT_NUMBER")]
    MissingFragmentNumber,
    /// The fragment number is not 1 to 128 decimal digits.
    #[error("AWS_KINESISVIDEO_FRAGMENT_NUMBER is not 1 to 128 decimal digits")]
    BadFragmentNumber,
    /// The continuation token is not of the form the service gives.
    #[error("AWS_KINESISVIDEO_CONTINUATION_TOKEN is not 1 to 128 characters")]
    BadContinuationToken,
    /// Media after the trailing AWS tags would belong to no fragment.
    #[error("media follows the continuation token in the same chunk")]
    MediaAfterToken,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, element_id: u32, offset: u64) -> Self {
        Self(Box::new(Detail { kind, element_id, offset }))
    }

    /// What is wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Name of the element concerned, as RFC 9559 has it, or "unknown element".
    pub fn element(&self) -> &'static str {
        ebml::name(self.0.element_id)
    }

    /// Id of the element concerned, with its marker bits.
    pub fn element_id(&self) -> u32 {
        self.0.element_id
    }

    /// Where the element begins, in bytes since the start of the stream.
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
