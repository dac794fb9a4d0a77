//! Settings of workers and connectors: reads and checks them, and reports every problem at once.
//!
//! **Contract.** A problem names file, key and reason. An unknown key is a problem, which names the known key that was
//! probably meant, if there is a close one. The result is typed and consistent: no other module parses a setting again.
//!
//! Dependencies point from the file to the entry: check → {connector, worker} → reader → table → value;
//! {connect_keys, converter_keys, librdkafka_keys, topic_keys, kafka_names, secrets} are beside the table.

pub mod check;
pub mod connect_keys;
pub mod connector;
mod converter_keys;
mod discreet;
mod environment;
pub mod error;
pub mod json;
mod kafka_names;
pub mod keys;
pub mod librdkafka_keys;
pub mod properties;
mod reader;
pub mod reference;
pub mod registry;
pub mod rest;
pub mod restart;
pub mod schema;
pub mod secrets;
pub(crate) mod service_errors;
pub mod table;
mod toml;
pub mod topic_keys;
pub mod worker;

use std::fmt;

pub use connector::ConnectorConfig;
pub use restart::RestartPolicy;
pub use worker::WorkerConfig;

/// A problem in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, or another source, such as `environment`.
    pub place: String,
    /// The key; empty when the problem is not about a single key.
    pub key: String,
    /// What is wrong, and what to do.
    pub reason: String,
}

impl Problem {
    pub(crate) fn new(place: &str, key: &str, reason: impl Into<String>) -> Self {
        Self { place: place.to_owned(), key: key.to_owned(), reason: reason.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, key, reason } = self;
        if key.is_empty() {
            write!(formatter, "{place}: {reason}")
        } else {
            write!(formatter, "{place}: {key}: {reason}")
        }
    }
}

#[cfg(test)]
#[path = "config/generated_tests.rs"]
mod generated_tests;
