//! The tables of settings, one for workers and one for connectors: what each is called, what it may be, its default, and what it is for.
//!
//! **Contract.** A setting stands here once. The readers ([`super::reader`]), the check of keys, docs/CONFIGURATION.md,
//! `schemas/*.schema.json`, `GET /connector-plugins/{p}/config` and the command line's completions come from these entries.
//! A setting that is read has an entry, for it is read by it; an entry that nobody reads does not get past the
//! compiler's warning of what is never used.

pub mod key;

pub(super) mod connector;
pub(super) mod worker;

pub use key::{Choice, Default, Definition, Importance, Key, Kind, Optional, Unit};

/// What settings are about; user interfaces and the documentation show them by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Name and class of a connector.
    Common,
    /// Which streams a connector has.
    Streams,
    /// Where streams start.
    Position,
    /// Ranges of the archive.
    Backfill,
    /// How Kinesis Video Streams is reached.
    Service,
    /// AWS credentials.
    Credentials,
    /// What happens after failures.
    ErrorHandling,
    /// What is written.
    Records,
    /// How topics are created.
    TopicCreation,
    /// The cluster of workers and its topics.
    Cluster,
    /// Transactions, memory, shutdown.
    Publishing,
    /// The REST API.
    Rest,
    /// Which secrets connectors may refer to.
    Secrets,
}

impl Group {
    /// Returns the group's name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Common => "Common",
            Self::Streams => "Streams",
            Self::Position => "Position",
            Self::Backfill => "Backfill",
            Self::Service => "Service",
            Self::Credentials => "Credentials",
            Self::ErrorHandling => "Error Handling",
            Self::Records => "Records",
            Self::TopicCreation => "Topic Creation",
            Self::Cluster => "Cluster",
            Self::Publishing => "Publishing",
            Self::Rest => "REST API",
            Self::Secrets => "Secrets",
        }
    }
}

/// Declares settings as constants to read them by, and the list of what is known of them.
macro_rules! settings {
    ($(#[$doc:meta])* $table:ident { $( $name:ident : $kind:ty = $key:expr; )+ }) => {
        $(
            // The list has an entry of its own, so that a setting that nobody reads is a constant that nobody uses.
            pub(crate) const $name: $kind = $key;
        )+
        $(#[$doc])*
        pub(in crate::config::table) const $table: &[$crate::config::table::Definition] = &[
            $( { const ENTRY: $kind = $key; ENTRY.definition() } ),+
        ];
    };
}
use settings;

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

/// Returns what is known of a worker's setting.
pub fn of_worker(name: &str) -> Option<&'static Definition> {
    worker().find(|definition| definition.name == name)
}

/// Returns what is known of a connector's setting; any configuration of its topic is one.
pub fn of_connector(name: &str) -> Option<&'static Definition> {
    let is_topics = name.len() > TOPIC_CONFIG.name.len() && name.starts_with(TOPIC_CONFIG.name);
    connector().find(|definition| definition.name == name).or_else(|| is_topics.then_some(&TOPIC_CONFIG))
}

/// What is known of any other configuration of the data topic; its name is what their keys begin with.
pub const TOPIC_CONFIG: Definition = connector::records::TOPIC_CONFIG;

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
