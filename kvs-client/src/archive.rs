//! Archived fragments of a time range, in the order of the stream.
//!
//! **Contract.** An [`ArchivePuller`] lists a range of server time window by window (ListFragments tells in no order,
//! and knows a fragment about a second late: time is listed only when it has settled), fetches what is listed by
//! number, and yields each fragment once, in order. GetMediaForFragmentList sends no token: what was asked for is
//! counted off, one number after the other, and what does not come is asked for again; what the service does not list
//! any more either is reported as missing. So is a fragment whose server time is so much later than those of higher numbers
//! that a later window lists it: those have been yielded, and numbers only rise. It can go on from any position.

mod bounds;
pub(crate) mod one;
mod setbacks;
mod windows;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kvs_mkv::{End, Event, Fragment, FragmentNumber, Timestamp};
use tokio::sync::watch;

use crate::budget::{MemoryBudget, MemoryPermit, Waits};
use crate::client::{Client, FragmentInfo};
use crate::error::Error;
use crate::puller::unparsable::{PassedOver, Unparsable};
use crate::puller::{PulledFragment, PullerConfig};
use crate::resume::StreamPosition;
use crate::retry::Backoff;
use crate::session::{Memory, Session, Step, Wanted};
use crate::stream_ref::StreamRef;

pub use bounds::ArchiveBounds;

use windows::WINDOW_MS;

/// Fragments and bytes asked for at once; the service takes 1,000 fragments.
const BATCH_FRAGMENTS: usize = 1_000;
const BATCH_BYTES: u64 = 64 << 20;
/// A fragment that does not come is asked for this many times before it is looked for in the list again.
const ABSENT_TIMES_MAX: u32 = 3;

/// A range of server time, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveRange {
    /// Its begin.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
}

/// How far a range has been read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Fragments yielded, in this run.
    pub fragments: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// How much of the range's time is done, in thousandths.
    pub permille: u32,
}

/// What reading comes to next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Archived {
    /// It is known which range of time the bounds are: where they are numbers of fragments, those had to be asked for.
    Begun {
        /// The range.
        range: ArchiveRange,
    },
    /// Another part of the range's time has been listed.
    Listed,
    /// The next fragment.
    Fragment(Box<PulledFragment>),
    /// A fragment that cannot be parsed is passed over.
    PassedOver(Box<PassedOver>),
    /// Fragments that were listed and cannot be had.
    Missing {
        /// Their numbers.
        numbers: Vec<FragmentNumber>,
    },
    /// Something failed and is tried again.
    Retrying {
        /// What failed.
        error: Error,
        /// After how long.
        delay: Duration,
    },
    /// What comes next is of a time that is not over, and is listed then.
    WaitsForTime {
        /// When that is, by this machine's clock.
        until: Timestamp,
    },
    /// The range is done.
    Done,
}

/// Reads a range of one stream's archive.
pub struct ArchivePuller {
    client: Arc<Client>,
    stream: StreamRef,
    config: PullerConfig,
    budget: MemoryBudget,
    range: ArchiveRange,
    /// What is wanted; without an end in time until the fragments that it names have been asked for.
    bounds: ArchiveBounds,
    begun: bool,
    /// Fragments that cannot be had, or not in order: what the bounds name and the archive has not got, and what is
    /// listed only when a higher number has been yielded.
    gone: Vec<FragmentNumber>,
    /// Where the next window begins, in milliseconds.
    next_ms: i64,
    /// How long the next window is.
    window_ms: i64,
    /// The place that this run began behind.
    place: Option<FragmentNumber>,
    /// Whether the archive lists the fragment of that place itself.
    place_listed: bool,
    /// The last number yielded.
    last: Option<FragmentNumber>,
    /// What the window before listed.
    listed_before: Vec<FragmentNumber>,
    /// What is listed and not yielded.
    wanted: VecDeque<FragmentInfo>,
    /// The window that `wanted` is of.
    window: Option<ArchiveRange>,
    session: Option<Session>,
    failures: Backoff,
    delay: Option<Duration>,
    /// How often the next fragment did not come.
    absent: u32,
    unauthorized: u32,
    unparsable: Unparsable,
    /// Whether the next fragment is asked for alone, for something is wrong with it.
    alone: bool,
    /// Memory that a fragment had when it had to give it back.
    gave_back_bytes: usize,
    waits: Waits,
    progress: Progress,
}

impl ArchivePuller {
    /// Reads what is within the bounds, a range of time for example, from behind `position`.
    pub fn new(
        client: Arc<Client>,
        stream: StreamRef,
        bounds: impl Into<ArchiveBounds>,
        position: Option<&StreamPosition>,
        config: PullerConfig,
        budget: MemoryBudget,
    ) -> Self {
        let behind = position.and_then(|position| position.server_timestamp).map_or(i64::MIN, Timestamp::millis);
        let bounds = bounds.into();
        let range = bounds.range();
        let begun = range.is_some();
        let range =
            range.unwrap_or(ArchiveRange { from: Timestamp::from_millis(behind), to: Timestamp::from_millis(behind) });
        let mut puller = Self {
            client,
            stream,
            bounds,
            begun,
            gone: Vec::new(),
            failures: Backoff::new(config.retry),
            config,
            budget,
            next_ms: range.from.millis().max(behind),
            window_ms: WINDOW_MS,
            range,
            place: position.map(|position| position.fragment_number.clone()),
            place_listed: false,
            last: position.map(|position| position.fragment_number.clone()),
            listed_before: Vec::new(),
            wanted: VecDeque::new(),
            window: None,
            session: None,
            delay: None,
            absent: 0,
            unauthorized: 0,
            unparsable: Unparsable::default(),
            alone: false,
            gave_back_bytes: 0,
            waits: Arc::new(watch::Sender::new(None)),
            progress: Progress::default(),
        };
        // What was done before counts: the time left goes by what this run adds.
        puller.note_time(puller.next_ms);
        puller
    }

    /// Says since when the stream waits for memory; `None`: it does not.
    pub fn waits_for_memory(&self) -> watch::Receiver<Option<Instant>> {
        self.waits.subscribe()
    }

    pub(crate) fn set_waits(&mut self, waits: Waits) {
        self.waits = waits;
    }

    /// Whether what has been listed has the fragment of the place that this run began behind: nothing older than what
    /// is listed is gone then.
    pub(crate) fn lists_its_place(&self) -> bool {
        self.place_listed
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// The next thing that happens. Dropping the future loses nothing but the session.
    ///
    /// # Errors
    /// When trying again does not help.
    pub async fn next(&mut self) -> Result<Archived, Error> {
        loop {
            if let Some(delay) = self.delay.take() {
                tokio::time::sleep(delay).await;
            }
            if !self.begun {
                match self.begin().await {
                    Ok(true) => return Ok(Archived::Begun { range: self.range }),
                    Ok(false) => continue,
                    Err(error) => return self.fail(error).await,
                }
            }
            if !self.gone.is_empty() {
                return Ok(Archived::Missing { numbers: std::mem::take(&mut self.gone) });
            }
            if self.wanted.is_empty() {
                self.session = None;
                if self.next_ms > self.range.to.millis() {
                    self.progress.permille = 1_000;
                    return Ok(Archived::Done);
                }
                match self.list().await {
                    Ok(Some(told)) => return Ok(told),
                    Ok(None) => continue,
                    Err(error) => return self.fail(error).await,
                }
            }
            // Taken out while it is worked on: a future that is dropped on the way leaves no half-read session.
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
                // Others needed its memory: what came of the fragment comes again.
                Ok(Step::Evicted { held_bytes, .. }) => {
                    self.gave_back_bytes = held_bytes;
                    continue;
                }
                // Cut within a fragment, or over.
                Ok(_) => None,
                Err(error) => return self.fail(error).await,
            };
            // What has not come is asked for again.
            let told = match brought {
                Some(pulled) => Some(pulled),
                None => self.not_come().await?,
            };
            if let Some(told) = told {
                return Ok(told);
            }
        }
    }

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
        let (limits, headroom) = (self.config.limits, self.config.headroom_bytes);
        let begins_with = match self.gave_back_bytes {
            0 => MemoryPermit::default(),
            had_bytes => self.budget.readmit(had_bytes, &self.waits).await,
        };
        let memory = Memory { budget: &self.budget, begins_with, waits: Arc::clone(&self.waits) };
        let wanted = Wanted::Fragments(&numbers);
        let session = Session::open(&self.client, &self.stream, wanted, limits, headroom, memory).await?;
        self.gave_back_bytes = 0;
        Ok(session)
    }

    /// Yields the fragment if it is the one whose turn it is.
    fn bring(&mut self, session: Session, mut fragment: Fragment, permit: MemoryPermit) -> Option<Archived> {
        let info = self.wanted.front().filter(|info| info.number == fragment.number)?.clone();
        self.wanted.pop_front();
        (self.absent, self.unauthorized) = (0, 0);
        self.come_on();
        self.last = Some(fragment.number.clone());
        // The list has them in any case.
        fragment.server_timestamp.get_or_insert(info.server_timestamp);
        fragment.producer_timestamp.get_or_insert(info.producer_timestamp);
        self.progress.fragments += 1;
        self.progress.size_bytes += fragment.payload.len() as u64;
        self.note_time(info.server_timestamp.millis());
        let pulled = PulledFragment {
            fragment,
            permit,
            content_type: session.content_type().map(str::to_owned),
            request_id: session.request_id().map(str::to_owned),
        };
        self.session = Some(session);
        Some(Archived::Fragment(Box::new(pulled)))
    }

    fn note_time(&mut self, at_ms: i64) {
        let (from, to) = (self.range.from.millis(), self.range.to.millis());
        self.progress.permille = permille(from, to, at_ms);
    }
}

/// Returns the bytes of a batch with one fragment more, whose size is as the list says, so any number. One of no size
/// counts too.
fn with_next(batch_bytes: u64, next_bytes: u64) -> u64 {
    batch_bytes.saturating_add(next_bytes.max(1))
}

/// Returns how much of a range of time lies before `at_ms`, in thousandths. Times are the service's and a position's,
/// so any number may be one.
fn permille(from_ms: i64, to_ms: i64, at_ms: i64) -> u32 {
    let (from, to, at) = (i128::from(from_ms), i128::from(to_ms), i128::from(at_ms));
    let whole = (to - from).max(0);
    let done = (at - from).clamp(0, whole);
    u32::try_from(done * 1_000 / whole.max(1)).unwrap_or(0)
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
