//! Puts payloads where `payload.mode` says, before their records are made.
//!
//! **Contract.** An object is written before the transaction begins, so a record never refers to one that is not there; a
//! fragment that is published again writes the same object again. Payloads of at most `payload.inline.max.bytes` stay in their
//! records.

use std::sync::Arc;

use bytes::Bytes;
use kvs_client::Fragment;
use kvs_mkv::Payload;
use sha2::{Digest, Sha256};

use super::error::ProjectError;
use super::placement::{ChunksPlacement, Placement};
use crate::config::connector::payload::PayloadConfig;
use crate::model::{Header, PayloadMode, Record, ReferenceFormat, SequencePrefix};
use crate::payload_store::PayloadStore;
use crate::supervision::{Part, blocking};

/// The header by which bakdata's deserializer knows where a value is: one byte, 0 in the record, 1 in an object.
const BACKED: &str = "__large.message.backed.value";
/// The header with the sequence of a record whose value is in an object, which is written before the sequence is known.
const SEQUENCE: &str = "kvs.sequence";
/// A payload of which the hash is computed on another thread, in bytes: it takes about a millisecond.
const HASHED_APART_BYTES: usize = 1 << 20;

/// What happens to the payloads of a connector.
#[derive(Debug, Clone)]
pub(super) struct Payloads {
    config: PayloadConfig,
    store: Option<PayloadStore>,
}

/// Where the payload of a fragment is, or of its part of one track.
pub(super) struct Placed {
    /// As its metadata says it.
    pub(super) metadata: Placement,
    /// As its own record says it.
    pub(super) fragment: Placement,
    /// The names of the object that the record's value is moved to.
    backed: Option<Vec<String>>,
}

impl Placed {
    fn at(placement: Placement) -> Self {
        Self { metadata: placement.clone(), fragment: placement, backed: None }
    }
}

/// The bytes of a payload that is shared with the store's client.
struct Shared(Arc<Payload>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Writes a sequence into a header.
#[derive(Debug)]
struct SequenceHeader;

impl SequencePrefix for SequenceHeader {
    fn prefix(&self, _sequence: i64) -> Vec<u8> {
        Vec::new()
    }

    fn header(&self, sequence: i64) -> Option<Header> {
        Some(Header::new(SEQUENCE, sequence.to_string()))
    }
}

impl Payloads {
    /// Creates what the settings describe; `store` is the store that they name.
    pub(super) fn new(config: PayloadConfig, store: Option<PayloadStore>) -> Self {
        Self { config, store }
    }

    /// Puts the payload of a fragment where it belongs. `label` names the track of a part, `chunks` the topic and partition of
    /// chunks.
    ///
    /// # Errors
    /// When the store cannot be written at the moment.
    pub(super) async fn place(
        &self,
        fragment: &mut Fragment,
        stream: &str,
        label: Option<&str>,
        chunks: Option<(&str, i32)>,
    ) -> Result<Placed, ProjectError> {
        if fragment.payload.len() <= self.config.inline_max_bytes {
            return Ok(Placed::at(Placement::INLINE));
        }
        match (self.config.mode, chunks, &self.store) {
            (PayloadMode::None, ..) => Ok(Placed::at(Placement::none())),
            (PayloadMode::Chunked, Some((topic, partition)), _) => {
                let size_bytes = self.config.chunk_max_bytes.max(1);
                let count = fragment.payload.len().div_ceil(size_bytes);
                let chunks = ChunksPlacement {
                    topic: topic.to_owned(),
                    partition: i64::from(partition),
                    count: i64::try_from(count).unwrap_or(i64::MAX),
                    max_size_bytes: i64::try_from(size_bytes).unwrap_or(i64::MAX),
                };
                let payload = Arc::new(std::mem::take(&mut fragment.payload));
                let sha256 = sha256(&payload).await;
                fragment.payload = unshared(payload);
                Ok(Placed::at(Placement::in_chunks(chunks, sha256)))
            }
            (PayloadMode::Reference, _, Some(store)) if self.config.reference_format == ReferenceFormat::Bakdata => {
                let names = object_names(stream, fragment, label, "avro");
                let uri = store.uri(&names.iter().map(String::as_str).collect::<Vec<_>>());
                let metadata = Placement::in_object(uri, None);
                Ok(Placed { metadata, fragment: Placement::INLINE, backed: Some(names) })
            }
            (PayloadMode::Reference, _, Some(store)) => {
                let names = object_names(stream, fragment, label, "mkv");
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let payload = Arc::new(std::mem::take(&mut fragment.payload));
                let sha256 = sha256(&payload).await;
                let stored = store.put(&names, vec![Bytes::from_owner(Shared(Arc::clone(&payload)))]).await;
                fragment.payload = unshared(payload);
                Ok(Placed::at(Placement::in_object(stored?.uri, Some(sha256))))
            }
            _ => Ok(Placed::at(Placement::INLINE)),
        }
    }

    /// Moves the value of a fragment's record to its object, if it belongs there.
    ///
    /// # Errors
    /// When the store cannot be written at the moment.
    pub(super) async fn back(&self, placed: &Placed, record: &mut Record) -> Result<(), ProjectError> {
        let is_bakdata =
            self.config.mode == PayloadMode::Reference && self.config.reference_format == ReferenceFormat::Bakdata;
        let (Some(store), true) = (&self.store, is_bakdata) else { return Ok(()) };
        let backed = |is_backed: u8| Header { name: BACKED.into(), value: vec![is_backed] };
        let Some(names) = &placed.backed else {
            record.headers.push(backed(0));
            return Ok(());
        };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let front = record.sequence.as_ref().map(|sequence| sequence.without()).unwrap_or_default();
        let value = Arc::new(record.value.take().unwrap_or_default());
        let content = vec![Bytes::from(front), Bytes::from_owner(Shared(value))];
        record.value = Some(store.put(&names, content).await?.uri.into_bytes().into());
        record.headers.push(backed(1));
        record.sequence = Some(Arc::new(SequenceHeader));
        Ok(())
    }
}

/// Returns the names of a fragment's object: the same for the same fragment.
fn object_names(stream: &str, fragment: &Fragment, label: Option<&str>, extension: &str) -> Vec<String> {
    let number = fragment.number.as_str();
    let is_plain = |label: &&str| {
        label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) && !label.is_empty()
    };
    let name = match label {
        None => format!("{number}.{extension}"),
        Some(label) => match Some(label).filter(is_plain) {
            Some(label) => format!("{number}-{label}.{extension}"),
            // By the track's number, which is a name that every store allows.
            None => {
                let track = fragment.tracks.first().map_or(0, |track| track.number);
                format!("{number}-{track}.{extension}")
            }
        },
    };
    vec![stream.to_owned(), name]
}

fn unshared(payload: Arc<Payload>) -> Payload {
    Arc::try_unwrap(payload).unwrap_or_else(|shared| (*shared).clone())
}

async fn sha256(payload: &Arc<Payload>) -> String {
    let hash =
        |payload: &Payload| -> String { Sha256::digest(&**payload).iter().map(|byte| format!("{byte:02x}")).collect() };
    if payload.len() < HASHED_APART_BYTES {
        return hash(payload);
    }
    let payload = Arc::clone(payload);
    blocking(Part::Stream, move || hash(&payload)).await
}

#[cfg(test)]
#[path = "payloads_tests.rs"]
mod tests;
