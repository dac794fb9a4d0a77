//! Errors of schemas.

use std::sync::Arc;

/// Reasons why a schema of ours cannot be used. Tests exclude them for built-in schemas.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SchemaError {
    /// The schema is not JSON.
    #[error("the schema {name} is not JSON: {source}")]
    Json {
        /// The schema's file.
        name: &'static str,
        /// What is wrong.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// The schema is not an Avro schema.
    #[error("the schema {name} is not an Avro schema: {source}")]
    Avro {
        /// The schema's file.
        name: &'static str,
        /// The error of Avro's library.
        #[source]
        source: Arc<apache_avro::Error>,
    },
    /// The schema does not have the fields that the code writes.
    #[error("the schema {name}: {expected}")]
    Shape {
        /// The schema's file.
        name: &'static str,
        /// What is expected.
        expected: &'static str,
    },
}

impl SchemaError {
    /// Returns a function that wraps an error of reading JSON.
    pub(in crate::output) fn json(name: &'static str) -> impl Fn(serde_json::Error) -> Self {
        move |error| Self::Json { name, source: Arc::new(error) }
    }

    /// Returns a function that wraps an error of Avro's library.
    pub(in crate::output) fn avro(name: &'static str) -> impl Fn(apache_avro::Error) -> Self {
        move |error| Self::Avro { name, source: Arc::new(error) }
    }
}
