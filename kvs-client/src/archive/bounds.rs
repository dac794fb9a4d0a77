//! What part of an archive is wanted: times, numbers of fragments, or both.

use std::time::SystemTime;

use kvs_mkv::{FragmentNumber, Timestamp};

use super::{ABSENT_TIMES_MAX, ArchivePuller, ArchiveRange, one};
use crate::error::Error;

/// What is listed around a fragment's own time, for tags and lists may round it in two ways. Numbers bound it exactly.
const AROUND_MS: i64 = 1_000;

/// What part of a stream's archive is wanted; every bound is included, and one that is missing bounds nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchiveBounds {
    /// The begin, in server time.
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
    /// The range of time, where the bounds have both its ends.
    pub(super) fn range(&self) -> Option<ArchiveRange> {
        Some(ArchiveRange { from: self.from?, to: self.to? })
    }

    /// Whether a fragment's number is within.
    pub(super) fn has(&self, number: &FragmentNumber) -> bool {
        self.first.as_ref().is_none_or(|first| number >= first) && self.last.as_ref().is_none_or(|last| number <= last)
    }
}

/// Where the bounds are fragments, ListFragments, which filters by time alone, cannot be asked before their times are known.
impl ArchivePuller {
    /// Finds out which range of time the bounds are. `false`: not yet, it is tried again.
    pub(super) async fn begin(&mut self) -> Result<bool, Error> {
        // Behind the last fragment there is nothing to do, and nothing to ask.
        let done = self.last.as_ref().zip(self.bounds.last.as_ref()).is_some_and(|(last, end)| last >= end);
        if self.bounds.from.is_none() {
            // From its place on, or from the first fragment; from the first there is, when that is gone.
            let begin = match &self.bounds.first {
                Some(first) if self.last.is_none() => self.time_of(first.clone(), Timestamp::from_millis(0)).await?,
                _ => Some(Timestamp::from_millis(self.next_ms.max(0))),
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
        self.next_ms = if done { i64::MAX } else { self.next_ms.max(self.range.from.millis()) };
        self.begun = true;
        self.note_time(self.next_ms);
        Ok(true)
    }

    /// A fragment's server time; `or` when the archive has not got it. `None`: it is asked for again.
    async fn time_of(&mut self, number: FragmentNumber, or: Timestamp) -> Result<Option<Timestamp>, Error> {
        let fetched = one::fetch(&self.client, &self.stream, &number, &self.config, &self.budget).await?;
        if let Some(timestamp) = fetched.and_then(|pulled| pulled.fragment.server_timestamp) {
            self.absent = 0;
            self.failures.reset();
            return Ok(Some(timestamp));
        }
        self.absent += 1;
        if self.absent < ABSENT_TIMES_MAX {
            self.delay = Some(self.failures.next_delay());
            return Ok(None);
        }
        self.absent = 0;
        // One that was told of before the place at hand is not told of again.
        if self.last.is_none() {
            self.gone.push(number);
        }
        Ok(Some(or))
    }
}
