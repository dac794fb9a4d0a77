//! The positions of a shard's streams while it is owned, and which fragments are already published.
//!
//! The outcome of a publication, by its fragment's number and that of the stream's last published fragment:
//!
//! | publication | stream's last fragment | [`Outcome`] |
//! |---|---|---|
//! | notifications only, which move no offset | any | `New` |
//! | any fragment | none: the stream has no position | `New` |
//! | above it, by one or by a gap | known | `New`; gaps come from the service's numbering |
//! | the same number, or below: pulled again after a loss, or out of order | known | `AlreadyPublished` |

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kvs_mkv::FragmentNumber;

use super::recover::Positions;
use crate::model::{OffsetKey, Publication, Sequences, StoredOffset};

/// The positions of a shard's streams: from the recovery read, and then as fragments are written. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct SharedPositions(Arc<Mutex<Positions>>);

/// The outcome of a publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The publication is written.
    New,
    /// The fragment is not above the stream's last one, and is not written again.
    AlreadyPublished {
        /// The stream's last fragment.
        last: FragmentNumber,
    },
}

impl SharedPositions {
    /// Creates positions from a recovery read.
    pub fn new(positions: Positions) -> Self {
        Self(Arc::new(Mutex::new(positions)))
    }

    fn lock(&self) -> MutexGuard<'_, Positions> {
        // Nothing panics while the lock is held, and the map is never half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adopts the position that a stream had under another key, if it is above the known one.
    pub fn adopt(&self, key: &OffsetKey, offset: StoredOffset) {
        let mut positions = self.lock();
        let known = positions.get(key);
        if known.is_none_or(|known| known.fragment_number < offset.fragment_number) {
            let sequence = known.and_then(|known| known.sequence);
            positions.insert(key.clone(), StoredOffset { sequence, ..offset });
        }
    }

    /// Returns the position of a stream.
    pub fn get(&self, key: &OffsetKey) -> Option<StoredOffset> {
        self.lock().get(key).cloned()
    }

    /// Returns the outcome of a publication.
    pub(super) fn outcome(&self, publication: &Publication) -> Outcome {
        let Some(offset) = &publication.offset else { return Outcome::New };
        match self.lock().get(&publication.key) {
            Some(last) if offset.fragment_number <= last.fragment_number => {
                Outcome::AlreadyPublished { last: last.fragment_number.clone() }
            }
            _ => Outcome::New,
        }
    }

    /// Gives a publication its sequence. From now on the publication counts as the stream's last; if the transaction
    /// fails, all positions are read again.
    pub(super) fn admit(&self, mut publication: Publication, sequences: &mut Sequences) -> Publication {
        let key = &publication.key;
        let sequence = if publication.has_sequence() { Some(sequences.next(key)) } else { sequences.last(key) };
        publication.set_sequence(sequence);
        if let Some(offset) = &publication.offset {
            self.lock().insert((*publication.key).clone(), offset.clone());
        }
        publication
    }
}
