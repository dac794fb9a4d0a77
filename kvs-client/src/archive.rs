//! Reads the archived fragments of a range, in the order of the stream.
//!
//! **Contract.** An [`ArchivePuller`] yields each fragment of a range once, in order, and can continue from any
//! position.
//!
//! - It lists a range of server time window by window. ListFragments returns fragments in no order, and a fragment
//!   only about a second after it was received, so a window is listed only when its time has settled.
//! - It fetches the listed fragments by number. GetMediaForFragmentList sends no tokens, so the puller checks off each
//!   fragment: one that does not arrive is requested again, and reported as missing once the service no longer lists
//!   it.
//! - It also reports as missing a fragment that only a later window lists, because its server time is much later than
//!   those of higher numbers: these have been yielded by then, and yielded numbers only rise.

mod bounds;
mod failures;
mod lister;
mod listing;
pub(crate) mod single;
mod windows;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kvs_mkv::{End, Event, Fragment, FragmentNumber, Timestamp};
use tokio::sync::watch;

use crate::budget::{MemoryBudget, MemoryPermit};
use crate::client::{Client, FragmentInfo};
use crate::error::Error;
use crate::pull::{PassedOver, PulledFragment, PullerConfig, StreamSource, Succession, Unparsable};
use crate::resume::StreamPosition;
use crate::retry::RetryState;
use crate::session::{Session, Step, Wanted};
use crate::stream_ref::StreamRef;

pub use bounds::ArchiveBounds;
pub use lister::ArchiveLister;

use windows::Windows;

/// The maximum number of fragments, and of bytes, that one session requests; the service allows 1,000 fragments.
const BATCH_FRAGMENTS: usize = 1_000;
const BATCH_BYTES: u64 = 64 << 20;
/// How many times a fragment that does not arrive is requested before it is looked up in the list again.
const ABSENT_TIMES_MAX: u32 = 3;

/// A range of server time, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveRange {
    /// The beginning.
    pub from: Timestamp,
    /// The end.
    pub to: Timestamp,
}

/// How far a range has been read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many fragments this puller has yielded.
    pub fragments: u64,
    /// How many bytes of payload they had.
    pub size_bytes: u64,
    /// How much of the range's time has been read, in thousandths, including what was read before the start position.
    pub permille: u32,
}

/// What an [`ArchivePuller`] yields: fragments, and what happens between them.
#[derive(Debug)]
#[non_exhaustive]
pub enum Archived {
    /// The range of time of bounds that are fragment numbers has been found.
    Begun {
        /// The range.
        range: ArchiveRange,
    },
    /// Another window of the range has been listed.
    Listed,
    /// The next fragment.
    Fragment(Box<PulledFragment>),
    /// A fragment that cannot be parsed was skipped.
    PassedOver(Box<PassedOver>),
    /// Fragments that were listed, or that the bounds name, cannot be fetched.
    Missing {
        /// The fragments' numbers.
        numbers: Vec<FragmentNumber>,
    },
    /// An attempt failed, and another one will be made.
    Retrying {
        /// The failure.
        error: Error,
        /// How long the puller waits before it.
        delay: Duration,
    },
    /// The next part of the range is not over yet; it will be listed when it is.
    WaitsForTime {
        /// When it will be over, by this machine's clock.
        until: Timestamp,
    },
    /// Everything in the range has been yielded.
    Done,
}

/// Reads a range of one stream's archive.
pub struct ArchivePuller {
    source: StreamSource,
    range: ArchiveRange,
    /// The requested part of the archive. Bounds that are fragments get their times once those have been fetched.
    bounds: ArchiveBounds,
    has_begun: bool,
    /// Fragments to report as missing: what the bounds name and the archive does not have, and what is listed only
    /// after a higher number has been yielded.
    missing: Vec<FragmentNumber>,
    windows: Windows,
    /// The last fragment before this puller's first.
    start_after: Option<FragmentNumber>,
    /// Whether the archive lists that fragment.
    start_listed: bool,
    /// The last number that was yielded.
    last: Option<FragmentNumber>,
    /// Decides which fragments are discontinuities.
    succession: Succession,
    /// The numbers of the previous window.
    listed_before: Vec<FragmentNumber>,
    /// The fragments that are listed and have not been yielded.
    wanted: VecDeque<FragmentInfo>,
    /// The window that lists them.
    window: Option<ArchiveRange>,
    session: Option<Session>,
    retries: RetryState,
    /// How long to wait before anything else.
    delay: Option<Duration>,
    /// How many consecutive requests did not bring the next fragment.
    absent_times: u32,
    unparsable: Unparsable,
    /// Whether the next fragment is requested alone, because something was wrong with it.
    alone: bool,
    /// How much memory a fragment had when it gave it back, in bytes.
    readmit_bytes: usize,
    progress: Progress,
}

impl ArchivePuller {
    /// Creates a puller of what is within `bounds`, such as a range of time, and after `position`.
    pub fn new(
        client: Arc<Client>,
        stream: StreamRef,
        bounds: impl Into<ArchiveBounds>,
        position: Option<&StreamPosition>,
        config: PullerConfig,
        budget: MemoryBudget,
    ) -> Self {
        Self::of_source(StreamSource::new(client, stream, config, budget), bounds.into(), position)
    }

    pub(crate) fn of_source(source: StreamSource, bounds: ArchiveBounds, position: Option<&StreamPosition>) -> Self {
        let after_ms = position.and_then(|position| position.server_timestamp).map_or(i64::MIN, Timestamp::millis);
        let after = Timestamp::from_millis(after_ms);
        let range = bounds.range();
        let has_begun = range.is_some();
        let range = range.unwrap_or(ArchiveRange { from: after, to: after });
        let mut puller = Self {
            bounds,
            has_begun,
            missing: Vec::new(),
            windows: Windows::new(range.from.millis().max(after_ms)),
            range,
            start_after: position.map(|position| position.fragment_number.clone()),
            start_listed: false,
            last: position.map(|position| position.fragment_number.clone()),
            succession: Succession::after(position.cloned()),
            listed_before: Vec::new(),
            wanted: VecDeque::new(),
            window: None,
            session: None,
            retries: RetryState::new(source.config.retry, source.config.slow_retry_delay),
            delay: None,
            absent_times: 0,
            unparsable: Unparsable::default(),
            alone: false,
            readmit_bytes: 0,
            progress: Progress::default(),
            source,
        };
        // What was read before counts, so that the remaining time can be estimated from this puller's progress.
        puller.note_time(puller.windows.next_ms());
        puller
    }

    /// Returns a receiver for the time since which the stream has been waiting for memory; `None` while it does not
    /// wait.
    pub fn waits_for_memory(&self) -> watch::Receiver<Option<Instant>> {
        self.source.waits_for_memory()
    }

    /// Returns the puller with what is known of the fragments before its own.
    pub(crate) fn continuing(self, succession: Succession) -> Self {
        Self { succession, ..self }
    }

    /// Returns what is known of the fragments before the next one.
    pub(crate) fn into_succession(self) -> Succession {
        self.succession
    }

    /// Returns whether the archive lists the fragment that this puller starts after: if so, nothing between that
    /// fragment and what is listed has been lost.
    pub(crate) fn lists_start_position(&self) -> bool {
        self.start_listed
    }

    /// Returns how far the range has been read.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Returns how many attempts have failed since the last fragment or window, and since when.
    pub fn retries(&self) -> &RetryState {
        &self.retries
    }

    /// Returns what happens next.
    ///
    /// The future may be dropped: that loses nothing but the open session.
    ///
    /// # Errors
    /// When another attempt does not help.
    pub async fn next(&mut self) -> Result<Archived, Error> {
        loop {
            if let Some(delay) = self.delay {
                tokio::time::sleep(delay).await;
                self.delay = None;
            }
            if !self.has_begun {
                match self.begin().await {
                    Ok(true) => return Ok(Archived::Begun { range: self.range }),
                    Ok(false) => continue,
                    Err(error) => return self.fail(error).await,
                }
            }
            if !self.missing.is_empty() {
                let numbers = std::mem::take(&mut self.missing);
                return Ok(self.lacks(numbers));
            }
            if self.wanted.is_empty() {
                self.session = None;
                if self.windows.next_ms() > self.range.to.millis() {
                    self.progress.permille = 1_000;
                    return Ok(Archived::Done);
                }
                match self.list().await {
                    Ok(Some(told)) => return Ok(told),
                    Ok(None) => continue,
                    Err(error) => return self.fail(error).await,
                }
            }
            // Taken out while it is read, so that a dropped future leaves no half-read session.
            let Some(mut session) = self.session.take() else {
                match self.open().await {
                    Ok(session) => self.session = Some(session),
                    Err(error) => return self.fail(error).await,
                }
                continue;
            };
            let brought = match session.next().await {
                Ok(Step::Event(Event::Fragment(fragment), permit)) => self.bring(session, fragment, permit),
                Ok(Step::Event(Event::Error(report), _) | Step::End(End::Event(Event::Error(report)))) => {
                    return self.fail(session.in_stream(report)).await;
                }
                Ok(Step::End(End::Event(Event::Fragment(fragment)))) => {
                    let permit = session.take_permit();
                    let brought = self.bring(session, fragment, permit);
                    self.session = None;
                    brought
                }
                Ok(Step::Evicted { held_bytes, .. }) => {
                    self.readmit_bytes = held_bytes;
                    continue;
                }
                // The body ended, within a fragment or between two.
                Ok(_) => None,
                Err(error) => return self.fail(error).await,
            };
            let told = match brought {
                Some(pulled) => Some(pulled),
                None => self.not_come().await?,
            };
            if let Some(told) = told {
                return Ok(told);
            }
        }
    }

    /// Opens a session for the next batch of listed fragments.
    async fn open(&mut self) -> Result<Session, Error> {
        let most = if self.alone { 1 } else { BATCH_FRAGMENTS };
        let mut size_bytes = 0;
        let numbers: Vec<FragmentNumber> = self
            .wanted
            .iter()
            .take(most)
            .take_while(|info| {
                let first = size_bytes == 0;
                size_bytes = with_next(size_bytes, info.size_bytes);
                first || size_bytes <= BATCH_BYTES
            })
            .map(|info| info.number.clone())
            .collect();
        let session = self
            .source
            .open(Wanted::Fragments(&numbers), self.readmit_bytes, self.unparsable.is_last_attempt())
            .await?;
        self.retries.credentials_accepted();
        self.readmit_bytes = 0;
        Ok(session)
    }

    /// Returns a fragment as an event, if it is the next one expected.
    fn bring(&mut self, session: Session, mut fragment: Fragment, permit: MemoryPermit) -> Option<Archived> {
        let info = self.wanted.front().filter(|info| info.number == fragment.number)?.clone();
        self.wanted.pop_front();
        self.absent_times = 0;
        self.recover();
        // Fragments before the archive's first one have disappeared, unless the archive has the start position itself.
        if self.last == self.start_after && !self.start_listed {
            self.succession.interrupt();
        }
        self.last = Some(fragment.number.clone());
        // The media may lack them; the list has them.
        fragment.server_timestamp.get_or_insert(info.server_timestamp);
        fragment.producer_timestamp.get_or_insert(info.producer_timestamp);
        self.progress.fragments += 1;
        self.progress.size_bytes += fragment.payload.len() as u64;
        self.note_time(info.server_timestamp.millis());
        let mut pulled = PulledFragment::new(fragment, permit, &session);
        self.succession.follow(&mut pulled);
        self.session = Some(session);
        Some(Archived::Fragment(Box::new(pulled)))
    }

    /// Notes that the range has been read up to this time.
    fn note_time(&mut self, at_ms: i64) {
        let (from, to) = (self.range.from.millis(), self.range.to.millis());
        self.progress.permille = permille(from, to, at_ms);
    }
}

/// Returns the bytes of a batch with one more fragment, whose size comes from the list and may be any number. At least
/// one byte is counted.
fn with_next(batch_bytes: u64, next_bytes: u64) -> u64 {
    batch_bytes.saturating_add(next_bytes.max(1))
}

/// Returns how much of a range of time lies before `at_ms`, in thousandths. The times come from the service and from
/// stored positions, so each of them may be any number.
fn permille(from_ms: i64, to_ms: i64, at_ms: i64) -> u32 {
    let (from, to, at) = (i128::from(from_ms), i128::from(to_ms), i128::from(at_ms));
    let whole = (to - from).max(0);
    let done = (at - from).clamp(0, whole);
    u32::try_from(done * 1_000 / whole.max(1)).unwrap_or(0)
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
