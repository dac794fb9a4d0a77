//! The body of GetMediaForFragmentList: the requested fragments without trailing AWS tags.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream as FutureStream, stream};
use tokio::sync::OwnedSemaphorePermit;

use super::replace::replacement;
use crate::fault::{ErrorTagNames, FaultKind};
use crate::model::{StoredFragment, writer};

/// A session of GetMediaForFragmentList.
pub(crate) struct ArchiveSession {
    fragments: VecDeque<Arc<StoredFragment>>,
    pieces: VecDeque<Bytes>,
    fragments_sent: u64,
    fault: Option<FaultKind>,
    // Held until the session is dropped.
    _permit: OwnedSemaphorePermit,
}

impl ArchiveSession {
    pub(crate) fn new(
        fragments: Vec<Arc<StoredFragment>>,
        fault: Option<FaultKind>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self { fragments: fragments.into(), pieces: VecDeque::new(), fragments_sent: 0, fault, _permit: permit }
    }

    /// Returns the body as a stream of pieces.
    pub(crate) fn into_body(self) -> impl FutureStream<Item = Result<Bytes, Infallible>> + Send {
        stream::unfold(self, |mut session| async move { session.next().map(|piece| (Ok(piece), session)) })
    }

    fn next(&mut self) -> Option<Bytes> {
        if let Some(piece) = self.pieces.pop_front() {
            return Some(piece);
        }
        let fragment = self.fragments.pop_front()?;
        if let Some(FaultKind::ErrorTag { after_fragments, error_id, error_code }) = &self.fault
            && self.fragments_sent >= *after_fragments
        {
            self.fragments.clear();
            return Some(writer().exception_chunk(&fragment.number, *error_id, error_code).into());
        }
        if let Some(FaultKind::FragmentError { fragments, error_id, error_code, tag_names, goes_on }) = &self.fault
            && fragments.iter().any(|number| number == fragment.number.as_str())
        {
            if !goes_on {
                self.fragments.clear();
            }
            return Some(match tag_names {
                ErrorTagNames::Seen => writer().archive_error_chunk(&fragment.number, *error_id, error_code).into(),
                ErrorTagNames::Documented => writer().exception_chunk(&fragment.number, *error_id, error_code).into(),
            });
        }
        self.fragments_sent += 1;
        if let Some(bytes) = replacement(self.fault.as_ref(), &fragment) {
            return Some(bytes);
        }
        self.pieces.extend(fragment.archived_pieces());
        self.pieces.pop_front()
    }
}
