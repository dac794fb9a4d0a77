//! Which fragments continue the one before them: a puller's view of its stream.
//!
//! **Contract.** A fragment is a discontinuity if it is the first one of a stream, if the puller knows that something between
//! it and the fragment before it is not there (the position was lost, a fragment was skipped, the archive could not send
//! one), or if it does not continue the media of that fragment ([`Continuity`]). What has to be known of the last fragment is
//! part of the stream's position, so a puller that continues from the position decides like one that was never interrupted.

use std::collections::BTreeSet;

use kvs_mkv::{Continuity, FragmentNumber};

use super::PulledFragment;
use crate::resume::StreamPosition;

/// How many missing fragments are remembered: as many as a list of the archive has. Of those before that list nothing is left to
/// come, so the lowest one stands for them.
const MISSING_MAX: usize = 20_000;

/// The fragments of a stream as they follow each other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Succession {
    /// The position after the highest fragment that was yielded or skipped.
    last: Option<StreamPosition>,
    /// Fragments above it that cannot be fetched: the lowest of them, and the last [`MISSING_MAX`].
    missing: BTreeSet<FragmentNumber>,
}

impl Succession {
    /// Creates the succession of what comes after a position.
    pub(crate) fn after(position: Option<StreamPosition>) -> Self {
        Self { last: position, missing: BTreeSet::new() }
    }

    /// Notes that fragments between the last one and the next one may be gone.
    pub(crate) fn interrupt(&mut self) {
        if let Some(last) = &mut self.last {
            last.continuity.interrupted = true;
        }
    }

    /// Notes a fragment that was skipped, whose position says so.
    pub(crate) fn pass_over(&mut self, position: &StreamPosition) {
        self.last = Some(position.clone());
    }

    /// Notes fragments that cannot be fetched. Those that are not above the last one are no part of what comes next.
    #[cfg_attr(not(feature = "archive"), allow(dead_code))]
    pub(crate) fn miss(&mut self, numbers: &[FragmentNumber]) {
        let last = self.last.as_ref().map(|last| &last.fragment_number);
        let above = numbers.iter().filter(|number| last.is_none_or(|last| *number > last));
        self.missing.extend(above.cloned());
        while self.missing.len() > MISSING_MAX {
            let lowest = self.missing.pop_first();
            self.missing.pop_first();
            self.missing.extend(lowest);
        }
    }

    /// Decides about the next fragment.
    pub(crate) fn follow(&mut self, pulled: &mut PulledFragment) {
        let fragment = &pulled.fragment;
        let last = self.last.as_ref();
        let continuity = Continuity::after(fragment, last.map(|last| &last.continuity));
        // What the service repeats after a lost position proves nothing about what follows.
        let is_repeated = last.is_some_and(|last| fragment.number <= last.fragment_number);
        pulled.continuity = continuity;
        if is_repeated {
            pulled.discontinuity = false;
            return;
        }
        let is_continued = last.is_some_and(|last| last.continuity.is_continued_by(last.producer_timestamp, fragment));
        let above = self.missing.split_off(&fragment.number);
        let lacks_none = std::mem::replace(&mut self.missing, above).is_empty();
        self.missing.remove(&fragment.number);
        pulled.discontinuity = !(is_continued && lacks_none);
        self.last = Some(pulled.position());
    }
}

#[cfg(test)]
#[path = "succession_tests.rs"]
mod tests;
