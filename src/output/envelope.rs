//! The key and the headers that the records of a fragment have in every output.

use super::framing::{EncodeError, Framed, SchemaError, SchemaWriter};
use super::kind::Origin;
use super::schema::{KEY_NAME, KEY_SCHEMA};
use crate::model::KeyFormat;

/// Writes the keys of a fragment's records, which are its number.
pub(super) enum RecordKey {
    /// The digits as text.
    Text,
    /// An Avro string.
    Avro(Framed),
}

impl RecordKey {
    /// Creates a writer of keys.
    ///
    /// # Errors
    /// When the built-in schema cannot be compiled, which a test excludes.
    pub(super) fn new(format: KeyFormat) -> Result<Self, SchemaError> {
        static KEY: SchemaWriter = SchemaWriter::new();
        Ok(match format {
            KeyFormat::Text => Self::Text,
            KeyFormat::Avro => Self::Avro(Framed::single_object(&KEY, KEY_NAME, KEY_SCHEMA)?),
        })
    }

    /// Returns the key of a fragment.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub(super) fn bytes(&self, number: &str) -> Result<Vec<u8>, EncodeError> {
        match self {
            Self::Text => Ok(number.as_bytes().to_vec()),
            Self::Avro(key) => key.value("the fragment's key", &number),
        }
    }
}

/// Returns the headers of a fragment's record. `content_type` is the type of the fragment's media, `value_type` that of the
/// record's value.
pub(super) fn headers(
    origin: &Origin<'_>,
    number: &str,
    content_type: &str,
    value_type: &str,
) -> Vec<(&'static str, String)> {
    vec![
        ("kvs.stream", origin.stream_name.to_owned()),
        ("kvs.fragment.number", number.to_owned()),
        ("kvs.content.type", content_type.to_owned()),
        ("content-type", value_type.to_owned()),
    ]
}
