//! Schemas that cannot be used.

use std::sync::Arc;

/// A schema of ours that cannot be used. Tests exclude it for those that are built in.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SchemaError {
    /// It is no JSON.
    #[error("the schema {name} is no JSON: {source}")]
    Json {
        /// The schema's file.
        name: &'static str,
        /// What is wrong.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// It is no Avro schema.
    #[error("the schema {name} is none: {source}")]
    Avro {
        /// The schema's file.
        name: &'static str,
        /// What Avro's library says.
        #[source]
        source: Arc<apache_avro::Error>,
    },
    /// It has another shape than the code that writes values by it.
    #[error("the schema {name}: {expected}")]
    Shape {
        /// The schema's file.
        name: &'static str,
        /// What it should be like.
        expected: &'static str,
    },
}

impl SchemaError {
    /// Returns what makes an error of reading JSON one of a schema.
    pub(in crate::output) fn json(name: &'static str) -> impl Fn(serde_json::Error) -> Self {
        move |error| Self::Json { name, source: Arc::new(error) }
    }

    /// Returns what makes an error of Avro's library one of a schema.
    pub(in crate::output) fn avro(name: &'static str) -> impl Fn(apache_avro::Error) -> Self {
        move |error| Self::Avro { name, source: Arc::new(error) }
    }
}
