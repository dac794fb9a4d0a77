//! The states of a puller. The table of their transitions is in the documentation of [`super`].

use std::time::Duration;

use kvs_mkv::FragmentNumber;
use tokio::time::Instant;

use super::rate::RateWatch;
#[cfg(feature = "archive")]
use crate::archive::ArchivePuller;
use crate::pull::PullerConfig;
use crate::resume::StreamPosition;
#[cfg(feature = "archive")]
use crate::selector::StartSelector;
use crate::session::Session;

/// What a puller is doing.
pub(super) enum State {
    /// Nothing is open; the request is made immediately.
    Idle(Request),
    /// Nothing is open; the request is made at this time.
    Waiting { until: Instant, then: Request },
    /// A session of GetMedia is open.
    Reading(Box<Reading>),
    /// The archive is read for what was missed when the position was lost.
    #[cfg(feature = "archive")]
    FillingGap(Box<ArchivePuller>),
}

/// What a puller requests next.
pub(super) enum Request {
    /// A session of GetMedia, which waits for this much memory if a fragment gave it back.
    Session { readmit_bytes: usize },
    /// The fragment that the stream should start with, from the archive, after this many requests without it.
    #[cfg(feature = "archive")]
    First { number: FragmentNumber, absent_times: u32 },
}

/// A session of GetMedia, and what is known about it.
pub(super) struct Reading {
    pub(super) session: Session,
    /// Whether the session started at the live edge.
    pub(super) is_live: bool,
    /// Whether the session has returned a fragment.
    pub(super) has_brought: bool,
    pub(super) rate: RateWatch,
}

impl Reading {
    pub(super) fn new(session: Session, is_live: bool) -> Self {
        Self { session, is_live, has_brought: false, rate: RateWatch::default() }
    }
}

impl Request {
    const SESSION: Self = Self::Session { readmit_bytes: 0 };

    /// Returns the first request of a stream with these settings.
    #[cfg(feature = "archive")]
    pub(super) fn of_start(config: &PullerConfig, position: Option<&StreamPosition>) -> Self {
        match &config.start {
            // The stream has no position until its offset is committed, so until then a restart begins with the
            // fragment again.
            StartSelector::FragmentNumber(number) if config.start_inclusive && position.is_none() => {
                Self::First { number: number.clone(), absent_times: 0 }
            }
            _ => Self::SESSION,
        }
    }

    /// Returns the first request of a stream with these settings.
    #[cfg(not(feature = "archive"))]
    pub(super) fn of_start(_: &PullerConfig, _: Option<&StreamPosition>) -> Self {
        Self::SESSION
    }
}

/// Idle, and about to open a session.
impl Default for State {
    fn default() -> Self {
        Self::Idle(Request::SESSION)
    }
}

impl State {
    /// Waiting → Idle, with the same request.
    pub(super) fn wake(&mut self) {
        *self = match std::mem::take(self) {
            Self::Waiting { then, .. } => Self::Idle(then),
            other => other,
        };
    }

    /// Idle → Waiting, with the same request. A session that was open is closed and opened again after the delay.
    pub(super) fn wait(&mut self, delay: Duration) {
        /// The delay instead of one that the clock cannot represent.
        const FAR_FUTURE: Duration = Duration::from_secs(86_400 * 365);
        let now = Instant::now();
        let until = now.checked_add(delay).unwrap_or_else(|| now + FAR_FUTURE);
        let then = match std::mem::take(self) {
            Self::Idle(request) | Self::Waiting { then: request, .. } => request,
            Self::Reading(_) => Request::SESSION,
            #[cfg(feature = "archive")]
            Self::FillingGap(_) => Request::SESSION,
        };
        *self = Self::Waiting { until, then };
    }

    /// Reading → Idle: takes the session out.
    pub(super) fn take_reading(&mut self) -> Option<Box<Reading>> {
        match std::mem::take(self) {
            Self::Reading(reading) => Some(reading),
            other => {
                *self = other;
                None
            }
        }
    }

    /// Returns the fragment that was requested by its number, if one was.
    pub(super) fn expected(&self) -> Option<&FragmentNumber> {
        match self {
            #[cfg(feature = "archive")]
            Self::Idle(Request::First { number, .. }) => Some(number),
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
