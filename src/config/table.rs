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
pub(crate) mod registry;
pub(crate) mod worker;

pub use definition::{Choice, Default, Definition, Group, Importance, Kind, Unit};
pub(super) use key::Perhaps;
pub use key::{Key, Optional};

const WORKER: [&[Definition]; 6] = [
    worker::CLUSTER,
    worker::PUBLISHING,
    registry::CONVERTERS,
    registry::REGISTRY,
    worker::rest::REST,
    worker::rest::SECRETS,
];

const CONNECTOR: [&[Definition]; 15] = [
    connector::COMMON,
    connector::streams::STREAMS,
    connector::start::POSITION,
    connector::start::BACKFILL,
    connector::service::SERVICE,
    connector::pulling::PULLING,
    connector::service::CREDENTIALS,
    connector::pulling::ERRORS,
    connector::records::RECORDS,
    connector::frames::DEFINITIONS,
    connector::routing::ROUTING,
    connector::payload::PAYLOAD,
    registry::CONVERTERS,
    registry::REGISTRY,
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

/// Returns the definition of a worker's setting, under any of its names.
pub fn of_worker(name: &str) -> Option<&'static Definition> {
    worker().find(|definition| definition.name == own_name(name))
}

/// Returns the names that our settings have in Kafka Connect's converters, with their definitions.
pub(super) fn converter_keys() -> impl Iterator<Item = (&'static str, &'static Definition)> + Clone {
    registry::CONVERTER_KEYS.iter().filter_map(|(theirs, ours)| Some((*theirs, of_connector(ours)?)))
}

/// Returns our name of a setting that Kafka Connect's converters have under another one; other names as they are.
pub(super) fn own_name(name: &str) -> &str {
    registry::CONVERTER_KEYS.iter().find(|(theirs, _)| *theirs == name).map_or(name, |(_, ours)| ours)
}

/// Returns the definition of a connector's setting, under any of its names, including those that begin with a prefix.
pub fn of_connector(name: &str) -> Option<&'static Definition> {
    let by_prefix = |prefix: &&Definition| name.len() > prefix.name.len() && name.starts_with(prefix.name);
    connector().find(|definition| definition.name == own_name(name)).or_else(|| PREFIXES.iter().find(by_prefix))
}

/// The definition of all other configurations of the data topic; its name is the prefix of their keys.
pub const TOPIC_CONFIG: Definition = connector::records::TOPIC_CONFIG;

/// The definition of all headers of records; its name is the prefix of their keys.
pub const RECORD_HEADER: Definition = connector::routing::HEADER;

/// The definitions of settings whose keys only begin with these names.
pub const PREFIXES: [Definition; 3] = [TOPIC_CONFIG, RECORD_HEADER, STORE_OPTION];

/// The definition of all options of object stores; its name is the prefix of their keys.
pub const STORE_OPTION: Definition = connector::payload::STORE_OPTION;

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
