//! The schemas that a value may have been written with, now or by an earlier version, with the headers of such values.

use apache_avro::Schema;

use super::framing::{SchemaError, single_object_header};
use super::schema::{BuiltInSchema, FRAGMENT, FRAME, METADATA, NOTIFICATION, NOTIFICATION_SCHEMA};

/// The schemas of values that earlier versions have written, with the fingerprints that these wrote.
const EARLIER: [([u8; 8], &str); 2] = [
    (
        [0x4f, 0x4a, 0x67, 0x91, 0x3c, 0x2b, 0x67, 0x03],
        include_str!("../../schemas/earlier/fragment-4f4a67913c2b6703.avsc"),
    ),
    (
        [0x1d, 0xf7, 0xd6, 0x3d, 0xa5, 0x75, 0x67, 0xef],
        include_str!("../../schemas/earlier/fragment-1df7d63da57567ef.avsc"),
    ),
];

/// The same of metadata.
const EARLIER_METADATA: [([u8; 8], &str); 1] = [(
    [0x13, 0x44, 0x80, 0x86, 0x15, 0xa0, 0x8c, 0xfa],
    include_str!("../../schemas/earlier/metadata-1344808615a08cfa.avsc"),
)];

/// The same of frames.
const EARLIER_FRAMES: [([u8; 8], &str); 1] = [(
    [0x88, 0x0c, 0x93, 0x2d, 0xda, 0xe3, 0x5e, 0x22],
    include_str!("../../schemas/earlier/frame-880c932ddae35e22.avsc"),
)];

/// Returns the fingerprint of a schema in hexadecimal, as it is in the header of its values.
///
/// # Errors
/// When the schema cannot be parsed, which a test excludes.
pub fn fingerprint(schema: &BuiltInSchema) -> Result<String, SchemaError> {
    let header = single_object_header(schema)?;
    Ok(header.iter().skip(2).map(|byte| format!("{byte:02x}")).collect())
}

/// Returns every schema that a fragment's value may have been written with, each after the header of such values.
///
/// # Errors
/// When an embedded schema cannot be parsed, which a test excludes.
pub fn value_schemas() -> Result<Vec<(Vec<u8>, Schema)>, SchemaError> {
    with_earlier(&FRAGMENT, &EARLIER)
}

/// Returns every schema that metadata may have been written with, each after the header of such values.
///
/// # Errors
/// When an embedded schema cannot be parsed, which a test excludes.
pub fn metadata_schemas() -> Result<Vec<(Vec<u8>, Schema)>, SchemaError> {
    with_earlier(&METADATA, &EARLIER_METADATA)
}

/// Returns every schema that frames may have been written with, each after the header of such values.
///
/// # Errors
/// When an embedded schema cannot be parsed, which a test excludes.
pub fn frame_schemas() -> Result<Vec<(Vec<u8>, Schema)>, SchemaError> {
    with_earlier(&FRAME, &EARLIER_FRAMES)
}

/// Returns a schema and its earlier versions, each after the header of its values.
fn with_earlier(current: &BuiltInSchema, earlier: &[([u8; 8], &str)]) -> Result<Vec<(Vec<u8>, Schema)>, SchemaError> {
    let parse = |text: &str| Schema::parse_str(text).map_err(SchemaError::avro(current.file));
    let mut schemas = vec![(single_object_header(current)?, parse(current.text)?)];
    for (fingerprint, schema) in earlier {
        schemas.push(([&[0xC3, 0x01][..], fingerprint].concat(), parse(schema)?));
    }
    Ok(schemas)
}

/// Returns the header of notifications' values, and their schema.
///
/// # Errors
/// When the embedded schema cannot be parsed, which a test excludes.
pub fn notification_schema() -> Result<(Vec<u8>, Schema), SchemaError> {
    let schema = Schema::parse_str(NOTIFICATION_SCHEMA).map_err(SchemaError::avro(NOTIFICATION.file))?;
    Ok((single_object_header(&NOTIFICATION)?, schema))
}

#[cfg(test)]
#[path = "known_schemas_tests.rs"]
mod tests;
