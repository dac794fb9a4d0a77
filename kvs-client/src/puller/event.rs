//! The events of a puller.

use std::time::Duration;

use kvs_mkv::FragmentNumber;

use crate::error::Error;
use crate::pull::{PassedOver, PulledFragment};
use crate::resume::StreamPosition;

/// What a [`Puller`](super::Puller) yields: fragments, and what happens between them.
#[derive(Debug)]
#[non_exhaustive]
pub enum Pulled {
    /// The next fragment. Its `complete` is false if it arrived three consecutive times without its closing tags.
    Fragment(Box<PulledFragment>),
    /// A session opened.
    Opened {
        /// The kind of its start selector, such as `CONTINUATION_TOKEN`.
        selector: &'static str,
        /// The session's request id.
        request_id: Option<String>,
    },
    /// The session ended within a fragment, whose rest may arrive later: the fragment is pulled again after a delay.
    Waiting {
        /// The fragment's number, if it had arrived.
        number: Option<FragmentNumber>,
        /// How many bytes of the fragment had arrived.
        received_bytes: usize,
        /// The session's request id.
        request_id: Option<String>,
    },
    /// A fragment arrived without its closing tags, followed by another one: the unterminated one is pulled again.
    MissingToken {
        /// The fragment's number.
        number: FragmentNumber,
        /// How many consecutive times it arrived like this.
        times: u32,
        /// The session's request id.
        request_id: Option<String>,
    },
    /// A fragment that cannot be parsed was skipped.
    PassedOver(Box<PassedOver>),
    /// Other streams needed the memory of a fragment that did not grow: it is pulled again when there is room for it.
    GaveMemoryBack {
        /// The fragment's number, if it had arrived.
        number: Option<FragmentNumber>,
        /// How much memory it had, in bytes.
        held_bytes: usize,
        /// The session's request id.
        request_id: Option<String>,
    },
    /// The service refused the position: another way to resume from it is tried.
    PositionRefused {
        /// The refusal.
        error: Error,
    },
    /// The position was lost, and the stream continues with the next fragment, the first one above the position.
    PositionLost {
        /// The last fragment before the loss.
        before: StreamPosition,
        /// The fragment that comes next.
        after: StreamPosition,
        /// How many fragments between the two came from the archive; `None`: it was not searched.
        fetched: Option<u64>,
        /// How many fragments the archive listed but could not send.
        missing: u64,
    },
    /// The stream has caught up with its live edge, or fallen behind it.
    CaughtUp {
        /// Whether it has caught up.
        caught_up: bool,
        /// How far it is behind, in milliseconds, according to the service.
        millis_behind_now: i64,
    },
    /// The stream falls behind although its session already receives as much as the service sends to one.
    AtRateLimit {
        /// How much the session receives, in bytes per second.
        bytes_per_second: u64,
        /// How far it is behind, in milliseconds.
        millis_behind_now: i64,
        /// The session's request id.
        request_id: Option<String>,
    },
    /// An attempt failed, and another one will be made.
    Retrying {
        /// The failure.
        error: Error,
        /// How long the puller waits before it.
        delay: Duration,
    },
}
