//! Which part of a range is listed with one call.
//!
//! **Contract.** A window is listed only when its time is over and has settled, for ListFragments learns of a fragment
//! about a second late. A range that ends in the future is followed a minute at a time.

use std::time::{Duration, SystemTime};

use kvs_mkv::{FragmentNumber, Timestamp};

use super::{ArchivePuller, ArchiveRange, Archived};
use crate::error::Error;

/// How much server time the first window has. Windows grow while little is found and shrink when there is too much.
pub(super) const WINDOW_MS: i64 = 3_600_000;
/// The shortest window: it is taken however many fragments it has.
const WINDOW_MIN_MS: i64 = 60_000;
/// With at most this many fragments in a window, the next one is longer.
const WINDOW_FEW: usize = 500;
/// The most fragments that a window may have: some 3 MB.
const WINDOW_MOST: usize = 20_000;
/// Time has settled when it has been over for this long: "typically available in less than one second" (ListFragments).
const SETTLED_MS: i64 = 3_000;
/// A wait that is longer than this is reported.
const WAIT_TOLD_MS: i64 = 10_000;

impl ArchivePuller {
    /// Lists the next window. When its time is not over, sets the delay until it is, and reports that if it is long.
    pub(super) async fn list(&mut self) -> Result<Option<Archived>, Error> {
        let settled_ms = Timestamp::from_system_time(SystemTime::now()).millis().saturating_sub(SETTLED_MS);
        let window = match window(self.next_ms, self.range.to.millis(), self.window_ms, settled_ms) {
            Window::Settled { to_ms } => {
                ArchiveRange { from: Timestamp::from_millis(self.next_ms), to: Timestamp::from_millis(to_ms) }
            }
            Window::Unsettled { wait_ms } => {
                self.delay = Some(Duration::from_millis(wait_ms.unsigned_abs()));
                let until_ms = settled_ms.saturating_add(SETTLED_MS).saturating_add(wait_ms);
                let until = Timestamp::from_millis(until_ms);
                return Ok((wait_ms > WAIT_TOLD_MS).then_some(Archived::WaitsForTime { until }));
            }
        };
        let most = if self.window_ms > WINDOW_MIN_MS { WINDOW_MOST } else { usize::MAX };
        let listed = self.source.client.list_fragments_up_to(&self.source.stream, window.from, window.to, most).await?;
        let Some(listed) = listed else {
            self.window_ms = (self.window_ms / 4).max(WINDOW_MIN_MS);
            return Ok(None);
        };
        if listed.len() <= WINDOW_FEW {
            self.window_ms = self.window_ms.saturating_mul(2);
        }
        let numbers: Vec<FragmentNumber> = listed.iter().map(|info| info.number.clone()).collect();
        let start_after = self.start_after.as_ref();
        self.start_listed |= start_after.is_some_and(|start| numbers.binary_search(start).is_ok());
        let (due, late): (Vec<_>, Vec<_>) = listed
            .into_iter()
            .filter(|info| start_after.is_none_or(|start| info.number > *start))
            .filter(|info| self.bounds.has(&info.number))
            .partition(|info| self.last.as_ref().is_none_or(|last| info.number > *last));
        // Yielded numbers only rise: what is listed too late for that is reported as missing.
        let listed_before = &self.listed_before;
        let late = late.into_iter().map(|info| info.number);
        self.missing.extend(late.filter(|number| listed_before.binary_search(number).is_err()));
        self.wanted = due.into();
        self.listed_before = numbers;
        self.window = Some(window);
        self.next_ms = window.to.millis().saturating_add(1);
        self.retries.succeeded();
        if self.wanted.is_empty() {
            self.note_time(window.to.millis());
        }
        Ok(Some(Archived::Listed))
    }
}

/// What can be listed next, and when.
#[derive(Debug, PartialEq, Eq)]
enum Window {
    /// A window up to this time.
    Settled { to_ms: i64 },
    /// Nothing yet: it has to be waited for this long.
    Unsettled { wait_ms: i64 },
}

/// Returns what can be listed from `next_ms` on, in a range that ends at `end_ms`, when everything before `settled_ms` is
/// known. A window of less than a minute is listed only at the end of the range.
fn window(next_ms: i64, end_ms: i64, window_ms: i64, settled_ms: i64) -> Window {
    let to_ms = |length_ms: i64| end_ms.min(next_ms.saturating_add(length_ms - 1));
    let least_ms = to_ms(WINDOW_MIN_MS);
    if least_ms > settled_ms {
        return Window::Unsettled { wait_ms: least_ms.saturating_sub(settled_ms) };
    }
    Window::Settled { to_ms: to_ms(window_ms).min(settled_ms) }
}

#[cfg(test)]
#[path = "windows_tests.rs"]
mod tests;
