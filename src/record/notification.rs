//! What people should know of a stream, as Kafka records (`schemas/notification.avsc`).

use std::sync::{Arc, OnceLock};

use apache_avro::Schema;
use apache_avro::writer::datum::GenericDatumWriter;
use kvs_client::{FragmentNumber, StreamPosition, Timestamp};
use serde::Serialize;

use super::EncodeError;
use super::schema::{CONTENT_TYPE, NOTIFICATION_SCHEMA, single_object_header};
use crate::shard::{OffsetKey, Record, partition_for};

/// So many numbers are named in one record.
const NUMBERS_MAX: usize = 1_000;

/// Where notifications go.
#[derive(Debug, Clone)]
pub struct NotificationTopic {
    /// Topic.
    pub name: Arc<str>,
    /// How many partitions it has.
    pub partitions: i32,
}

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

#[derive(Serialize)]
struct Fields<'a> {
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

struct Compiled {
    header: Vec<u8>,
    writer: GenericDatumWriter<'static>,
}

fn compiled() -> Result<&'static Compiled, EncodeError> {
    static COMPILED: OnceLock<Result<Compiled, String>> = OnceLock::new();
    let compile = || {
        let text = |error: apache_avro::Error| error.to_string();
        // Once a process: the writer borrows it for ever.
        let schema: &'static Schema = Box::leak(Box::new(Schema::parse_str(NOTIFICATION_SCHEMA).map_err(text)?));
        let header = single_object_header(NOTIFICATION_SCHEMA)?;
        let writer = GenericDatumWriter::builder(schema).human_readable(false).build().map_err(text)?;
        Ok(Compiled { header, writer })
    };
    COMPILED.get_or_init(compile).as_ref().map_err(|error| EncodeError(error.clone()))
}

impl NotificationTopic {
    /// A notification about a stream.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn record(
        &self,
        key: &OffsetKey,
        stream_name: &str,
        stream_arn: Option<&str>,
        now_ms: i64,
        notification: &Notification<'_>,
    ) -> Result<Record, EncodeError> {
        let (kind, message) = (notification.kind(), notification.message());
        let mut fields = Fields {
            kind,
            connector: &key.connector,
            stream_name,
            stream_arn,
            time: now_ms,
            message: &message,
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
        let compiled = compiled()?;
        let mut value = compiled.header.clone();
        compiled.writer.write_ser(&mut value, &fields).map_err(|error| EncodeError(error.to_string()))?;
        Ok(Record {
            topic: Arc::clone(&self.name),
            partition: partition_for(stream_name.as_bytes(), self.partitions),
            key: stream_name.as_bytes().to_vec(),
            value: Some(value.into()),
            headers: vec![
                ("kvs.stream", stream_name.to_owned()),
                ("kvs.notification", kind.to_owned()),
                ("content-type", CONTENT_TYPE.to_owned()),
            ],
            timestamp_ms: Some(now_ms),
            sequence: None,
        })
    }
}

impl Notification<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::PositionLost { .. } => "POSITION_LOST",
            Self::FragmentsMissing { .. } => "FRAGMENTS_MISSING",
            Self::FragmentPassedOver { .. } => "FRAGMENT_PASSED_OVER",
            Self::StreamDeleted => "STREAM_DELETED",
        }
    }

    /// In words.
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
                    "the service knew the stream's place no more: after fragment {} it goes on with {}; {archive}",
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
            Self::StreamDeleted => "the stream is deleted: its place is kept, should it come back".to_owned(),
        }
    }
}

#[cfg(test)]
#[path = "notification_tests.rs"]
mod tests;
