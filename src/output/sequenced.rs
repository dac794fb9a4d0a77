//! Values that begin with the fragment's sequence, which only the shard's owner knows.
//!
//! **Contract.** A value is written without its first field, the sequence. The owner puts that in front
//! ([`SequencePrefix`]), so that nothing is encoded or copied twice.

use std::fmt;

use apache_avro::Schema;
use serde::Serialize;
use serde_json::json;

use super::framing::{EncodeError, Framed, Framing, SchemaError, SchemaWriter, ValueWriter};
use super::schema::BuiltInSchema;
use crate::model::{SequencePrefix, ValueFormat};

/// A field that a schema ends with and that is written by other means.
pub(super) const PAYLOAD: &str = "payload";
/// The same of a frame.
const DATA: &str = "data";

/// Writes values of one schema without their first field.
pub(super) struct Sequenced(ValueWriter);

impl Sequenced {
    /// Creates a writer of a schema whose first field is the sequence. The fields in `apart`, at its end, are written by other
    /// means.
    ///
    /// # Errors
    /// When the built-in schema cannot be compiled, or does not begin and end like this, which a test excludes.
    pub(super) fn new(
        writer: &'static SchemaWriter,
        format: ValueFormat,
        framing: Framing,
        schema: &BuiltInSchema,
        apart: Option<&'static str>,
    ) -> Result<Self, SchemaError> {
        Self::of_part(writer, (format, framing), schema, &["sequence"], apart)
    }

    /// Creates a writer of frames, whose first fields are the sequence and that of the record before, and whose last field is
    /// the data.
    ///
    /// # Errors
    /// When the built-in schema cannot be compiled, or does not begin and end like this, which a test excludes.
    pub(super) fn of_frames(
        writer: &'static SchemaWriter,
        format: ValueFormat,
        framing: Framing,
        schema: &BuiltInSchema,
    ) -> Result<Self, SchemaError> {
        Self::of_part(writer, (format, framing), schema, &["sequence", "previous_sequence"], Some(DATA))
    }

    /// Creates a writer of the fields between these first ones and the one that is written apart.
    fn of_part(
        writer: &'static SchemaWriter,
        (format, framing): (ValueFormat, Framing),
        schema: &BuiltInSchema,
        first: &[&str],
        apart: Option<&'static str>,
    ) -> Result<Self, SchemaError> {
        Ok(Self(match format {
            ValueFormat::Json => ValueWriter::Json,
            ValueFormat::Avro => {
                let header = framing.value_header(schema)?;
                ValueWriter::Avro(Framed::of_part(header, writer, schema, || part(schema, first, apart))?)
            }
        }))
    }

    /// Returns the format of the values.
    pub(super) fn format(&self) -> ValueFormat {
        match &self.0 {
            ValueWriter::Avro(_) => ValueFormat::Avro,
            ValueWriter::Json => ValueFormat::Json,
        }
    }

    /// Returns the media type of the values.
    pub(super) fn content_type(&self) -> &'static str {
        self.0.content_type()
    }

    /// Appends the fields to `value`, without the sequence.
    ///
    /// # Errors
    /// When a field does not fit the schema.
    pub(super) fn append(
        &self,
        what: &'static str,
        value: &mut Vec<u8>,
        fields: &impl Serialize,
    ) -> Result<(), EncodeError> {
        match &self.0 {
            ValueWriter::Avro(framed) => framed.append(what, value, fields),
            ValueWriter::Json => {
                let begin = value.len();
                serde_json::to_writer(&mut *value, fields).map_err(EncodeError::of(what))?;
                // The sequence comes behind the brace.
                value.remove(begin);
                Ok(())
            }
        }
    }
}

/// Returns a schema without its first fields, which are numbers of fragments, and without its last one if that is written
/// apart.
fn part(schema: &BuiltInSchema, first: &[&str], apart: Option<&'static str>) -> Result<Schema, SchemaError> {
    let BuiltInSchema { file: name, text, .. } = *schema;
    let shape = |expected| SchemaError::Shape { name, expected };
    let mut schema: serde_json::Value = serde_json::from_str(text).map_err(SchemaError::json(name))?;
    let is = |field: &serde_json::Value, name: &str, kind| field["name"] == name && field["type"] == kind;
    let fields =
        schema["fields"].as_array_mut().filter(|fields| fields.len() > 2).ok_or(shape("it must have fields"))?;
    for expected in first {
        if fields.is_empty() || !is(&fields.remove(0), expected, json!(["null", "long"])) {
            return Err(shape("its first fields must be the sequences"));
        }
    }
    if let Some(last) = apart
        && fields.pop().is_none_or(|field| !is(&field, last, "bytes".into()))
    {
        return Err(shape("its last field must be the payload or the data"));
    }
    Schema::parse(&schema).map_err(SchemaError::avro(name))
}

impl fmt::Debug for Sequenced {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sequenced")
    }
}

impl SequencePrefix for Sequenced {
    fn without(&self) -> Vec<u8> {
        match &self.0 {
            ValueWriter::Json => b"{\"sequence\":null,".to_vec(),
            ValueWriter::Avro(framed) => {
                let mut prefix = framed.header.clone();
                // The branch of the union.
                write_long(&mut prefix, 0);
                prefix
            }
        }
    }

    fn prefix(&self, sequence: i64) -> Vec<u8> {
        match &self.0 {
            ValueWriter::Json => format!("{{\"sequence\":{sequence},").into_bytes(),
            ValueWriter::Avro(framed) => {
                let mut prefix = framed.header.clone();
                // The branch of the union, then the number.
                write_long(&mut prefix, 1);
                write_long(&mut prefix, sequence);
                prefix
            }
        }
    }
}

/// Appends a long: zig-zag, seven bits at a time (Avro specification, "Binary encoding").
pub(super) fn write_long(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
