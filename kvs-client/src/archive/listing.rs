//! The next window of a range: listed, and compared with what has been yielded.

use std::time::{Duration, SystemTime};

use kvs_mkv::{FragmentNumber, Timestamp};

use super::windows::{SETTLED_MS, Window};
use super::{ArchivePuller, ArchiveRange, Archived};
use crate::error::Error;

/// A wait that is longer than this is reported, in milliseconds.
const WAIT_TOLD_MS: i64 = 10_000;

impl ArchivePuller {
    /// Lists the next window. If its time is not over, sets the delay until then, and reports a long one.
    pub(super) async fn list(&mut self) -> Result<Option<Archived>, Error> {
        let settled_ms = Timestamp::from_system_time(SystemTime::now()).millis().saturating_sub(SETTLED_MS);
        let window = match self.windows.next(self.range.to.millis(), settled_ms) {
            Window::Settled { to_ms } => {
                ArchiveRange { from: Timestamp::from_millis(self.windows.next_ms()), to: Timestamp::from_millis(to_ms) }
            }
            Window::Unsettled { wait_ms } => {
                self.delay = Some(Duration::from_millis(wait_ms.unsigned_abs()));
                let until_ms = settled_ms.saturating_add(SETTLED_MS).saturating_add(wait_ms);
                let until = Timestamp::from_millis(until_ms);
                return Ok((wait_ms > WAIT_TOLD_MS).then_some(Archived::WaitsForTime { until }));
            }
        };
        let most = self.windows.fragments_max();
        let listed = self.source.client.list_fragments_up_to(&self.source.stream, window.from, window.to, most).await?;
        let Some(listed) = listed else {
            self.windows.shorten();
            return Ok(None);
        };
        self.windows.pass(window.to.millis(), listed.len());
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
        self.retries.succeeded();
        if self.wanted.is_empty() {
            self.note_time(window.to.millis());
        }
        Ok(Some(Archived::Listed))
    }
}
