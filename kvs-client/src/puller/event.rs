//! What pulling comes to.

use std::time::Duration;

use kvs_mkv::{Fragment, FragmentNumber};

use super::unparsable::PassedOver;
use crate::budget::MemoryPermit;
use crate::error::Error;
use crate::resume::StreamPosition;

/// A fragment with what belongs to it.
#[derive(Debug)]
pub struct PulledFragment {
    /// The fragment.
    pub fragment: Fragment,
    /// The memory it takes; give it back after the commit.
    pub permit: MemoryPermit,
    /// The response's content type.
    pub content_type: Option<String>,
    /// Id of the request it came with.
    pub request_id: Option<String>,
}

/// What pulling comes to next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Pulled {
    /// The next fragment. `complete` is false for one that came three times running without its end.
    Fragment(Box<PulledFragment>),
    /// A session is open.
    Opened {
        /// The kind of its start selector.
        selector: &'static str,
        /// The request's id.
        request_id: Option<String>,
    },
    /// The body ended within a fragment: it is pulled again.
    Waiting {
        /// Its number, when it had come.
        number: Option<FragmentNumber>,
        /// How many of its bytes had come.
        received_bytes: usize,
        /// Id of the request it came with.
        request_id: Option<String>,
    },
    /// A chunk came without its token and another behind it: it is pulled again.
    Odd {
        /// Its number.
        number: FragmentNumber,
        /// How often running.
        times: u32,
        /// Id of the request it came with.
        request_id: Option<String>,
    },
    /// A fragment that cannot be parsed is passed over.
    PassedOver(Box<PassedOver>),
    /// Others needed the memory of a fragment that did not grow: it is pulled again when there is room for it.
    GaveMemoryBack {
        /// Its number, when it had come.
        number: Option<FragmentNumber>,
        /// How much memory it had.
        held_bytes: usize,
        /// Id of the request it came with.
        request_id: Option<String>,
    },
    /// The service refused the position: the next rung of the ladder is tried.
    PositionRefused {
        /// How it was refused.
        error: Error,
    },
    /// The position was lost, and the next fragment is where the stream goes on: the first one above the place.
    PositionLost {
        /// The last fragment before.
        before: StreamPosition,
        /// The fragment that comes next.
        after: StreamPosition,
        /// How many fragments between the two were fetched from the archive; `None`: it was not asked.
        fetched: Option<u64>,
        /// How many that the archive had listed could not be had.
        missing: u64,
    },
    /// The stream has come up to the live edge, or fallen behind it.
    CaughtUp {
        /// Up to it.
        caught_up: bool,
        /// How far it is behind, as the service says.
        millis_behind_now: i64,
    },
    /// The stream falls behind, and its session gets what the service gives at most.
    AtRateLimit {
        /// What comes.
        bytes_per_second: u64,
        /// How far it is behind.
        millis_behind_now: i64,
        /// Id of the session's request.
        request_id: Option<String>,
    },
    /// Something failed and is tried again.
    Retrying {
        /// What failed.
        error: Error,
        /// After how long.
        delay: Duration,
    },
}
