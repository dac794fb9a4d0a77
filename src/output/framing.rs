//! Framing: the header in front of a value's Avro datum, which identifies the schema it was written with.
//!
//! **Contract.** Only this module writes such headers. A framing with ids of a registry is created when a connector is
//! prepared, never while fragments are written.

mod confluent;
mod error;
mod single_object;

use std::sync::OnceLock;

use apache_avro::Schema;
use apache_avro::writer::datum::GenericDatumWriter;
use serde::Serialize;

use super::schema::{BuiltInSchema, CONTENT_TYPE};
use crate::model::ValueFormat;
use crate::registry::SchemaId;

pub use error::SchemaError;
pub(super) use single_object::header as single_object_header;

/// A field that does not fit the schema of its record.
#[derive(Debug, thiserror::Error)]
#[error("{what} cannot be encoded: {source}")]
pub struct EncodeError {
    /// The thing to be encoded.
    pub what: &'static str,
    /// The error of the encoder.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl EncodeError {
    /// Returns a function that wraps an error of an encoder.
    pub(super) fn of<E: std::error::Error + Send + Sync + 'static>(what: &'static str) -> impl Fn(E) -> Self {
        move |error| Self { what, source: Box::new(error) }
    }
}

/// Writes data of one schema. Created once per process, because the library's writer borrows its schema for ever.
pub(super) struct SchemaWriter(OnceLock<Result<GenericDatumWriter<'static>, SchemaError>>);

impl SchemaWriter {
    /// Returns a writer that is created when it is first used.
    pub(super) const fn new() -> Self {
        Self(OnceLock::new())
    }

    fn get(
        &'static self,
        name: &'static str,
        schema: impl FnOnce() -> Result<Schema, SchemaError>,
    ) -> Result<&'static GenericDatumWriter<'static>, SchemaError> {
        let make = || {
            let schema: &'static Schema = Box::leak(Box::new(schema()?));
            GenericDatumWriter::builder(schema).human_readable(false).build().map_err(SchemaError::avro(name))
        };
        self.0.get_or_init(make).as_ref().map_err(Clone::clone)
    }
}

/// How the keys and values of one output name their schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// By the fingerprint, in Avro's single-object encoding.
    SingleObject,
    /// By the id in a schema registry, in Confluent's framing.
    Registry {
        /// The id of the key's schema, if keys are Avro.
        key: Option<SchemaId>,
        /// The id of the value's schema, if values are Avro.
        value: Option<SchemaId>,
    },
}

impl Framing {
    /// Returns the header of keys.
    ///
    /// # Errors
    /// When the text is not a schema.
    pub(super) fn key_header(self, schema: &BuiltInSchema) -> Result<Vec<u8>, SchemaError> {
        match self {
            Self::Registry { key: Some(id), .. } => Ok(confluent::header(id)),
            Self::Registry { key: None, .. } | Self::SingleObject => single_object_header(schema),
        }
    }

    /// Returns the header of values.
    ///
    /// # Errors
    /// When the text is not a schema.
    pub(super) fn value_header(self, schema: &BuiltInSchema) -> Result<Vec<u8>, SchemaError> {
        match self {
            Self::Registry { value: Some(id), .. } => Ok(confluent::header(id)),
            Self::Registry { value: None, .. } | Self::SingleObject => single_object_header(schema),
        }
    }
}

/// Writes values with their headers.
pub(super) struct Framed {
    /// The header in front of each value.
    pub(super) header: Vec<u8>,
    writer: &'static GenericDatumWriter<'static>,
}

impl Framed {
    /// Creates a writer of data of a schema behind this header.
    ///
    /// # Errors
    /// When the text is not a schema.
    pub(super) fn new(
        header: Vec<u8>,
        writer: &'static SchemaWriter,
        schema: &BuiltInSchema,
    ) -> Result<Self, SchemaError> {
        Self::of_part(header, writer, schema, || Schema::parse_str(schema.text).map_err(SchemaError::avro(schema.file)))
    }

    /// Creates a writer that writes only a part of each datum, by a schema of its own; the caller writes the rest.
    ///
    /// # Errors
    /// When the part is not a schema.
    pub(super) fn of_part(
        header: Vec<u8>,
        writer: &'static SchemaWriter,
        schema: &BuiltInSchema,
        part: impl FnOnce() -> Result<Schema, SchemaError>,
    ) -> Result<Self, SchemaError> {
        Ok(Self { header, writer: writer.get(schema.file, part)? })
    }

    /// Returns a value with its header.
    ///
    /// # Errors
    /// When a field does not fit the schema.
    pub(super) fn value(&self, what: &'static str, value: &impl Serialize) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = self.header.clone();
        self.append(what, &mut bytes, value)?;
        Ok(bytes)
    }

    /// Appends a datum, without a header.
    ///
    /// # Errors
    /// When a field does not fit the schema.
    pub(super) fn append(
        &self,
        what: &'static str,
        bytes: &mut Vec<u8>,
        value: &impl Serialize,
    ) -> Result<(), EncodeError> {
        let written = self.writer.write_ser(bytes, value);
        written.map(|_| ()).map_err(EncodeError::of(what))
    }
}

/// Writes values in the form that the settings choose.
pub(super) enum ValueWriter {
    /// Avro, behind a header.
    Avro(Framed),
    /// JSON, with the same fields.
    Json,
}

impl ValueWriter {
    /// Creates a writer of whole values of a schema.
    ///
    /// # Errors
    /// When the text is not a schema.
    pub(super) fn new(
        format: ValueFormat,
        framing: Framing,
        writer: &'static SchemaWriter,
        schema: &BuiltInSchema,
    ) -> Result<Self, SchemaError> {
        Ok(match format {
            ValueFormat::Avro => Self::Avro(Framed::new(framing.value_header(schema)?, writer, schema)?),
            ValueFormat::Json => Self::Json,
        })
    }

    /// Returns a value.
    ///
    /// # Errors
    /// When a field does not fit the schema.
    pub(super) fn value(&self, what: &'static str, fields: &impl Serialize) -> Result<Vec<u8>, EncodeError> {
        match self {
            Self::Avro(framed) => framed.value(what, fields),
            Self::Json => serde_json::to_vec(fields).map_err(EncodeError::of(what)),
        }
    }

    /// Returns the media type of the values.
    pub(super) fn content_type(&self) -> &'static str {
        match self {
            Self::Avro(_) => CONTENT_TYPE,
            Self::Json => "application/json",
        }
    }
}
