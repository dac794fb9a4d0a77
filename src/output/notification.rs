//! What people should know of a stream: kinds, in words, and as the fields of `schemas/notification.avsc`.

use kvs_client::{FragmentNumber, StreamPosition, Timestamp};
use serde::Serialize;

use crate::model::OffsetKey;

/// How many fragment numbers one record names at most.
pub(super) const NUMBERS_MAX: usize = 1_000;

/// Something people should know.
#[derive(Debug)]
pub enum Notification<'a> {
    /// The service knew nothing any more of where a stream was.
    PositionLost {
        /// The last fragment before.
        before: &'a StreamPosition,
        /// The fragment with which the stream goes on.
        after: &'a StreamPosition,
        /// Fragments between the two that were fetched; `None`: the archive was not asked.
        fetched: Option<u64>,
        /// Those that were listed and could not be had.
        missing: u64,
    },
    /// Fragments of the archive cannot be had.
    FragmentsMissing {
        /// Their numbers.
        numbers: &'a [FragmentNumber],
        /// Whether they are those that the settings name as the first or last one of a backfill, which the archive may never
        /// have listed.
        bounds: bool,
    },
    /// A fragment that cannot be parsed is passed over.
    FragmentPassedOver {
        /// The position behind it.
        position: &'a StreamPosition,
        /// What is wrong with it.
        reason: &'a str,
    },
    /// A stream that had been discovered is no more.
    StreamDeleted,
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
            Notification::StreamDeleted => {}
        }
        fields
    }
}

impl Notification<'_> {
    /// Returns its kind, as records and headers name it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::PositionLost { .. } => "POSITION_LOST",
            Self::FragmentsMissing { .. } => "FRAGMENTS_MISSING",
            Self::FragmentPassedOver { .. } => "FRAGMENT_PASSED_OVER",
            Self::StreamDeleted => "STREAM_DELETED",
        }
    }

    /// Returns it in words.
    pub fn message(&self) -> String {
        match self {
            Self::PositionLost { before, after, fetched, missing } => {
                let archive = match fetched {
                    None => "the archive was not asked (kvs.gap.check)".to_owned(),
                    Some(fetched) => {
                        format!("of those between the two {fetched} fetched from the archive, {missing} gone")
                    }
                };
                format!(
                    "the service no longer knew the stream's position: after fragment {} it goes on with {}; {archive}",
                    before.fragment_number, after.fragment_number
                )
            }
            Self::FragmentsMissing { numbers, bounds: false } => {
                let (count, they, their) = match numbers.len() {
                    1 => ("1 fragment".to_owned(), "it", "its"),
                    count => (format!("{count} fragments"), "them", "their"),
                };
                format!(
                    "{count} that the archive had listed cannot be had: {their} retention is over, or it does not find {they}"
                )
            }
            Self::FragmentsMissing { numbers, bounds: true } => {
                let named: Vec<&str> = numbers.iter().take(NUMBERS_MAX).map(FragmentNumber::as_str).collect();
                let (fragments, are) = if named.len() == 1 { ("fragment", "is") } else { ("fragments", "are") };
                format!(
                    "{fragments} {} {are} named in the settings (kvs.backfill.*) and not in the stream's archive: no such number, or \
                     {} retention is over; what lies between the bounds is taken all the same",
                    named.join(" and "),
                    if named.len() == 1 { "its" } else { "their" }
                )
            }
            Self::FragmentPassedOver { position, reason } => {
                format!(
                    "fragment {} cannot be parsed, however often it is pulled, and is passed over (errors.tolerance is all): \
                     {reason}",
                    position.fragment_number
                )
            }
            Self::StreamDeleted => "the stream is deleted: its position is kept, should it come back".to_owned(),
        }
    }
}
