//! Fills the gap after a lost position from the archive.

use std::time::{Duration, SystemTime};

use kvs_mkv::Timestamp;

use super::state::State;
use super::{Pulled, Puller};
use crate::archive::{ArchivePuller, ArchiveRange, Archived};
use crate::error::Error;
use crate::resume::{PositionLost, StreamPosition};

/// How far the service's clock may be ahead of this machine's, in milliseconds: with more, the service refuses
/// requests.
const CLOCKS_APART_MAX_MS: i64 = 300_000;

impl Puller {
    /// Idle → FillingGap, if the position is that of a fragment in a gap that was being filled. What the archive did not have
    /// there is seen again, which GetMedia would just not send.
    pub(super) fn continue_gap(&mut self) {
        if let Some(position) = self.resume.position().filter(|position| position.continuity.in_gap).cloned() {
            self.begin_gap(&position);
        }
    }

    /// Idle → FillingGap, if the settings ask for it and it has not been done for this loss. Returns whether it is.
    pub(super) fn begin_gap(&mut self, position: &StreamPosition) -> bool {
        let asked_before = self.loss.as_ref().is_some_and(|loss| loss.fetched.is_some());
        if !self.source.config.gap_check || asked_before {
            return false;
        }
        let now = Timestamp::from_system_time(SystemTime::now());
        let Some(range) = position.server_timestamp.and_then(|from| missed(from, now)) else { return false };
        let archive = ArchivePuller::of_source(self.source.clone(), range.into(), Some(position));
        let archive = archive.continuing(self.succession.clone());
        self.state = State::FillingGap(Box::new(archive));
        true
    }

    /// FillingGap → FillingGap, or Idle when the archive has no more.
    pub(super) async fn fill_gap(&mut self) -> Result<Option<Pulled>, Error> {
        let State::FillingGap(archive) = &mut self.state else { return Ok(None) };
        let archived = archive.next().await;
        // Fragments before the archive's first one have disappeared, unless the archive has the position itself.
        let is_listed = !matches!(
            archived,
            Ok(Archived::Begun { .. } | Archived::WaitsForTime { .. } | Archived::Retrying { .. }) | Err(_)
        );
        // A position that is not lost is left to GetMedia, which may still know it.
        let fails = self.source.config.position_lost == PositionLost::Fail && self.resume.is_lost();
        if fails && is_listed && !archive.lists_start_position() {
            self.state = State::default();
            return Err(self.position_lost());
        }
        match archived {
            Ok(Archived::Fragment(mut pulled)) => {
                pulled.continuity.in_gap = true;
                // From now on the stream can be resumed by this fragment's number.
                self.resume.advance(pulled.position());
                if let Some(fetched) = self.loss.as_mut().and_then(|loss| loss.fetched.as_mut()) {
                    *fetched += 1;
                }
                Ok(Some(Pulled::Fragment(pulled)))
            }
            Ok(Archived::Begun { .. } | Archived::Listed | Archived::WaitsForTime { .. }) => Ok(None),
            Ok(Archived::PassedOver(mut passed_over)) => {
                passed_over.position.continuity.in_gap = true;
                self.resume.advance(passed_over.position.clone());
                Ok(Some(Pulled::PassedOver(passed_over)))
            }
            Ok(Archived::Missing { numbers }) => {
                if let Some(loss) = &mut self.loss {
                    loss.missing += numbers.len() as u64;
                }
                Ok(None)
            }
            Ok(Archived::Retrying { error, delay }) => Ok(Some(Pulled::Retrying { error, delay })),
            Ok(Archived::Done) => {
                self.leave_gap(true);
                Ok(None)
            }
            // What was missed stays unknown, and the stream continues.
            Err(error) => {
                self.leave_gap(false);
                Ok(Some(Pulled::Retrying { error, delay: Duration::ZERO }))
            }
        }
    }

    /// FillingGap → Idle. GetMedia continues after the last fragment of the archive. If there was none, it continues from the
    /// lost position in another way, which may leave something out.
    fn leave_gap(&mut self, was_read: bool) {
        let State::FillingGap(archive) = std::mem::take(&mut self.state) else { return };
        let has_nothing_more = was_read && archive.lists_start_position();
        self.succession = archive.into_succession();
        if self.resume.is_lost() && !(has_nothing_more && self.source.config.position_lost != PositionLost::Now) {
            self.succession.interrupt();
        }
    }
}

/// Returns the time in which fragments may have been missed: from the last one's server time until now. `None` for a
/// server time in the future, because the archive would be listed only then.
fn missed(from: Timestamp, now: Timestamp) -> Option<ArchiveRange> {
    let ahead_ms = from.millis().saturating_sub(now.millis());
    if from.millis() < 0 || ahead_ms > CLOCKS_APART_MAX_MS {
        tracing::warn!(
            server_timestamp_ms = from.millis(),
            "the server time of the lost position cannot be right: the archive is not searched for missed fragments"
        );
        return None;
    }
    Some(ArchiveRange { from, to: now.max(from) })
}

#[cfg(test)]
#[path = "gap_tests.rs"]
mod tests;
