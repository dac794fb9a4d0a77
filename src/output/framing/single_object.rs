//! Avro's single-object encoding: a marker, the fingerprint of the schema, the datum.

use apache_avro::Schema;
use apache_avro::headers::{HeaderBuilder, RabinFingerprintHeader};
use serde_json::Value;

use super::error::SchemaError;
use crate::output::schema::BuiltInSchema;

/// Returns the header of a single object of a schema: Avro's marker and the schema's fingerprint.
///
/// # Errors
/// When the text is not a schema.
pub(in crate::output) fn header(schema: &BuiltInSchema) -> Result<Vec<u8>, SchemaError> {
    let name = schema.file;
    let mut json: Value = serde_json::from_str(schema.text).map_err(SchemaError::json(name))?;
    // The fingerprint is that of the parsing canonical form, which has no logical types. The crate's form keeps them,
    // and so differs from the fingerprint of all other readers.
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
