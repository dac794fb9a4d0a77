//! Which part of a range is listed at once.
//!
//! **Contract.** What is listed is over: ListFragments knows a fragment about a second late. A range that ends in the
//! future is followed a minute at a time.

use std::time::{Duration, SystemTime};

use kvs_mkv::{FragmentNumber, Timestamp};

use super::{ArchivePuller, ArchiveRange, Archived};
use crate::error::Error;

/// Server time that is listed at once, at first. It grows while little is found and shrinks when there is too much.
pub(super) const WINDOW_MS: i64 = 3_600_000;
/// The least time listed at once: so much is taken however much it is.
const WINDOW_MIN_MS: i64 = 60_000;
/// So few fragments in a window let the next one be longer.
const WINDOW_FEW: usize = 500;
/// More fragments than these are not listed at once: some 3 MB.
const WINDOW_MOST: usize = 20_000;
/// Time is listed when it is past for this long: "typically available in less than one second" (ListFragments).
const SETTLED_MS: i64 = 3_000;
/// A wait that is longer than this is told.
const WAIT_TOLD_MS: i64 = 10_000;

impl ArchivePuller {
    /// Lists the next window. When that is not over it sets the delay until it is, and says so if that is long.
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
        let listed = self.client.list_fragments_up_to(&self.stream, window.from, window.to, most).await?;
        let Some(listed) = listed else {
            self.window_ms = (self.window_ms / 4).max(WINDOW_MIN_MS);
            return Ok(None);
        };
        if listed.len() <= WINDOW_FEW {
            self.window_ms = self.window_ms.saturating_mul(2);
        }
        let numbers: Vec<FragmentNumber> = listed.iter().map(|info| info.number.clone()).collect();
        let place = self.place.as_ref();
        self.place_listed |= place.is_some_and(|place| numbers.binary_search(place).is_ok());
        let (due, late): (Vec<_>, Vec<_>) = listed
            .into_iter()
            .filter(|info| place.is_none_or(|place| info.number > *place))
            .filter(|info| self.bounds.has(&info.number))
            .partition(|info| self.last.as_ref().is_none_or(|last| info.number > *last));
        // Numbers only rise for those who read them: what comes too late for that is told.
        let listed_before = &self.listed_before;
        let late = late.into_iter().map(|info| info.number);
        self.gone.extend(late.filter(|number| listed_before.binary_search(number).is_err()));
        self.wanted = due.into();
        self.listed_before = numbers;
        self.window = Some(window);
        self.next_ms = window.to.millis().saturating_add(1);
        self.failures.reset();
        if self.wanted.is_empty() {
            self.note_time(window.to.millis());
        }
        Ok(Some(Archived::Listed))
    }
}

/// What can be listed next.
#[derive(Debug, PartialEq, Eq)]
enum Window {
    /// From the next time on to this one.
    Settled { to_ms: i64 },
    /// Nothing before this long a wait.
    Unsettled { wait_ms: i64 },
}

/// Returns what can be listed from `next_ms` on, in a range that ends at `end_ms`, when all before `settled_ms` is known.
/// Less than a minute is listed only at the range's end.
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
