//! The body of GetMediaForFragmentList: the fragments asked for, without distance and token.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream as FutureStream, stream};
use tokio::sync::OwnedSemaphorePermit;

use crate::fault::{ErrorTagNames, FaultKind};
use crate::replace::replacement;
use crate::source::writer;
use crate::stream::Held;

pub(crate) struct ArchiveSession {
    fragments: VecDeque<Arc<Held>>,
    pieces: VecDeque<Bytes>,
    sent: u64,
    fault: Option<FaultKind>,
    // Held until the session is dropped.
    _permit: OwnedSemaphorePermit,
}

impl ArchiveSession {
    pub(crate) fn new(fragments: Vec<Arc<Held>>, fault: Option<FaultKind>, permit: OwnedSemaphorePermit) -> Self {
        Self { fragments: fragments.into(), pieces: VecDeque::new(), sent: 0, fault, _permit: permit }
    }

    pub(crate) fn into_body(self) -> impl FutureStream<Item = Result<Bytes, Infallible>> + Send {
        stream::unfold(self, |mut session| async move { session.next().map(|piece| (Ok(piece), session)) })
    }

    fn next(&mut self) -> Option<Bytes> {
        if let Some(piece) = self.pieces.pop_front() {
            return Some(piece);
        }
        let held = self.fragments.pop_front()?;
        if let Some(FaultKind::ErrorTag { after_fragments, error_id, error_code }) = &self.fault
            && self.sent >= *after_fragments
        {
            self.fragments.clear();
            return Some(writer().exception_chunk(&held.number, *error_id, error_code).into());
        }
        if let Some(FaultKind::FragmentError { fragments, error_id, error_code, tag_names, goes_on }) = &self.fault
            && fragments.iter().any(|number| number == held.number.as_str())
        {
            if !goes_on {
                self.fragments.clear();
            }
            return Some(match tag_names {
                ErrorTagNames::Seen => writer().archive_error_chunk(&held.number, *error_id, error_code).into(),
                ErrorTagNames::Documented => writer().exception_chunk(&held.number, *error_id, error_code).into(),
            });
        }
        self.sent += 1;
        if let Some(bytes) = replacement(self.fault.as_ref(), &held) {
            return Some(bytes);
        }
        self.pieces.extend(held.archived_pieces());
        self.pieces.pop_front()
    }
}
