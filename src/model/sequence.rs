//! The sequence of a stream, which counts the fragments that a connector has published.
//!
//! **Contract.** The first published fragment of a stream has sequence 0 and each further one the next number, assigned
//! by the shard's owner in the transaction that publishes it. The sequence is stored in the stream's offset. When the
//! offset is reset, the sequence moves to a record of its own, under a reserved key; it never goes back, whatever
//! happens to the offset.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::header::Header;
use super::offset_error::OffsetError;
use super::offset_key::OffsetKey;

/// The first element of the reserved keys: `["kvs-connect-sequence","connector",{"stream":"…"}]`. They cannot be an
/// offset's, because those are arrays of two.
const RESERVED: &str = "kvs-connect-sequence";

/// The largest valid sequence, which every JSON reader represents exactly.
pub const SEQUENCE_MAX: i64 = (1 << 53) - 1;

/// The largest sequence that may be set from outside: 2^52. No stream lives long enough to count from there to
/// [`SEQUENCE_MAX`], so every published sequence can be read.
pub const SEQUENCE_SET_MAX: i64 = 1 << 52;

/// The sequence of the last published fragment of each stream that has one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sequences(HashMap<OffsetKey, i64>);

impl Sequences {
    /// Returns the sequence of a stream's last published fragment.
    pub fn last(&self, key: &OffsetKey) -> Option<i64> {
        self.0.get(key).copied()
    }

    /// Returns the streams with their sequences.
    pub fn iter(&self) -> impl Iterator<Item = (&OffsetKey, i64)> {
        self.0.iter().map(|(key, &sequence)| (key, sequence))
    }

    /// Assigns the next sequence of a stream.
    pub fn next(&mut self, key: &OffsetKey) -> i64 {
        let next = self.last(key).map_or(0, |last| last.saturating_add(1));
        self.0.insert(key.clone(), next);
        next
    }

    /// Records a sequence that was read, if it is above the known one.
    pub fn found(&mut self, key: &OffsetKey, sequence: i64) {
        match self.0.get_mut(key) {
            Some(known) => *known = sequence.max(*known),
            None => _ = self.0.insert(key.clone(), sequence),
        }
    }
}

/// Encodes the front of a record's value, which needs the fragment's sequence. Only the shard's owner knows that,
/// because it decides which fragments are published.
pub trait SequencePrefix: fmt::Debug + Send + Sync {
    /// Returns the bytes in front of the value.
    fn prefix(&self, sequence: i64) -> Vec<u8>;

    /// Returns the bytes in front of a value that is written before the sequence is known: it says that there is none.
    fn without(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Returns a header with the sequence, for a record whose value cannot have it.
    fn header(&self, _sequence: i64) -> Option<Header> {
        None
    }
}

#[derive(Serialize, Deserialize)]
struct Partition {
    stream: String,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    sequence: i64,
}

/// Returns the reserved key for the sequence of a stream that has no offset.
pub fn key_bytes(key: &OffsetKey) -> Vec<u8> {
    let (connector, stream) = (Value::from(key.connector.as_str()), Value::from(key.stream.as_str()));
    format!(r#"["{RESERVED}",{connector},{{"stream":{stream}}}]"#).into_bytes()
}

/// Reads a reserved key; `None`: the key is not reserved.
pub fn key_from_bytes(bytes: &[u8]) -> Option<OffsetKey> {
    let (reserved, connector, Partition { stream }): (String, String, Partition) =
        serde_json::from_slice(bytes).ok()?;
    (reserved == RESERVED).then_some(OffsetKey { connector, stream })
}

/// Returns the value of a sequence's own record.
pub fn value_bytes(sequence: i64) -> Vec<u8> {
    // A number always serialises.
    serde_json::to_vec(&Wire { sequence }).unwrap_or_default()
}

/// Reads the sequence from the value of its own record, or of an offset, even of one in a later form.
///
/// # Errors
/// When it cannot be read. It must not be treated as "none", which would start again at 0.
pub fn value_from_bytes(bytes: &[u8]) -> Result<i64, OffsetError> {
    let Wire { sequence } = serde_json::from_slice(bytes)?;
    checked(sequence)
}

/// Refuses a sequence that no fragment can have.
///
/// # Errors
/// When it is below 0 or above [`SEQUENCE_MAX`].
pub fn checked(sequence: i64) -> Result<i64, OffsetError> {
    within(sequence, SEQUENCE_MAX)
}

/// Refuses a sequence that must not be set from outside.
///
/// # Errors
/// When it is below 0 or above [`SEQUENCE_SET_MAX`].
pub fn checked_to_set(sequence: i64) -> Result<i64, OffsetError> {
    within(sequence, SEQUENCE_SET_MAX)
}

fn within(sequence: i64, most: i64) -> Result<i64, OffsetError> {
    if (0..=most).contains(&sequence) {
        return Ok(sequence);
    }
    Err(OffsetError::Sequence { found: sequence, max: most })
}

#[cfg(test)]
#[path = "sequence_tests.rs"]
mod tests;
