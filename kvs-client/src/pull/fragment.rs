//! A pulled fragment, with its memory and its response.

use kvs_mkv::{Continuity, Fragment};

use crate::budget::MemoryPermit;
use crate::resume::StreamPosition;
use crate::session::Session;

/// A fragment with its memory and the response that it came in.
#[derive(Debug)]
pub struct PulledFragment {
    /// The fragment.
    pub fragment: Fragment,
    /// The fragment's memory in the budget, which is used until this is dropped, for example after its commit.
    pub permit: MemoryPermit,
    /// The response's content type.
    pub content_type: Option<String>,
    /// The id of the request that returned the fragment.
    pub request_id: Option<String>,
    /// Whether the fragment does not continue the one that was yielded before it: it is the first one of its stream, something
    /// between the two was lost or skipped, or its producer began again.
    pub discontinuity: bool,
    /// What the next fragment is compared with.
    pub continuity: Continuity,
}

impl PulledFragment {
    pub(crate) fn new(fragment: Fragment, permit: MemoryPermit, session: &Session) -> Self {
        let content_type = session.content_type().map(str::to_owned);
        let request_id = session.request_id().map(str::to_owned);
        // The puller decides about the last two.
        Self { fragment, permit, content_type, request_id, discontinuity: false, continuity: Continuity::default() }
    }

    /// Returns the position after the fragment.
    pub fn position(&self) -> StreamPosition {
        StreamPosition { continuity: self.continuity, ..StreamPosition::after(&self.fragment) }
    }
}
