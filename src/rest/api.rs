//! What the REST API takes and returns, as it stands on the wire. The OpenAPI document is made of these types.
//!
//! A member that Kafka Connect leaves out where there is nothing is left out here, and one that it writes as null is null.

pub(super) mod connectors;
pub(super) mod loggers;
pub(super) mod offsets;
pub(super) mod plugins;
pub(super) mod worker;

use schemars::JsonSchema;
use serde::Serialize;

/// Every answer that is no success.
#[derive(Serialize, JsonSchema)]
pub(super) struct Error {
    /// The status code.
    pub(super) error_code: u16,
    /// What is wrong, and what to do.
    pub(super) message: String,
}

/// What was done.
#[derive(Serialize, JsonSchema)]
pub(super) struct Message {
    /// The same for people.
    pub(super) message: &'static str,
}
