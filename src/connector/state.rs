//! How a stream is.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kvs_client::{FragmentNumber, Timestamp};

use super::hindrance::Hindrance;
use crate::config::connector::shown;

/// What the trace says of a stream that gets no memory.
const WAITS_FOR_MEMORY: &str =
    "the stream waits for memory that other streams have: raise memory.budget.size.bytes, or run more workers";

/// How traces begin of tasks with which all is well: those of a backfill.
pub const BACKFILL_TRACES: [&str; 2] = [COMPLETED, UP_TO_THE_PRESENT];
const COMPLETED: &str = "COMPLETED: the backfill has come to the end of its range";
const UP_TO_THE_PRESENT: &str = "the backfill has come up to the present";

/// What the trace says of a stream of which nothing has been heard.
const IS_OPENED: &str = "its first session is being opened";

/// A stream that has failed and is started again counts as running when its session has been open for this long, or
/// something of it is committed: some fail only behind the first fragment.
const SETTLED_AFTER: Duration = Duration::from_secs(30);

/// What goes on is logged again after this long.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// How a stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamState {
    /// It is about to be pulled: nothing has been heard of it yet.
    Starting,
    /// It is pulled.
    Running,
    /// It waits for the rest of a fragment whose beginning has come.
    WaitingForRest {
        /// The fragment's number, when it had come.
        fragment_number: Option<String>,
    },
    /// It waits for memory that other streams have (`memory.budget.size.bytes`).
    WaitingForMemory,
    /// Something fails and is tried again.
    Retrying {
        /// What.
        reason: String,
    },
    /// A range of its archive is read.
    Backfilling(BackfillProgress),
    /// The range goes on in the future, and has been read up to now.
    WaitingForTime {
        /// When the next of it is over.
        until: Timestamp,
        /// How much of it is done.
        progress: BackfillProgress,
    },
    /// The range is done.
    Completed(BackfillProgress),
    /// A discovered stream is no more, and discovery has not looked since.
    Gone {
        /// How that is known.
        reason: String,
    },
    /// It is given up until a restart; its position is kept.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
}

/// How far a backfill of a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BackfillProgress {
    /// How much of the range's time is done, in thousandths.
    pub permille: u32,
    /// Fragments read in this run.
    pub fragments: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// How long the rest will take, at the rate so far.
    pub eta_s: Option<u64>,
}

/// All that is known of a stream.
#[derive(Debug, Clone)]
pub struct StreamStatus {
    /// How it is.
    pub state: StreamState,
    /// How far the last fragment was behind the live edge, as the service says.
    pub millis_behind_now: Option<i64>,
    /// Whether it has come up to the live edge.
    pub caught_up: Option<bool>,
    /// What its session gets, when that is all the service gives and the stream falls behind.
    pub at_rate_limit_bytes_per_second: Option<u64>,
    /// How often each error happened: of a fixed set.
    pub errors: BTreeMap<&'static str, u64>,
    /// The acquisition of its shard that it belongs to.
    pub lease_epoch: i64,
    /// Whether it has published something here.
    pub published: bool,
    hindrance: Hindrance,
    /// Fragments that come and count as published.
    pub(super) repeats: Hindrance,
    repeats_said: Option<Instant>,
    /// When a session was opened, or the archive listed, for the first time since it was begun.
    opened: Option<Instant>,
    /// The last failure, until the stream has come on behind it.
    pub(super) failure: Option<String>,
}

/// How a stream is reported to the group: as a task of Kafka Connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reported {
    /// It is FAILED, with the reason; also while it is tried again, until it has come on.
    Failed(String),
    /// It is UNASSIGNED: nothing has been had from the service yet, and why.
    Starting(String),
    /// It is RUNNING, with what keeps it from coming on, if anything does.
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
        }
    }
}

impl StreamState {
    /// Whether something keeps the stream from coming on, for which it waits or which is tried again.
    fn is_hindered(&self) -> bool {
        matches!(self, Self::Retrying { .. } | Self::WaitingForRest { .. })
    }
}

impl StreamStatus {
    /// Returns how the stream is reported.
    pub fn reported(&self) -> Reported {
        match (&self.failure, self.trace()) {
            (Some(failure), _) => Reported::Failed(failure.clone()),
            (None, Some(trace)) if self.opened.is_none() => Reported::Starting(trace),
            (None, None) if self.opened.is_none() => Reported::Starting(IS_OPENED.to_owned()),
            (None, trace) => Reported::Running(trace),
        }
    }

    /// Returns what is to be known of the stream besides its state.
    fn trace(&self) -> Option<String> {
        match &self.state {
            StreamState::Gone { reason } => Some(reason.clone()),
            StreamState::WaitingForMemory => Some(WAITS_FOR_MEMORY.to_owned()),
            StreamState::Completed(BackfillProgress { fragments, .. }) => {
                Some(format!("{COMPLETED}; fragments in this run: {fragments}"))
            }
            StreamState::WaitingForTime { until, .. } => {
                Some(format!("{UP_TO_THE_PRESENT}, and waits until {} to read on", shown(*until)))
            }
            // Before the first session there is nothing else to be told.
            StreamState::Retrying { reason } if self.opened.is_none() => Some(reason.clone()),
            state => {
                let now = Instant::now();
                let told = self.hindrance.told(state.is_hindered(), now).or_else(|| self.repeats.told(false, now));
                told.map(str::to_owned)
            }
        }
    }

    /// Notes a fragment that counts as published. Returns what is to be logged, if it has gone on and is to be said now.
    pub(super) fn already_published(&mut self, last: &FragmentNumber) -> Option<String> {
        let now = Instant::now();
        let reason = format!(
            "all that comes counts as published, for the stream's offset is at fragment {last}; if that was set too far \
             ahead, stop the connector, and set or reset the stream's offset"
        );
        self.repeats.note(reason, false, now);
        let told = self.repeats.told(false, now)?.to_owned();
        if self.repeats_said.is_some_and(|said| now.duration_since(said) < SAY_AGAIN) {
            return None;
        }
        self.repeats_said = Some(now);
        Some(told)
    }

    /// Begins anew: nothing has been had from the service yet.
    pub(super) fn begin(&mut self) {
        if !self.is_failed() {
            (self.state, self.opened) = (StreamState::Starting, None);
            self.hindrance.clear();
        }
    }

    /// A session is open: what had failed before has not now. A fragment whose rest is waited for has not come yet.
    pub(super) fn opened(&mut self) {
        self.opened.get_or_insert_with(Instant::now);
        if matches!(self.state, StreamState::Retrying { .. } | StreamState::Starting) {
            self.state = StreamState::Running;
        }
    }

    /// Whether it is given up, until it is started again.
    pub(super) fn is_failed(&self) -> bool {
        matches!(self.state, StreamState::Failed { .. })
    }

    /// Returns whether it has failed, was started again, and has been heard long enough for the failure to be over.
    pub(super) fn has_settled(&self) -> bool {
        self.failure.is_some()
            && !self.is_failed()
            && !self.state.is_hindered()
            && self.opened.is_some_and(|opened| opened.elapsed() >= SETTLED_AFTER)
    }

    /// Is in another state from now on.
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
                    "the rest of fragment{number} does not come: its producer may have stopped in the middle of it"
                );
                self.hindrance.note(reason, lasts, Instant::now());
            }
            _ => self.hindrance.clear(),
        }
        self.state = state;
    }
}
