//! The framing of Confluent's serializers: a zero byte, the schema's id in four bytes, the datum.

use crate::registry::SchemaId;

/// Returns the header of values whose schema has this id in the registry.
pub(super) fn header(id: SchemaId) -> Vec<u8> {
    [&[0][..], &id.get().to_be_bytes()].concat()
}
