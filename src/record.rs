//! A fragment as Kafka records.
//!
//! **Contract.** A fragment becomes a list of records, today one: key the fragment number, value
//! `schemas/fragment.avsc` with the payload last, headers `kvs.stream`, `kvs.fragment.number`, `kvs.content.type` (what
//! the payload is) and `content-type` (what the value is). All records of a stream go to one partition, so that it keeps
//! its order. The value lacks its sequence until the shard's owner publishes it.

mod avro;
mod notification;
mod schema;
mod timestamp;

use std::sync::Arc;

use kvs_client::Fragment;

pub use avro::{AvroValue, EncodeError, HEADROOM_BYTES, ValueEncoder};
pub use notification::{Notification, NotificationTopic};
pub use schema::{CONTENT_TYPE, KEY_SCHEMA, NOTIFICATION_SCHEMA, VALUE_SCHEMA, notification_schema, value_schemas};
use timestamp::Chosen;
pub use timestamp::{RecordTimestamp, TimestampPolicy};

use crate::shard::{OffsetKey, Record, SequencePrefix};
use crate::telemetry;

/// What GetMedia sends when it does not say.
const DEFAULT_CONTENT_TYPE: &str = "video/x-matroska";

/// How keys are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyFormat {
    /// The digits as UTF-8 text.
    #[default]
    Text,
    /// An Avro string, single-object encoded (`schemas/fragment-key.avsc`).
    Avro,
}

/// Makes the records of one stream.
pub struct RecordBuilder {
    /// Whose they are.
    pub key: Arc<OffsetKey>,
    /// Name of the stream.
    pub stream_name: String,
    /// ARN of the stream, when it is known.
    pub stream_arn: Option<String>,
    /// Data topic.
    pub topic: Arc<str>,
    /// The partition of it that the stream's records go to.
    pub partition: i32,
    /// How keys are written.
    pub key_format: KeyFormat,
    /// How values are written.
    pub encoder: Arc<dyn ValueEncoder>,
    /// Which time a record gets.
    pub timestamps: TimestampPolicy,
    /// Whether it gets its ingest time all the same, for the broker has refused another.
    pub ingest_time: bool,
}

impl RecordBuilder {
    /// The records of a fragment. `now_ms` is when it came in.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn build(
        &self,
        mut fragment: Fragment,
        content_type: Option<&str>,
        now_ms: i64,
    ) -> Result<Vec<Record>, EncodeError> {
        let content_type = content_type.unwrap_or(DEFAULT_CONTENT_TYPE);
        let number = fragment.number.as_str().to_owned();
        let chosen = match self.ingest_time {
            true => Chosen::ingest(now_ms),
            false => self.timestamps.choose(&fragment, now_ms),
        };
        if let Some(reason) = chosen.replaced {
            telemetry::timestamp_replaced(&self.key, reason);
            tracing::warn!(stream = %self.key.stream, fragment_number = %number, reason,
                "the record gets its ingest time: with the time asked for it would be refused or deleted at once");
        }
        let head = self.encoder.encode_head(&self.stream_name, self.stream_arn.as_deref(), content_type, &fragment)?;
        let value = std::mem::take(&mut fragment.payload).into_prefixed(&head);
        let key = match self.key_format {
            KeyFormat::Text => number.clone().into_bytes(),
            KeyFormat::Avro => avro::encode_key(&number)?,
        };
        Ok(vec![Record {
            topic: Arc::clone(&self.topic),
            partition: self.partition,
            key,
            value: Some(value),
            headers: vec![
                ("kvs.stream", self.stream_name.clone()),
                ("kvs.fragment.number", number),
                ("kvs.content.type", content_type.to_owned()),
                ("content-type", CONTENT_TYPE.to_owned()),
            ],
            timestamp_ms: Some(chosen.millis),
            sequence: Some(Arc::clone(&self.encoder) as Arc<dyn SequencePrefix>),
        }])
    }
}

#[cfg(test)]
#[path = "record/record_tests.rs"]
mod tests;
