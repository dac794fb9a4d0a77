//! The published schemas, and how a value says with which of them it was written.

use apache_avro::Schema;
use apache_avro::headers::{HeaderBuilder, RabinFingerprintHeader};
use serde_json::Value;

/// The value's schema.
pub const VALUE_SCHEMA: &str = include_str!("../../schemas/fragment.avsc");
/// The key's schema, for `key.converter=avro`.
pub const KEY_SCHEMA: &str = include_str!("../../schemas/fragment-key.avsc");
/// The schema of notifications.
pub const NOTIFICATION_SCHEMA: &str = include_str!("../../schemas/notification.avsc");

/// The media type of values and of Avro keys, as Avro's specification names what is in its binary encoding.
pub const CONTENT_TYPE: &str = "avro/binary";

/// Schemas that values in topics may have been written with by earlier versions, with the fingerprint that these wrote.
const EARLIER: [([u8; 8], &str); 1] = [(
    [0x4f, 0x4a, 0x67, 0x91, 0x3c, 0x2b, 0x67, 0x03],
    include_str!("../../schemas/earlier/fragment-4f4a67913c2b6703.avsc"),
)];

/// Returns what a single object of a schema begins with: Avro's marker and the schema's fingerprint.
///
/// # Errors
/// When the schema is none.
pub(super) fn single_object_header(schema: &str) -> Result<Vec<u8>, String> {
    let mut json: Value = serde_json::from_str(schema).map_err(|error| error.to_string())?;
    // The fingerprint is of the parsing canonical form, which has no logical types; the crate's form keeps them, and no
    // other reader computes the same.
    remove_logical_types(&mut json);
    let schema = Schema::parse(&json).map_err(|error| error.to_string())?;
    Ok(RabinFingerprintHeader::from_schema(&schema).build_header())
}

fn remove_logical_types(json: &mut Value) {
    match json {
        Value::Object(members) => {
            members.remove("logicalType");
            members.values_mut().for_each(remove_logical_types);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_logical_types),
        _ => {}
    }
}

/// Returns every schema that a fragment's value may have been written with, each with what such values begin with.
///
/// # Errors
/// When an embedded schema cannot be parsed, which a test excludes.
pub fn value_schemas() -> Result<Vec<(Vec<u8>, Schema)>, String> {
    let parse = |text: &str| Schema::parse_str(text).map_err(|error| error.to_string());
    let mut schemas = vec![(single_object_header(VALUE_SCHEMA)?, parse(VALUE_SCHEMA)?)];
    for (fingerprint, schema) in EARLIER {
        schemas.push(([&[0xC3, 0x01][..], &fingerprint].concat(), parse(schema)?));
    }
    Ok(schemas)
}

/// Returns the schema of notifications with what their values begin with.
///
/// # Errors
/// As [`value_schemas`].
pub fn notification_schema() -> Result<(Vec<u8>, Schema), String> {
    let schema = Schema::parse_str(NOTIFICATION_SCHEMA).map_err(|error| error.to_string())?;
    Ok((single_object_header(NOTIFICATION_SCHEMA)?, schema))
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
