//! Which part of an archive to read, by times, fragment numbers, or both.

use std::time::SystemTime;

use kvs_mkv::{FragmentNumber, Timestamp};

use super::{ABSENT_TIMES_MAX, ArchivePuller, ArchiveRange, single};
use crate::error::Error;

/// How much time around a bounding fragment is listed, too: media and lists may round its time differently. The numbers
/// then decide exactly.
const AROUND_MS: i64 = 1_000;

/// Which part of a stream's archive to read. Bounds are inclusive; `None` means no bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchiveBounds {
    /// The beginning, in server time.
    pub from: Option<Timestamp>,
    /// The end, in server time.
    pub to: Option<Timestamp>,
    /// The first fragment.
    pub first: Option<FragmentNumber>,
    /// The last fragment.
    pub last: Option<FragmentNumber>,
}

impl From<ArchiveRange> for ArchiveBounds {
    fn from(range: ArchiveRange) -> Self {
        Self { from: Some(range.from), to: Some(range.to), ..Self::default() }
    }
}

impl ArchiveBounds {
    /// Returns the range of time, if the bounds have both its ends.
    pub(super) fn range(&self) -> Option<ArchiveRange> {
        Some(ArchiveRange { from: self.from?, to: self.to? })
    }

    /// Returns whether a fragment's number is within the bounds.
    pub(super) fn has(&self, number: &FragmentNumber) -> bool {
        self.first.as_ref().is_none_or(|first| number >= first) && self.last.as_ref().is_none_or(|last| number <= last)
    }
}

/// ListFragments only filters by time. Bounding fragments are therefore fetched first, for their times.
impl ArchivePuller {
    /// Finds the range of time of the bounds. Returns `false` when a bound has to be fetched again.
    pub(super) async fn begin(&mut self) -> Result<bool, Error> {
        // Once the last fragment has been read, there is nothing left to fetch.
        let done = self.last.as_ref().zip(self.bounds.last.as_ref()).is_some_and(|(last, end)| last >= end);
        if self.bounds.from.is_none() {
            // From the start position, or from the first fragment, or from the beginning if that fragment is gone.
            let begin = match &self.bounds.first {
                Some(first) if self.last.is_none() => self.time_of(first.clone(), Timestamp::from_millis(0)).await?,
                _ => Some(Timestamp::from_millis(self.windows.next_ms().max(0))),
            };
            let Some(begin) = begin else { return Ok(false) };
            self.bounds.from = Some(Timestamp::from_millis(begin.millis().saturating_sub(AROUND_MS).max(0)));
        }
        if self.bounds.to.is_none() {
            let now = Timestamp::from_system_time(SystemTime::now());
            let end = match &self.bounds.last {
                Some(last) if !done => self.time_of(last.clone(), now).await?,
                _ => Some(now),
            };
            let Some(end) = end else { return Ok(false) };
            self.bounds.to = Some(Timestamp::from_millis(end.millis().saturating_add(AROUND_MS)));
        }
        if let Some(range) = self.bounds.range() {
            self.range = range;
        }
        let next_ms = if done { i64::MAX } else { self.windows.next_ms().max(self.range.from.millis()) };
        self.windows.begin_at(next_ms);
        self.has_begun = true;
        self.note_time(next_ms);
        Ok(true)
    }

    /// Returns a fragment's server time, `fallback` if the archive does not have it, or `None` if it has to be fetched
    /// again.
    async fn time_of(&mut self, number: FragmentNumber, fallback: Timestamp) -> Result<Option<Timestamp>, Error> {
        let fetched = single::fetch(&self.source, &number, self.unparsable.is_last_attempt()).await?;
        if let Some(timestamp) = fetched.and_then(|pulled| pulled.fragment.server_timestamp) {
            self.absent_times = 0;
            self.retries.succeeded();
            return Ok(Some(timestamp));
        }
        self.absent_times += 1;
        if self.absent_times < ABSENT_TIMES_MAX {
            self.delay = Some(self.retries.back_off());
            return Ok(None);
        }
        self.absent_times = 0;
        // With a start position, the bound was reported as missing before that position was reached.
        if self.last.is_none() {
            self.missing.push(number);
        }
        Ok(Some(fallback))
    }
}
