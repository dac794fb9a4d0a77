//! The current schemas, and those of earlier versions.

use apache_avro::Schema;

use super::framing::{SchemaError, single_object_header};

/// The value's schema.
pub const VALUE_SCHEMA: &str = include_str!("../../schemas/fragment.avsc");
/// The key's schema, for `key.converter=avro`.
pub const KEY_SCHEMA: &str = include_str!("../../schemas/fragment-key.avsc");
/// The schema of notifications.
pub const NOTIFICATION_SCHEMA: &str = include_str!("../../schemas/notification.avsc");

/// The schema of metadata: a fragment's record without its payload.
pub const METADATA_SCHEMA: &str = include_str!("../../schemas/metadata.avsc");

/// The file names of the schemas, for errors.
pub(super) const VALUE_NAME: &str = "fragment.avsc";
pub(super) const KEY_NAME: &str = "fragment-key.avsc";
pub(super) const METADATA_NAME: &str = "metadata.avsc";
pub(super) const NOTIFICATION_NAME: &str = "notification.avsc";

/// The media type of values and of Avro keys: Avro's name for its binary encoding.
pub(super) const CONTENT_TYPE: &str = "avro/binary";

/// The schemas of values that earlier versions have written, with the fingerprints that these wrote.
const EARLIER: [([u8; 8], &str); 1] = [(
    [0x4f, 0x4a, 0x67, 0x91, 0x3c, 0x2b, 0x67, 0x03],
    include_str!("../../schemas/earlier/fragment-4f4a67913c2b6703.avsc"),
)];

/// Returns every schema that a fragment's value may have been written with, each after the header of such values.
///
/// # Errors
/// When an embedded schema cannot be parsed, which a test excludes.
pub fn value_schemas() -> Result<Vec<(Vec<u8>, Schema)>, SchemaError> {
    let parse = |text: &str| Schema::parse_str(text).map_err(SchemaError::avro(VALUE_NAME));
    let mut schemas = vec![(single_object_header(VALUE_NAME, VALUE_SCHEMA)?, parse(VALUE_SCHEMA)?)];
    for (fingerprint, schema) in EARLIER {
        schemas.push(([&[0xC3, 0x01][..], &fingerprint].concat(), parse(schema)?));
    }
    Ok(schemas)
}

/// Returns the header of metadata, and its schema.
///
/// # Errors
/// When the embedded schema cannot be parsed, which a test excludes.
pub fn metadata_schema() -> Result<(Vec<u8>, Schema), SchemaError> {
    let schema = Schema::parse_str(METADATA_SCHEMA).map_err(SchemaError::avro(METADATA_NAME))?;
    Ok((single_object_header(METADATA_NAME, METADATA_SCHEMA)?, schema))
}

/// Returns the header of notifications' values, and their schema.
///
/// # Errors
/// When the embedded schema cannot be parsed, which a test excludes.
pub fn notification_schema() -> Result<(Vec<u8>, Schema), SchemaError> {
    let schema = Schema::parse_str(NOTIFICATION_SCHEMA).map_err(SchemaError::avro(NOTIFICATION_NAME))?;
    Ok((single_object_header(NOTIFICATION_NAME, NOTIFICATION_SCHEMA)?, schema))
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
