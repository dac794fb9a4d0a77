//! The state of a stream.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kvs_client::{FragmentNumber, Timestamp};

use super::hindrance::Hindrance;
use crate::config::connector::shown;

/// The trace of a stream whose fragment is not placed yet.
const WAITS_FOR_OUTPUT: &str = "a fragment waits until its payload is stored (payload.store.url), or its topic is open: for Kafka, \
    and for the schema registry (schema.registry.url)";
/// The trace of a stream that gets no memory.
const WAITS_FOR_MEMORY: &str =
    "the stream waits for memory that other streams hold: raise memory.budget.size.bytes, or run more workers";

/// How the traces of tasks without problems begin: those of a backfill.
pub const BACKFILL_TRACES: [&str; 2] = [COMPLETED, UP_TO_THE_PRESENT];
const COMPLETED: &str = "COMPLETED: the backfill has reached the end of its range";
const UP_TO_THE_PRESENT: &str = "the backfill has caught up with the present";

/// The trace of a stream from which nothing has been received.
const IS_OPENED: &str = "its first session is being opened";

/// A restarted stream counts as running when its session has been open for this long, or when something of it is
/// committed: some streams fail only after the first fragment.
const SETTLED_AFTER: Duration = Duration::from_secs(30);

/// The interval at which a lasting condition is logged again.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// The state of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamState {
    /// It is about to be pulled: nothing has been received yet.
    Starting,
    /// It is pulled.
    Running,
    /// It waits for the rest of a partly received fragment.
    WaitingForRest {
        /// The fragment's number, if that was received.
        fragment_number: Option<String>,
    },
    /// It waits for memory that other streams hold (`memory.budget.size.bytes`).
    WaitingForMemory,
    /// A fragment of it waits for the object store, or for its topic.
    WaitingForOutput,
    /// Something has failed and is retried.
    Retrying {
        /// The failure.
        reason: String,
    },
    /// A range of its archive is read.
    Backfilling(BackfillProgress),
    /// The range ends in the future, and has been read up to now.
    WaitingForTime {
        /// When the next part of the range can be read.
        until: Timestamp,
        /// The progress so far.
        progress: BackfillProgress,
    },
    /// The range is done.
    Completed(BackfillProgress),
    /// A discovered stream no longer exists, and discovery has not run since.
    Gone {
        /// The error that shows it.
        reason: String,
    },
    /// It has been given up until a restart; its position is kept.
    Failed {
        /// The reason, and what to do.
        reason: String,
    },
}

/// The progress of a stream's backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BackfillProgress {
    /// The part of the range's time that is done, in thousandths.
    pub permille: u32,
    /// Fragments read in this run.
    pub fragments: u64,
    /// Bytes of these fragments.
    pub size_bytes: u64,
    /// Time left in seconds, at the rate so far.
    pub eta_s: Option<u64>,
}

/// Everything that is known about a stream.
#[derive(Debug, Clone)]
pub struct StreamStatus {
    /// Its state.
    pub state: StreamState,
    /// How far the last fragment was behind the live edge, as reported by the service.
    pub millis_behind_now: Option<i64>,
    /// Whether it has caught up with the live edge.
    pub caught_up: Option<bool>,
    /// The session's rate when it is the service's maximum and the stream falls behind.
    pub at_rate_limit_bytes_per_second: Option<u64>,
    /// Errors so far by code; the codes are a fixed set.
    pub errors: BTreeMap<&'static str, u64>,
    /// The acquisition of its shard to which it belongs.
    pub lease_epoch: i64,
    /// Whether it has published something on this worker.
    pub published: bool,
    hindrance: Hindrance,
    /// Received fragments that count as already published.
    pub(super) repeats: Hindrance,
    repeats_said: Option<Instant>,
    /// When a session was first opened, or the archive first listed, since the stream was started.
    opened: Option<Instant>,
    /// The last failure, until the stream has made progress after it.
    pub(super) failure: Option<String>,
    /// What a notification has reported, until something of the stream is committed.
    pub(super) interruption: Option<Interruption>,
    /// Counts what has been reported.
    pub(super) interruptions: u64,
}

/// What keeps a stream from being published, in the order of importance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Interruption {
    /// Nothing arrives.
    Silent,
    /// It has failed.
    Failed,
}

/// What is reported of a stream to the group, as a task of Kafka Connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reported {
    /// FAILED, with the reason; also while the stream is retried, until it makes progress.
    Failed(String),
    /// UNASSIGNED, with the reason: nothing has been received from the service yet.
    Starting(String),
    /// RUNNING, with what keeps the stream from making progress, if anything does.
    Running(Option<String>),
}

impl Default for StreamStatus {
    fn default() -> Self {
        Self {
            state: StreamState::Starting,
            millis_behind_now: None,
            caught_up: None,
            at_rate_limit_bytes_per_second: None,
            errors: BTreeMap::new(),
            lease_epoch: 0,
            published: false,
            hindrance: Hindrance::default(),
            repeats: Hindrance::default(),
            repeats_said: None,
            opened: None,
            failure: None,
            interruption: None,
            interruptions: 0,
        }
    }
}

impl StreamState {
    /// Returns whether the stream makes no progress because it waits or is retried.
    fn is_hindered(&self) -> bool {
        matches!(self, Self::Retrying { .. } | Self::WaitingForRest { .. })
    }
}

impl StreamStatus {
    /// Returns what is reported of the stream to the group.
    pub fn reported(&self) -> Reported {
        match (&self.failure, self.trace()) {
            (Some(failure), _) => Reported::Failed(failure.clone()),
            (None, Some(trace)) if self.opened.is_none() => Reported::Starting(trace),
            (None, None) if self.opened.is_none() => Reported::Starting(IS_OPENED.to_owned()),
            (None, trace) => Reported::Running(trace),
        }
    }

    /// Returns what is known of why nothing arrives.
    pub(super) fn cause(&self) -> Option<String> {
        match &self.state {
            StreamState::Retrying { reason } | StreamState::Failed { reason } => Some(reason.clone()),
            _ => self.trace(),
        }
    }

    /// Returns what there is to report besides the state.
    fn trace(&self) -> Option<String> {
        match &self.state {
            StreamState::Gone { reason } => Some(reason.clone()),
            StreamState::WaitingForMemory => Some(WAITS_FOR_MEMORY.to_owned()),
            StreamState::WaitingForOutput => Some(WAITS_FOR_OUTPUT.to_owned()),
            StreamState::Completed(BackfillProgress { fragments, .. }) => {
                Some(format!("{COMPLETED}; fragments in this run: {fragments}"))
            }
            StreamState::WaitingForTime { until, .. } => {
                Some(format!("{UP_TO_THE_PRESENT}, and waits until {} to continue", shown(*until)))
            }
            // Before the first session there is nothing else to report.
            StreamState::Retrying { reason } if self.opened.is_none() => Some(reason.clone()),
            state => {
                let now = Instant::now();
                let told = self.hindrance.told(state.is_hindered(), now).or_else(|| self.repeats.told(false, now));
                told.map(str::to_owned)
            }
        }
    }

    /// Notes a fragment that counts as published. Returns the text to log, if this has lasted and is due to be logged.
    pub(super) fn already_published(&mut self, last: &FragmentNumber) -> Option<String> {
        let now = Instant::now();
        let reason = format!(
            "everything received counts as published, because the stream's offset is at fragment {last}; if that was \
             set too far ahead, stop the connector, and set or reset the stream's offset"
        );
        self.repeats.note(reason, false, now);
        let told = self.repeats.told(false, now)?.to_owned();
        if self.repeats_said.is_some_and(|said| now.duration_since(said) < SAY_AGAIN) {
            return None;
        }
        self.repeats_said = Some(now);
        Some(told)
    }

    /// Starts over: nothing has been received from the service yet.
    pub(super) fn begin(&mut self) {
        if !self.is_failed() {
            (self.state, self.opened) = (StreamState::Starting, None);
            self.hindrance.clear();
        }
    }

    /// Notes that a session is open, which ends an earlier failure. A fragment whose rest is awaited has not arrived yet.
    pub(super) fn opened(&mut self) {
        self.opened.get_or_insert_with(Instant::now);
        if matches!(self.state, StreamState::Retrying { .. } | StreamState::Starting) {
            self.state = StreamState::Running;
        }
    }

    /// Returns whether the stream has been given up until a restart.
    pub(super) fn is_failed(&self) -> bool {
        matches!(self.state, StreamState::Failed { .. })
    }

    /// Returns whether the stream has failed, was restarted, and has been open long enough for the failure to be over.
    pub(super) fn has_settled(&self) -> bool {
        self.failure.is_some()
            && !self.is_failed()
            && !self.state.is_hindered()
            && self.opened.is_some_and(|opened| opened.elapsed() >= SETTLED_AFTER)
    }

    /// Changes the state.
    pub(super) fn set(&mut self, state: StreamState) {
        let lasts = self.state.is_hindered();
        if !matches!(state, StreamState::Retrying { .. } | StreamState::Starting | StreamState::Gone { .. }) {
            self.opened.get_or_insert_with(Instant::now);
        }
        match &state {
            StreamState::Retrying { reason } => self.hindrance.note(reason.clone(), lasts, Instant::now()),
            StreamState::WaitingForRest { fragment_number } => {
                let number = fragment_number.as_deref().map_or(String::new(), |number| format!(" {number}"));
                let reason = format!(
                    "the rest of fragment{number} does not arrive: its producer may have stopped in the middle of it"
                );
                self.hindrance.note(reason, lasts, Instant::now());
            }
            _ => self.hindrance.clear(),
        }
        self.state = state;
    }
}
