//! The tables of settings, one for workers and one for connectors: each setting's name, type, default and purpose.
//!
//! **Contract.** Each setting is defined here once. The readers ([`super::reader`]), the check of keys,
//! docs/CONFIGURATION.md, `schemas/*.schema.json`, `GET /connector-plugins/{p}/config` and the command line's
//! completions are derived from these entries. Reading a setting without an entry does not compile; for an entry that
//! is never read the compiler warns of unused code.

mod definition;
pub mod key;
pub(super) mod value;

pub(crate) mod connector;
pub(crate) mod worker;

pub use definition::{Choice, Default, Definition, Group, Importance, Kind, Unit};
pub(super) use key::Perhaps;
pub use key::{Key, Optional};

const WORKER: [&[Definition]; 4] = [worker::CLUSTER, worker::PUBLISHING, worker::rest::REST, worker::rest::SECRETS];

const CONNECTOR: [&[Definition]; 10] = [
    connector::COMMON,
    connector::streams::STREAMS,
    connector::start::POSITION,
    connector::start::BACKFILL,
    connector::service::SERVICE,
    connector::pulling::PULLING,
    connector::service::CREDENTIALS,
    connector::pulling::ERRORS,
    connector::records::RECORDS,
    connector::records::TOPIC_CREATION,
];

/// Returns the settings of a worker, in the order of the documentation.
pub fn worker() -> impl Iterator<Item = &'static Definition> + Clone {
    WORKER.into_iter().flatten()
}

/// Returns the settings of a connector, in the order of the documentation.
pub fn connector() -> impl Iterator<Item = &'static Definition> + Clone {
    CONNECTOR.into_iter().flatten()
}

/// Returns the definition of a worker's setting.
pub fn of_worker(name: &str) -> Option<&'static Definition> {
    worker().find(|definition| definition.name == name)
}

/// Returns the definition of a connector's setting, including any configuration of its topic.
pub fn of_connector(name: &str) -> Option<&'static Definition> {
    let is_topics = name.len() > TOPIC_CONFIG.name.len() && name.starts_with(TOPIC_CONFIG.name);
    connector().find(|definition| definition.name == name).or_else(|| is_topics.then_some(&TOPIC_CONFIG))
}

/// The definition of all other configurations of the data topic; its name is the prefix of their keys.
pub const TOPIC_CONFIG: Definition = connector::records::TOPIC_CONFIG;

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
