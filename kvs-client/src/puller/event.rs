//! What a puller yields.

use std::time::Duration;

use kvs_mkv::FragmentNumber;

use crate::error::Error;
use crate::pull::{PassedOver, PulledFragment};
use crate::resume::StreamPosition;

/// What a [`Puller`](super::Puller) yields: fragments, and what happens between them.
#[derive(Debug)]
#[non_exhaustive]
pub enum Pulled {
    /// The next fragment. Its `complete` is false if it came three times in a row without its closing tags.
    Fragment(Box<PulledFragment>),
    /// A session opened.
    Opened {
        /// The kind of its start selector, `CONTINUATION_TOKEN` for example.
        selector: &'static str,
        /// The session's request id.
        request_id: Option<String>,
    },
    /// The session ended within a fragment, whose rest may come later: the fragment is pulled again after a delay.
    Waiting {
        /// The fragment's number, when it had come.
        number: Option<FragmentNumber>,
        /// How many bytes of the fragment had come.
        received_bytes: usize,
        /// The session's request id.
        request_id: Option<String>,
    },
    /// A fragment came without its closing tags, and another one behind it: the unterminated one is pulled again.
    MissingToken {
        /// The fragment's number.
        number: FragmentNumber,
        /// How many times in a row it came like that.
        times: u32,
        /// The session's request id.
        request_id: Option<String>,
    },
    /// A fragment that cannot be parsed was passed over.
    PassedOver(Box<PassedOver>),
    /// Other streams needed the memory of a fragment that did not grow: it is pulled again when there is room for it.
    GaveMemoryBack {
        /// The fragment's number, when it had come.
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
    /// The position was lost, and the stream goes on with the next fragment, the first one above the position.
    PositionLost {
        /// The last fragment before the loss.
        before: StreamPosition,
        /// The fragment that comes next.
        after: StreamPosition,
        /// How many fragments between the two came from the archive; `None`: it was not asked.
        fetched: Option<u64>,
        /// How many fragments the archive listed and could not send.
        missing: u64,
    },
    /// The stream has caught up with its live edge, or fallen behind it.
    CaughtUp {
        /// Whether it has caught up.
        caught_up: bool,
        /// How far it is behind, in milliseconds, as the service says.
        millis_behind_now: i64,
    },
    /// The stream falls behind though its session gets as much as the service sends to one.
    AtRateLimit {
        /// How much the session gets, in bytes a second.
        bytes_per_second: u64,
        /// How far it is behind, in milliseconds.
        millis_behind_now: i64,
        /// The session's request id.
        request_id: Option<String>,
    },
    /// An attempt failed, and another one follows.
    Retrying {
        /// The failure.
        error: Error,
        /// How long the puller waits before it.
        delay: Duration,
    },
}
