//! A pulled fragment, with its memory and its response.

use kvs_mkv::Fragment;

use crate::budget::MemoryPermit;
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
}

impl PulledFragment {
    pub(crate) fn new(fragment: Fragment, permit: MemoryPermit, session: &Session) -> Self {
        let content_type = session.content_type().map(str::to_owned);
        Self { fragment, permit, content_type, request_id: session.request_id().map(str::to_owned) }
    }
}
