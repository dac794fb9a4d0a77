//! What can be wrong with a setting: the key, or its value.
//!
//! Each error holds what was found and what was expected; its text is what people read behind the key.

use super::connect_keys::ConnectKeyError;

/// A value that a setting cannot have.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// A setting without a default was not given, or is empty.
    #[error("is required")]
    Required,
    /// A setting that has to have a value is empty.
    #[error("must not be empty")]
    Empty,
    /// The value is no whole number of the range.
    #[error("{found:?}: {}a whole number{unit} from {least} to {most} was expected", also_text(*also))]
    NotInt {
        /// The value.
        found: String,
        /// What the number counts, as `" of milliseconds"`, where that is said.
        unit: &'static str,
        /// The smallest number of the range.
        least: i64,
        /// The largest number of the range.
        most: i64,
        /// A number outside of the range that has a meaning of its own.
        also: Option<i64>,
    },
    /// The value is neither `true` nor `false`.
    #[error("{found:?}: true or false was expected")]
    NotFlag {
        /// The value.
        found: String,
    },
    /// The value is none of those that the setting can have.
    #[error("{found:?}: one of {} was expected", expected.join(", "))]
    NotChoice {
        /// The value.
        found: String,
        /// The values that the setting can have.
        expected: Vec<&'static str>,
    },
    /// The value names a converter of Kafka Connect's that does not exist here.
    #[error(
        "{found:?}: keys are fragment numbers, as text (string, StringConverter) or as Avro in the single-object \
         encoding, without a schema registry (avro)"
    )]
    NotKeyConverter {
        /// The value.
        found: String,
    },
    /// The value cannot be the name of a topic.
    #[error("{found:?} is no topic name: 1 to 249 characters of [a-zA-Z0-9._-] are")]
    NotTopic {
        /// The beginning of the value.
        found: String,
    },
    /// The value is no regular expression, or one that grows too large.
    #[error(transparent)]
    NotRegex(#[from] regex::Error),
    /// A connector's name that stands for another folder in a path.
    #[error("{found:?} is no name: in a path it stands for another place")]
    PathName {
        /// The name.
        found: String,
    },
    /// A connector's name that is empty, too long, or not seen as it is.
    #[error(
        "{found:?}: 1 to 256 characters were expected, none of which controls a terminal or the direction of writing"
    )]
    NotName {
        /// The beginning of the name.
        found: String,
    },
    /// The value has a NUL character, where Kafka's clients, which are in C, would end it.
    #[error("no NUL character was expected")]
    Nul,
    /// The value is no point in time.
    #[error(
        "{found:?}: RFC 3339 or seconds since 1970 was expected, or milliseconds since 1970, as 13 digits{}",
        if *after_2286 { "; as seconds this is after the year 2286" } else { "" }
    )]
    NotTime {
        /// The value.
        found: String,
        /// Whether the value is a number that would be a point in time after the year 2286.
        after_2286: bool,
    },
    /// The value is no fragment number.
    #[error("{found:?}: {reason}")]
    NotFragmentNumber {
        /// The value.
        found: String,
        /// What a fragment number is.
        reason: String,
    },
    /// The value is no URL of a proxy. It is not shown, for it may hold a password.
    #[error("http://host:port or https://host:port was expected{}", detail.as_deref().unwrap_or_default())]
    NotProxy {
        /// What is wrong with it, when that can be said.
        detail: Option<String>,
    },
    /// No broker is named.
    #[error("no broker is given; HOST:PORT was expected, with commas between several")]
    NoBroker,
    /// One of the brokers cannot be one.
    #[error("{broker}: {reason}")]
    NotBroker {
        /// The broker's address, quoted and shortened.
        broker: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The value cannot be the name of a client or a group.
    #[error("{found}: {most} characters at most were expected, none of which is a control character")]
    NotClientName {
        /// The name, quoted and shortened.
        found: String,
        /// How many characters a name has at most.
        most: usize,
    },
}

fn also_text(also: Option<i64>) -> String {
    also.map_or_else(String::new, |also| format!("{also}, or "))
}

/// A key that cannot stand where it does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Nobody has such a setting.
    #[error("unknown setting; {}", match nearest {
        Some(nearest) => format!("the nearest known one is {nearest}"),
        None => "docs/CONFIGURATION.md has all there are".to_owned(),
    })]
    Unknown {
        /// A known key that was probably meant.
        nearest: Option<String>,
    },
    /// A connector has a setting of its worker.
    #[error("is a setting of the worker: its file, its environment or --set")]
    OfWorker,
    /// A connector has a setting of Kafka Connect's workers.
    #[error("is a setting of Kafka Connect's workers, and no connector's")]
    OfConnectWorker,
    /// A worker has a setting of a connector.
    #[error("is a setting of a connector")]
    OfConnector,
    /// A setting of Kafka Connect's, with a value that asks for something that is not done here.
    #[error(transparent)]
    OfConnect(#[from] ConnectKeyError),
}
