//! Avro's single-object encoding: a marker, the fingerprint of the schema, the datum.

use apache_avro::Schema;
use apache_avro::headers::{HeaderBuilder, RabinFingerprintHeader};
use serde_json::Value;

use super::error::SchemaError;

/// Returns what a single object of a schema begins with: Avro's marker and the schema's fingerprint.
///
/// # Errors
/// When the text is no schema.
pub(in crate::output) fn header(name: &'static str, text: &str) -> Result<Vec<u8>, SchemaError> {
    let mut json: Value = serde_json::from_str(text).map_err(SchemaError::json(name))?;
    // The fingerprint is of the parsing canonical form, which has no logical types; the crate's form keeps them, and no
    // other reader computes the same.
    remove_logical_types(&mut json);
    let schema = Schema::parse(&json).map_err(SchemaError::avro(name))?;
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
