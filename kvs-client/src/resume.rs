//! Where to go on: the ladder of resuming (design, "Resuming").
//!
//! First CONTINUATION_TOKEN of the last fragment, then FRAGMENT_NUMBER after it. A token alone that is refused is no loss.
//!
//! When the number is refused too, the service knows the place no more, and what it still has may begin far behind it: the
//! position is lost, and [`PositionLost`] decides. With `Earliest` SERVER_TIMESTAMP of the last fragment comes first, so
//! that what was published before the place is not pulled again; EARLIEST only if that is refused too.

use std::time::SystemTime;

use kvs_mkv::{Fragment, FragmentNumber, Timestamp};

use crate::selector::StartSelector;

/// How far a stream has been read: its last fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPosition {
    /// Its number.
    pub fragment_number: FragmentNumber,
    /// Its continuation token; none when it was published without one.
    pub continuation_token: Option<String>,
    /// Its server timestamp.
    pub server_timestamp: Option<Timestamp>,
    /// Its producer timestamp.
    pub producer_timestamp: Option<Timestamp>,
}

impl StreamPosition {
    /// The position after a fragment.
    pub fn after(fragment: &Fragment) -> Self {
        Self {
            fragment_number: fragment.number.clone(),
            continuation_token: fragment.continuation_token.as_deref().map(str::to_owned),
            server_timestamp: fragment.server_timestamp,
            producer_timestamp: fragment.producer_timestamp,
        }
    }
}

/// What to do when the service knows nothing any more of where a stream was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PositionLost {
    /// Go on with the earliest fragment behind the place that is still there.
    #[default]
    Earliest,
    /// Go on with the latest.
    Now,
    /// Give the stream up.
    Fail,
}

/// A rung of the ladder: what is asked for next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rung {
    Token,
    Number,
    /// The position is lost from here on.
    ServerTime,
    Policy,
}

/// Chooses start selectors.
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

    /// The selector of the next session; `None`: the position is lost and the stream to be given up.
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

    /// The service refused the selector. `false`: there is no other.
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

    /// Whether the service knows nothing any more of where the stream was.
    pub(crate) fn is_lost(&self) -> bool {
        self.position.is_some() && self.rung >= Rung::ServerTime
    }

    /// A fragment came.
    pub(crate) fn advance(&mut self, position: StreamPosition) {
        self.position = Some(position);
        self.rung = Rung::Token;
    }

    /// A session began at this time of the service's and brought nothing. One that starts with NOW would leave out
    /// what comes before the next one is open, so from here on it is this time that is asked for.
    pub(crate) fn began(&mut self, service_time: SystemTime) {
        if self.start == StartSelector::Now && self.position.is_none() {
            self.start = StartSelector::ServerTimestamp(Timestamp::from_system_time(service_time));
        }
    }
}

#[cfg(test)]
#[path = "resume_tests.rs"]
mod tests;
