//! Where a stream continues: its position, and the ladder of selectors that resumes from it.
//!
//! | rung | selector | when the service refuses it |
//! |---|---|---|
//! | token | CONTINUATION_TOKEN of the last fragment | only the token is gone, and nothing is lost |
//! | number | FRAGMENT_NUMBER: after the last fragment | the service no longer knows the position: it is **lost** |
//! | server time | SERVER_TIMESTAMP of the last fragment, only for [`PositionLost::Earliest`] | what followed is gone, too |
//! | policy | EARLIEST or NOW; none for [`PositionLost::Fail`] | the stream ends |
//!
//! A position is lost from the third rung on, because the service's remaining fragments may begin far after it. The
//! server time comes before EARLIEST so that fragments before the position are not pulled again.

use std::time::SystemTime;

use kvs_mkv::{Continuity, Fragment, FragmentNumber, Timestamp};

use crate::selector::StartSelector;

/// A stream's position, identified by the last fragment that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPosition {
    /// The fragment's number.
    pub fragment_number: FragmentNumber,
    /// Its continuation token; `None` if it had none.
    pub continuation_token: Option<String>,
    /// When the service received it.
    pub server_timestamp: Option<Timestamp>,
    /// When it was produced, according to the producer.
    pub producer_timestamp: Option<Timestamp>,
    /// What the next fragment is compared with, to see whether it continues this one.
    pub continuity: Continuity,
}

impl StreamPosition {
    /// Returns the position after a fragment. If the fragment has no tracks, nothing is known of its session.
    pub fn after(fragment: &Fragment) -> Self {
        Self {
            fragment_number: fragment.number.clone(),
            continuation_token: fragment.continuation_token.as_deref().map(str::to_owned),
            server_timestamp: fragment.server_timestamp,
            producer_timestamp: fragment.producer_timestamp,
            continuity: Continuity::after(fragment, None),
        }
    }
}

/// What to do when the service no longer knows a stream's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PositionLost {
    /// Continue with the earliest remaining fragment after the position.
    #[default]
    Earliest,
    /// Continue with the latest fragment.
    Now,
    /// Fail with [`Error::PositionLost`](crate::Error::PositionLost).
    Fail,
}

/// A rung of the ladder: the next selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rung {
    Token,
    Number,
    /// From this rung on the position is lost.
    ServerTime,
    Policy,
}

/// Chooses the start selector of each session.
#[derive(Debug)]
pub(crate) struct Resume {
    start: StartSelector,
    position: Option<StreamPosition>,
    rung: Rung,
    lost: PositionLost,
}

impl Resume {
    pub(crate) fn new(start: StartSelector, position: Option<StreamPosition>, lost: PositionLost) -> Self {
        Self { start, position, rung: Rung::Token, lost }
    }

    /// Returns the selector of the next session, or `None` if the position is lost and the stream should fail.
    pub(crate) fn selector(&self) -> Option<StartSelector> {
        let Some(position) = &self.position else { return Some(self.start.clone()) };
        let number = || StartSelector::FragmentNumber(position.fragment_number.clone());
        let selector = match self.rung {
            Rung::Token => position.continuation_token.clone().map_or_else(number, StartSelector::ContinuationToken),
            Rung::Number => number(),
            Rung::ServerTime => {
                position.server_timestamp.map_or(StartSelector::Earliest, StartSelector::ServerTimestamp)
            }
            Rung::Policy => match self.lost {
                PositionLost::Earliest => StartSelector::Earliest,
                PositionLost::Now => StartSelector::Now,
                PositionLost::Fail => return None,
            },
        };
        Some(selector)
    }

    pub(crate) fn position(&self) -> Option<&StreamPosition> {
        self.position.as_ref()
    }

    /// Moves to the next rung after the service refused the selector. Returns whether there is one.
    pub(crate) fn refuse(&mut self) -> bool {
        let Some(position) = &self.position else { return false };
        let by_time = self.lost == PositionLost::Earliest && position.server_timestamp.is_some();
        self.rung = match self.rung {
            Rung::Token if position.continuation_token.is_some() => Rung::Number,
            Rung::Token | Rung::Number if by_time => Rung::ServerTime,
            Rung::Token | Rung::Number | Rung::ServerTime => Rung::Policy,
            Rung::Policy => return false,
        };
        self.rung != Rung::Policy || self.lost != PositionLost::Fail
    }

    /// Returns whether the service no longer knows the stream's position.
    pub(crate) fn is_lost(&self) -> bool {
        self.position.is_some() && self.rung >= Rung::ServerTime
    }

    /// Moves the position after a fragment: the next session starts on the first rung again.
    pub(crate) fn advance(&mut self, position: StreamPosition) {
        self.position = Some(position);
        self.rung = Rung::Token;
    }

    /// Notes that a session began at this server time and returned no fragment. Another session that starts with NOW
    /// would miss what arrives before it is open, so the next one starts with this time.
    pub(crate) fn note_empty_session(&mut self, service_time: SystemTime) {
        if self.start == StartSelector::Now && self.position.is_none() {
            self.start = StartSelector::ServerTimestamp(Timestamp::from_system_time(service_time));
        }
    }
}

#[cfg(test)]
#[path = "resume_tests.rs"]
mod tests;
