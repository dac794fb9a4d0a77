//! What becomes of a position that was lost: looked for in the archive, and told.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kvs_mkv::Timestamp;

use super::{Pulled, Puller};
use crate::archive::{ArchivePuller, ArchiveRange, Archived};
use crate::error::Error;
use crate::resume::{PositionLost, StreamPosition};

/// How far ahead of this machine's clock the service's may be: with more, it takes no request.
const CLOCKS_APART_MAX_MS: i64 = 300_000;

/// A position that was lost.
pub(super) struct Lost {
    pub(super) position: StreamPosition,
    pub(super) fetched: u64,
    pub(super) missing: u64,
    pub(super) archive_asked: bool,
}

impl Puller {
    /// The position is lost: what was missed is looked for in the archive, if that is wanted.
    pub(super) fn note_lost(&mut self) {
        let Some(position) = self.resume.position().cloned() else { return };
        let asked_before = self.lost.as_ref().is_some_and(|lost| lost.archive_asked);
        let now = Timestamp::from_system_time(SystemTime::now());
        let range = position.server_timestamp.and_then(|from| missed(from, now));
        if let (true, false, Some(range)) = (self.config.gap_check, asked_before, range) {
            self.gap = Some(Box::new(ArchivePuller::new(
                Arc::clone(&self.client),
                self.stream.clone(),
                range,
                Some(&position),
                self.config.clone(),
                self.budget.clone(),
            )));
            if let Some(gap) = &mut self.gap {
                gap.set_waits(Arc::clone(&self.waits));
            }
        }
        if self.lost.is_none() {
            self.lost = Some(Lost { position, fetched: 0, missing: 0, archive_asked: self.gap.is_some() });
        }
    }

    /// The position is lost, and that is to end the stream.
    pub(super) fn given_up(&self) -> Error {
        let place =
            self.resume.position().map_or(String::new(), |place| format!(" (fragment {})", place.fragment_number));
        Error::Config {
            reason: format!(
                "stream {}: the service knows its place{place} no more, and kvs.position.lost is fail: fragments may be \
                 gone; set the stream's offset, or kvs.position.lost to earliest or now",
                self.stream
            ),
        }
    }

    /// What the archive has. `None`: it is done, and the stream goes on by GetMedia.
    pub(super) async fn fill_gap(&mut self) -> Result<Option<Pulled>, Error> {
        let Some(gap) = &mut self.gap else { return Ok(None) };
        let next = gap.next().await;
        // What goes before the archive's first fragment is gone without a word, unless the archive has the place itself.
        let waits =
            matches!(next, Ok(Archived::Begun { .. } | Archived::WaitsForTime { .. } | Archived::Retrying { .. }));
        if self.config.position_lost == PositionLost::Fail && next.is_ok() && !waits && !gap.lists_its_place() {
            self.gap = None;
            return Err(self.given_up());
        }
        match next {
            Ok(Archived::Fragment(pulled)) => {
                // From here on the stream can be resumed by this fragment's number.
                self.resume.advance(StreamPosition::after(&pulled.fragment));
                if let Some(lost) = &mut self.lost {
                    lost.fetched += 1;
                }
                Ok(Some(Pulled::Fragment(pulled)))
            }
            Ok(Archived::Begun { .. } | Archived::Listed | Archived::WaitsForTime { .. }) => Ok(None),
            Ok(Archived::PassedOver(passed_over)) => {
                self.resume.advance(passed_over.position.clone());
                Ok(Some(Pulled::PassedOver(passed_over)))
            }
            Ok(Archived::Missing { numbers }) => {
                if let Some(lost) = &mut self.lost {
                    lost.missing += numbers.len() as u64;
                }
                Ok(None)
            }
            Ok(Archived::Retrying { error, delay }) => Ok(Some(Pulled::Retrying { error, delay })),
            Ok(Archived::Done) => {
                self.gap = None;
                Ok(None)
            }
            // The archive cannot be had: what was missed stays unknown, the stream goes on.
            Err(error) => {
                self.gap = None;
                Ok(Some(Pulled::Retrying { error, delay: Duration::ZERO }))
            }
        }
    }
}

/// Returns the time in which fragments may have been missed: from the last one's server time until now. `None` for a time
/// that the service's clock cannot have shown: the archive would be listed only when it has come.
fn missed(from: Timestamp, now: Timestamp) -> Option<ArchiveRange> {
    let ahead_ms = from.millis().saturating_sub(now.millis());
    if from.millis() < 0 || ahead_ms > CLOCKS_APART_MAX_MS {
        tracing::warn!(
            server_timestamp_ms = from.millis(),
            "the lost place's server time cannot be right: the archive is not asked for what was missed"
        );
        return None;
    }
    Some(ArchiveRange { from, to: now.max(from) })
}

#[cfg(test)]
#[path = "gap_tests.rs"]
mod tests;
