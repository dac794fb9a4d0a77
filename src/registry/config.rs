//! How a schema registry is reached, and what is done there.

use std::fmt;
use std::path::PathBuf;

use url::Url;

/// A connector's schema registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryConfig {
    /// `schema.registry.url`: the URLs of the same registry, tried in this order. They contain no credentials.
    pub urls: Vec<Url>,
    /// Credentials for all of them.
    pub credentials: Credentials,
    /// `schema.registry.tls.*`.
    pub tls: TlsFiles,
    /// `schema.registry.proxy.url`.
    pub proxy: Option<Secret>,
    /// `auto.register.schemas`.
    pub auto_register: bool,
    /// `use.latest.version`.
    pub use_latest: bool,
    /// `value.subject.name.strategy`.
    pub value_subjects: SubjectNames,
}

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("********")
    }
}

/// Credentials for a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// None.
    None,
    /// HTTP basic authentication.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A bearer token.
    Bearer(Secret),
}

/// Files for TLS, in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsFiles {
    /// Authorities that are trusted in addition to the system's.
    pub ca: Option<PathBuf>,
    /// The client's certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// How the subject of a value's schema is named, with Confluent's names of the strategies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectNames {
    /// `TOPIC-value`.
    Topic,
    /// The record's full name.
    Record,
    /// `TOPIC-` and the record's full name.
    TopicRecord,
}

impl SubjectNames {
    /// Returns the subject of a value's schema.
    pub fn of_value(self, topic: &str, full_name: &str) -> String {
        match self {
            Self::Topic => format!("{topic}-value"),
            Self::Record => full_name.to_owned(),
            Self::TopicRecord => format!("{topic}-{full_name}"),
        }
    }

    /// Returns the subject of a key's schema. Keys are strings, which have no name, so the topic names it.
    pub fn of_key(topic: &str) -> String {
        format!("{topic}-key")
    }
}
