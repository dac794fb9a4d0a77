//! What the splitter reports: events, and how the input ended.

use crate::fragment::{ErrorReport, Fragment};
use crate::number::FragmentNumber;

/// Which sign completes a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Completion {
    /// The continuation token at the end of its chunk, as in responses of GetMedia.
    #[default]
    Token,
    /// The start of the next chunk or a clean end of the response, as in responses of GetMediaForFragmentList, which
    /// have no tokens.
    NextChunkOrEnd,
}

/// One thing that the splitter found in the stream.
///
/// The enum is exhaustive on purpose: a consumer that overlooks a new kind of event would silently lose data.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A complete fragment.
    Fragment(Fragment),
    /// A fragment whose chunk ended without a continuation token, because the next chunk began. Pull the fragment again
    /// before publishing it.
    Unterminated(Fragment),
    /// An error with which the service ended the session. It must never move a position.
    Error(ErrorReport),
}

/// How the input ended; see [`Splitter::finish`](crate::Splitter::finish).
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one of these per response")]
pub enum End {
    /// The input ended between two chunks.
    Clean,
    /// The input ended with a last event that could only be recognized at the end.
    Event(Event),
    /// The input ended inside a chunk, which is incomplete and has to be pulled again.
    Cut {
        /// Number of the incomplete fragment, if it had been read.
        number: Option<FragmentNumber>,
        /// Bytes of the chunk that had arrived.
        received_bytes: usize,
    },
}
