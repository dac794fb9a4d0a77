//! The wire types of the REST API. The OpenAPI document is generated from them.
//!
//! A member that Kafka Connect omits when empty is omitted here, and one that it writes as null is null.

pub(super) mod connectors;
pub(super) mod loggers;
pub(super) mod offsets;
pub(super) mod plugins;
pub(super) mod worker;

use schemars::JsonSchema;
use serde::Serialize;

/// An error response.
#[derive(Serialize, JsonSchema)]
pub(super) struct Error {
    /// The status code.
    pub(super) error_code: u16,
    /// What is wrong, and what to do.
    pub(super) message: String,
}

/// The result of a change.
#[derive(Serialize, JsonSchema)]
pub(super) struct Message {
    /// A description for people.
    pub(super) message: &'static str,
}
