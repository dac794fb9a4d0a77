//! Where to go on: the ladder of resuming (design, "Resuming").
//!
//! 1. CONTINUATION_TOKEN of the last fragment. 2. If the service refuses it: FRAGMENT_NUMBER after the last one.
//! 3. Then SERVER_TIMESTAMP. 4. Then what [`PositionLost`] says.

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
    /// Go on with the earliest fragment that is still there.
    #[default]
    Earliest,
    /// Go on with the latest.
    Now,
    /// Give the stream up.
    Fail,
}

/// Chooses start selectors.
#[derive(Debug)]
pub(crate) struct Resume {
    start: StartSelector,
    position: Option<StreamPosition>,
    /// How many rungs of the ladder the service has refused.
    refused: u8,
    lost: PositionLost,
}

impl Resume {
    pub(crate) fn new(start: StartSelector, position: Option<StreamPosition>, lost: PositionLost) -> Self {
        Self { start, position, refused: 0, lost }
    }

    /// The selector of the next session; `None`: the position is lost and the stream to be given up.
    pub(crate) fn selector(&mut self) -> Option<StartSelector> {
        let Some(position) = &self.position else { return Some(self.start.clone()) };
        loop {
            let selector = match self.refused {
                0 => position.continuation_token.clone().map(StartSelector::ContinuationToken),
                1 => Some(StartSelector::FragmentNumber(position.fragment_number.clone())),
                2 => position.server_timestamp.map(StartSelector::ServerTimestamp),
                _ => match self.lost {
                    PositionLost::Earliest => Some(StartSelector::Earliest),
                    PositionLost::Now => Some(StartSelector::Now),
                    PositionLost::Fail => return None,
                },
            };
            match selector {
                Some(selector) => return Some(selector),
                None => self.refused += 1,
            }
        }
    }

    pub(crate) fn position(&self) -> Option<&StreamPosition> {
        self.position.as_ref()
    }

    /// The service refused the selector. `false`: there is no other.
    pub(crate) fn refuse(&mut self) -> bool {
        if self.position.is_none() || self.refused >= 3 {
            return false;
        }
        self.refused += 1;
        self.refused < 3 || self.lost != PositionLost::Fail
    }

    /// Whether the service knows nothing any more of where the stream was.
    pub(crate) fn is_lost(&self) -> bool {
        self.position.is_some() && self.refused >= 3
    }

    /// A fragment came.
    pub(crate) fn advance(&mut self, position: StreamPosition) {
        self.position = Some(position);
        self.refused = 0;
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
