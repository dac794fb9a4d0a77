//! Notifications about a stream: their kinds, their messages, and the fields of `schemas/notification.avsc`.

use kvs_client::{FragmentNumber, StreamPosition, Timestamp};
use serde::Serialize;

use crate::model::OffsetKey;

/// The maximum number of fragment numbers in one record.
pub(super) const NUMBERS_MAX: usize = 1_000;

/// A change of a stream that people or programs want to know of.
#[derive(Debug)]
pub enum Notification<'a> {
    /// The service no longer knew a stream's position.
    PositionLost {
        /// The last fragment before.
        before: &'a StreamPosition,
        /// The fragment with which the stream continues.
        after: &'a StreamPosition,
        /// The number of fragments between the two that were fetched; `None`: the archive was not asked.
        fetched: Option<u64>,
        /// The number of fragments that were listed and could not be fetched.
        missing: u64,
    },
    /// Fragments of the archive cannot be fetched.
    FragmentsMissing {
        /// The fragments' numbers.
        numbers: &'a [FragmentNumber],
        /// Whether the settings name them as the bounds of a backfill, so that the archive may never have listed them.
        bounds: bool,
    },
    /// A fragment that cannot be parsed is passed over.
    FragmentPassedOver {
        /// The position after the fragment.
        position: &'a StreamPosition,
        /// What is wrong with the fragment.
        reason: &'a str,
    },
    /// A discovered stream no longer exists.
    StreamDeleted,
    /// The connector publishes its first fragment of a stream.
    StreamStarted,
    /// A stream that was silent or had failed is published again.
    StreamResumed,
    /// A stream has caught up with the live edge.
    CaughtUp {
        /// How far behind its last fragment was, in milliseconds.
        millis_behind_now: i64,
    },
    /// A stream has fallen behind the live edge.
    FallenBehind {
        /// How far behind its last fragment was, in milliseconds.
        millis_behind_now: i64,
    },
    /// No fragment of a stream has arrived for a while.
    StreamSilent {
        /// For how long, in seconds.
        silent_s: u64,
        /// What is known of the cause, if anything.
        cause: Option<&'a str>,
    },
    /// A backfill has reached the end of its range.
    StreamEnded {
        /// The fragments that it has published in this run.
        fragments: u64,
    },
    /// A stream has failed.
    StreamFailed {
        /// The reason, and what to do.
        reason: &'a str,
    },
}

/// A notification as the fields of its record.
#[derive(Serialize)]
pub(super) struct Fields<'a> {
    kind: &'a str,
    connector: &'a str,
    stream_name: &'a str,
    stream_arn: Option<&'a str>,
    time: i64,
    message: &'a str,
    last_fragment_number: Option<&'a str>,
    last_server_timestamp: Option<i64>,
    next_fragment_number: Option<&'a str>,
    next_server_timestamp: Option<i64>,
    fragments_fetched: Option<i64>,
    fragments_missing: Option<i64>,
    fragment_numbers: Vec<&'a str>,
}

impl<'a> Fields<'a> {
    /// Returns the fields of a notification; `message` is [`Notification::message`].
    pub(super) fn of(
        notification: &'a Notification<'_>,
        message: &'a str,
        key: &'a OffsetKey,
        stream_name: &'a str,
        stream_arn: Option<&'a str>,
        now_ms: i64,
    ) -> Self {
        let mut fields = Self {
            kind: notification.kind(),
            connector: &key.connector,
            stream_name,
            stream_arn,
            time: now_ms,
            message,
            last_fragment_number: None,
            last_server_timestamp: None,
            next_fragment_number: None,
            next_server_timestamp: None,
            fragments_fetched: None,
            fragments_missing: None,
            fragment_numbers: Vec::new(),
        };
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        match notification {
            Notification::PositionLost { before, after, fetched, missing } => {
                fields.last_fragment_number = Some(before.fragment_number.as_str());
                fields.last_server_timestamp = before.server_timestamp.map(Timestamp::millis);
                fields.next_fragment_number = Some(after.fragment_number.as_str());
                fields.next_server_timestamp = after.server_timestamp.map(Timestamp::millis);
                fields.fragments_fetched = fetched.map(count);
                fields.fragments_missing = fetched.map(|_| count(*missing));
            }
            Notification::FragmentsMissing { numbers, .. } => {
                fields.fragments_missing = Some(count(numbers.len() as u64));
                fields.fragment_numbers = numbers.iter().take(NUMBERS_MAX).map(FragmentNumber::as_str).collect();
            }
            Notification::FragmentPassedOver { position, .. } => {
                fields.fragment_numbers = vec![position.fragment_number.as_str()];
            }
            Notification::StreamDeleted
            | Notification::StreamStarted
            | Notification::StreamResumed
            | Notification::CaughtUp { .. }
            | Notification::FallenBehind { .. }
            | Notification::StreamSilent { .. }
            | Notification::StreamEnded { .. }
            | Notification::StreamFailed { .. } => {}
        }
        fields
    }
}

impl Notification<'_> {
    /// Returns the name of the kind in records and headers.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::PositionLost { .. } => "POSITION_LOST",
            Self::FragmentsMissing { .. } => "FRAGMENTS_MISSING",
            Self::FragmentPassedOver { .. } => "FRAGMENT_PASSED_OVER",
            Self::StreamDeleted => "STREAM_DELETED",
            Self::StreamStarted => "STREAM_STARTED",
            Self::StreamResumed => "STREAM_RESUMED",
            Self::CaughtUp { .. } => "CAUGHT_UP",
            Self::FallenBehind { .. } => "FALLEN_BEHIND",
            Self::StreamSilent { .. } => "STREAM_SILENT",
            Self::StreamEnded { .. } => "STREAM_ENDED",
            Self::StreamFailed { .. } => "STREAM_FAILED",
        }
    }

    /// Returns whether nobody needs to do anything.
    pub fn is_good_news(&self) -> bool {
        matches!(self, Self::StreamStarted | Self::StreamResumed | Self::CaughtUp { .. } | Self::StreamEnded { .. })
    }

    /// Returns the notification's message.
    pub fn message(&self) -> String {
        match self {
            Self::PositionLost { before, after, fetched, missing } => {
                let archive = match fetched {
                    None => "the archive was not asked (kvs.gap.check)".to_owned(),
                    Some(fetched) => {
                        format!(
                            "of the fragments between them {fetched} were fetched from the archive, {missing} are gone"
                        )
                    }
                };
                format!(
                    "the service no longer knew the stream's position: after fragment {} it continues with {}; {archive}",
                    before.fragment_number, after.fragment_number
                )
            }
            Self::FragmentsMissing { numbers, bounds: false } => {
                let (count, they, their) = match numbers.len() {
                    1 => ("1 fragment".to_owned(), "it", "its"),
                    count => (format!("{count} fragments"), "them", "their"),
                };
                format!(
                    "{count} that the archive had listed cannot be fetched: {their} retention is over, or it does not \
                    find {they}"
                )
            }
            Self::FragmentsMissing { numbers, bounds: true } => {
                let named: Vec<&str> = numbers.iter().take(NUMBERS_MAX).map(FragmentNumber::as_str).collect();
                let (fragments, are) = if named.len() == 1 { ("fragment", "is") } else { ("fragments", "are") };
                format!(
                    "{fragments} {} {are} named in the settings (kvs.backfill.*) and not in the stream's archive: no such number, or \
                     {} retention is over; the fragments between the bounds are published anyway",
                    named.join(" and "),
                    if named.len() == 1 { "its" } else { "their" }
                )
            }
            Self::FragmentPassedOver { position, reason } => {
                format!(
                    "fragment {} cannot be parsed, and is passed over (errors.tolerance is all): {reason}",
                    position.fragment_number
                )
            }
            Self::StreamDeleted => "the stream was deleted; its position is kept in case it comes back".to_owned(),
            Self::StreamStarted => "the connector publishes its first fragment of the stream".to_owned(),
            Self::StreamResumed => "the stream is published again".to_owned(),
            Self::CaughtUp { millis_behind_now } => {
                format!("the stream has caught up: its last fragment was {millis_behind_now} ms behind the live edge")
            }
            Self::FallenBehind { millis_behind_now } => format!(
                "the stream has fallen behind: its last fragment was {millis_behind_now} ms behind the live edge; more workers, or \
                 more memory (memory.budget.size.bytes), may help"
            ),
            Self::StreamSilent { silent_s, cause: Some(cause) } => {
                format!("no fragment has arrived for {silent_s} s: {cause}")
            }
            Self::StreamSilent { silent_s, cause: None } => {
                format!(
                    "no fragment has arrived for {silent_s} s, although the session is open: does its producer send?"
                )
            }
            Self::StreamEnded { fragments } => {
                format!("the backfill has reached the end of its range; fragments in this run: {fragments}")
            }
            Self::StreamFailed { reason } => format!("the stream has failed, and its position is kept: {reason}"),
        }
    }
}
