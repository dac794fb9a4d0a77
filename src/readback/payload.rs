//! Finds a fragment's media wherever `payload.mode` has put it.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset, TopicPartitionList};
use sha2::{Digest, Sha256};

use super::decode::Fragment;
use super::headers::header_text;
use crate::kafka::FailureContext;
use crate::payload_store::{PayloadStore, StoreError};

/// How long Kafka may take to tell where the parts of a payload begin.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the next part of a payload may take.
const PART_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest payload that is put together from parts, in bytes: the connector's own limit for fragments.
const SIZE_MAX_BYTES: u64 = 512 << 20;

/// Reasons why a fragment's media cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// `payload.mode` is `none`.
    #[error("the record has no media, because payload.mode is none: it is in the frames topic, if anywhere")]
    None,
    /// The record is metadata.
    #[error("the record is metadata, and its media are in the topic of the fragments (--topic)")]
    Metadata,
    /// The media is in a store, and nobody has said how to reach that.
    #[error("its media is in {uri}; pass the connector (--connector, or --file) so that it can be read")]
    NoStore {
        /// Where it is.
        uri: String,
    },
    /// The object cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Kafka fails.
    #[error("the parts of its media in topic {topic}: {source}")]
    Parts {
        /// The topic.
        topic: String,
        /// The failure.
        source: KafkaError,
    },
    /// Not all parts are there.
    #[error("its media has {count} parts in topic {topic}, partition {partition}, of which only {found} are there")]
    PartsMissing {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// How many there should be.
        count: usize,
        /// How many there are.
        found: usize,
    },
    /// They are not what the record says.
    #[error("its media are not what its record says: {what}")]
    Altered {
        /// What differs.
        what: String,
    },
}

/// Finds media. Blocks; must not be called within an async task.
pub struct Payloads {
    store: Option<PayloadStore>,
    /// A consumer of committed records that reads nothing else.
    parts: BaseConsumer<FailureContext>,
    runtime: tokio::runtime::Handle,
}

impl Payloads {
    /// Creates a finder; `parts` is a consumer of its own.
    pub fn new(
        store: Option<PayloadStore>,
        parts: BaseConsumer<FailureContext>,
        runtime: tokio::runtime::Handle,
    ) -> Self {
        Self { store, parts, runtime }
    }

    /// Returns the media of a fragment, whose record has this timestamp, and checks them against what the record says.
    ///
    /// # Errors
    /// When they cannot be had, or are others.
    pub fn of(&self, fragment: &mut Fragment, timestamp_ms: Option<i64>) -> Result<Vec<u8>, PayloadError> {
        let media = match fragment.mode.as_deref() {
            Some("none") => return Err(PayloadError::None),
            Some("reference") => {
                let uri = fragment.uri.clone().unwrap_or_default();
                let Some(store) = &self.store else { return Err(PayloadError::NoStore { uri }) };
                self.runtime.block_on(store.get(&uri))?.into()
            }
            Some("chunked") => self.parts(fragment, timestamp_ms)?,
            _ => fragment.payload.take().ok_or(PayloadError::Metadata)?,
        };
        let altered = |what: String| Err(PayloadError::Altered { what });
        if media.len() as u64 != fragment.size_bytes {
            return altered(format!("{} bytes instead of {}", media.len(), fragment.size_bytes));
        }
        if let Some(expected) = &fragment.sha256 {
            let found: String = Sha256::digest(&media).iter().map(|byte| format!("{byte:02x}")).collect();
            if found != *expected {
                return altered("another SHA-256".to_owned());
            }
        }
        Ok(media)
    }

    fn parts(&self, fragment: &Fragment, timestamp_ms: Option<i64>) -> Result<Vec<u8>, PayloadError> {
        let Some(placed) = &fragment.parts else { return Err(PayloadError::Metadata) };
        let (topic, partition, count) = (placed.topic.clone(), placed.partition, placed.count);
        let failed = |source| PayloadError::Parts { topic: topic.clone(), source };
        // Parts are written before their record, in its transaction, and have its timestamp.
        let mut from = TopicPartitionList::new();
        let at = timestamp_ms.map_or(Offset::Beginning, Offset::Offset);
        from.add_partition_offset(&topic, partition, at).map_err(failed)?;
        if timestamp_ms.is_some() {
            from = self.parts.offsets_for_times(from, CALL_TIMEOUT).map_err(failed)?;
        }
        self.parts.assign(&from).map_err(failed)?;
        let (mut media, mut found, mut since) = (Vec::new(), 0, Instant::now());
        while found < count && since.elapsed() < PART_TIMEOUT && media.len() as u64 <= SIZE_MAX_BYTES {
            let Some(message) = self.parts.poll(Duration::from_millis(100)) else { continue };
            let message = message.map_err(failed)?;
            if is_part_of(&message, fragment) {
                media.extend_from_slice(message.payload().unwrap_or_default());
                (found, since) = (found + 1, Instant::now());
            }
        }
        let nothing = TopicPartitionList::new();
        self.parts.assign(&nothing).map_err(failed)?;
        if found < count { Err(PayloadError::PartsMissing { topic, partition, count, found }) } else { Ok(media) }
    }
}

fn is_part_of(message: &BorrowedMessage<'_>, fragment: &Fragment) -> bool {
    let is = |name: &str, text: &str| header_text(message, name) == Some(text);
    is("kvs.stream", &fragment.stream) && is("kvs.fragment.number", &fragment.number)
}
