//! Where the streams of a shard are while it is owned, and which fragments are published.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kvs_mkv::FragmentNumber;

use super::offset::{OffsetKey, StoredOffset};
use super::outgoing::Outgoing;
use super::recover::Positions;
use super::sequence::Sequences;
use crate::telemetry;

/// Where the streams of a shard are: from the recovery read, and then as fragments are written.
#[derive(Debug, Clone, Default)]
pub struct SharedPositions(Arc<Mutex<Positions>>);

impl SharedPositions {
    /// As they were read.
    pub fn new(positions: Positions) -> Self {
        Self(Arc::new(Mutex::new(positions)))
    }

    fn lock(&self) -> MutexGuard<'_, Positions> {
        // Nothing panics while it is held, and a map is never half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes where a stream was under another key; a place that is not above the known one changes nothing.
    pub fn adopt(&self, key: &OffsetKey, offset: StoredOffset) {
        let mut positions = self.lock();
        let known = positions.get(key);
        if known.is_none_or(|known| known.fragment_number < offset.fragment_number) {
            let sequence = known.and_then(|known| known.sequence);
            positions.insert(key.clone(), StoredOffset { sequence, ..offset });
        }
    }

    /// Where a stream is.
    pub fn get(&self, key: &OffsetKey) -> Option<StoredOffset> {
        self.lock().get(key).cloned()
    }
}

/// Returns the number of the stream's last fragment when this one is not above it: it was published before.
pub(super) fn published_before(outgoing: &Outgoing, positions: &SharedPositions) -> Option<FragmentNumber> {
    let offset = outgoing.offset.as_ref()?;
    let last = positions.get(&outgoing.key)?.fragment_number;
    if offset.fragment_number > last {
        return None;
    }
    telemetry::duplicate_dropped(&outgoing.key);
    tracing::debug!(stream = %outgoing.key.stream, %last, "a fragment that was published before is dropped");
    Some(last)
}

/// Gives a fragment its sequence. What is being written counts as the stream's last from now on; if it fails, all is
/// read anew.
pub(super) fn admit(mut outgoing: Outgoing, positions: &SharedPositions, sequences: &mut Sequences) -> Outgoing {
    let key = &outgoing.key;
    let sequence = if outgoing.has_sequence() { Some(sequences.next(key)) } else { sequences.last(key) };
    outgoing.set_sequence(sequence);
    if let Some(offset) = &outgoing.offset {
        positions.lock().insert((*outgoing.key).clone(), offset.clone());
    }
    outgoing
}
