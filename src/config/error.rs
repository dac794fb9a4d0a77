//! Errors in a setting's key or value.
//!
//! Each error has what was found and what was expected; its text is shown after the key.

use super::connect_keys::ConnectKeyError;

/// Reasons why a setting cannot have a value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// A setting without a default is missing or empty.
    #[error("is required")]
    Required,
    /// A setting that must have a value is empty.
    #[error("must not be empty")]
    Empty,
    /// The value is not a whole number in the range.
    #[error("{found:?}: {}a whole number{unit} from {least} to {most} was expected", also_text(*also))]
    NotInt {
        /// The value.
        found: String,
        /// The number's unit, such as `" of milliseconds"`, if it is named.
        unit: &'static str,
        /// The smallest number of the range.
        least: i64,
        /// The largest number of the range.
        most: i64,
        /// A number outside the range that has its own meaning.
        also: Option<i64>,
    },
    /// The value is neither `true` nor `false`.
    #[error("{found:?}: true or false was expected")]
    NotFlag {
        /// The value.
        found: String,
    },
    /// The value is none of the possible ones.
    #[error("{found:?}: one of {} was expected", expected.join(", "))]
    NotChoice {
        /// The value.
        found: String,
        /// The possible values.
        expected: Vec<&'static str>,
    },
    /// The value names a converter of Kafka Connect that does not exist in kvs-connect.
    #[error(
        "{found:?}: keys are fragment numbers, as text (string, StringConverter) or as Avro strings (avro, AvroConverter)"
    )]
    NotKeyConverter {
        /// The value.
        found: String,
    },
    /// The value names a converter of Kafka Connect that does not exist in kvs-connect.
    #[error(
        "{found:?}: values are Avro (avro, AvroConverter, single-object), because JSON cannot contain media; metadata and \
         notifications are written as JSON with value.format=json"
    )]
    NotValueConverter {
        /// The value.
        found: String,
    },
    /// The value is not the URL of a schema registry. It is not shown, because it may contain a password.
    #[error("http://HOST:PORT/PATH or https://HOST:PORT/PATH was expected, or several separated by commas; {detail}")]
    NotRegistry {
        /// What is wrong with it.
        detail: String,
    },
    /// The value is not a user with a password. It is not shown.
    #[error("USER:PASSWORD was expected")]
    NotUserInfo,
    /// The value cannot be a bearer token. It is not shown.
    #[error("a token of visible ASCII characters was expected, without spaces")]
    NotToken,
    /// Two settings that exclude each other.
    #[error("cannot be set together with {other}")]
    Together {
        /// The other setting.
        other: &'static str,
    },
    /// A setting that means nothing without another one.
    #[error("needs {other}, too")]
    Alone {
        /// The other setting.
        other: &'static str,
    },
    /// Another name of a setting that has another value.
    #[error("is another name of {other}, which is set to another value")]
    OtherName {
        /// The setting.
        other: String,
    },
    /// A converter that needs a schema registry.
    #[error(
        "AvroConverter needs schema.registry.url, the connector's or the worker's; without a registry, avro writes Avro single \
         objects"
    )]
    NoRegistry,
    /// The value cannot be the name of a topic.
    #[error("{found:?} is not a topic name: a name of 1 to 249 characters of [a-zA-Z0-9._-] was expected")]
    NotTopic {
        /// The beginning of the value.
        found: String,
    },
    /// The value is the name of one of Kafka's own topics.
    #[error("{found:?} is Kafka's own topic, which nobody else may write to; choose another name")]
    KafkasOwn {
        /// The name.
        found: String,
    },
    /// The value is not a template.
    #[error(transparent)]
    NotTemplate(#[from] crate::model::TemplateError),
    /// The value is not a regular expression, or its compiled form is too large.
    #[error(transparent)]
    NotRegex(#[from] regex::Error),
    /// A connector's name that means another folder in a path.
    #[error("{found:?} cannot be a name, because it means another folder in a path")]
    PathName {
        /// The name.
        found: String,
    },
    /// A connector's name that is empty, too long, or contains characters that cannot be displayed as they are.
    #[error(
        "{found:?}: 1 to 256 characters were expected, without control characters, line separators or characters \
         that change the direction of writing"
    )]
    NotName {
        /// The beginning of the name.
        found: String,
    },
    /// The value contains a NUL character, at which Kafka's clients, which are written in C, would cut it off.
    #[error("NUL characters are not allowed")]
    Nul,
    /// The value is not a point in time.
    #[error(
        "{found:?}: a time in RFC 3339, seconds since 1970, or milliseconds since 1970 (13 digits) was expected{}",
        if *after_2286 { "; as seconds this is after the year 2286" } else { "" }
    )]
    NotTime {
        /// The value.
        found: String,
        /// Whether the value is a number that would be a point in time after the year 2286.
        after_2286: bool,
    },
    /// The value is not a fragment number.
    #[error("{found:?}: {reason}")]
    NotFragmentNumber {
        /// The value.
        found: String,
        /// What a fragment number is.
        reason: String,
    },
    /// The value is not a proxy's URL. It is not shown, because it may contain a password.
    #[error("http://host:port or https://host:port was expected{}", detail.as_deref().unwrap_or_default())]
    NotProxy {
        /// What is wrong with it, if known.
        detail: Option<String>,
    },
    /// No broker is named.
    #[error("no broker is named; HOST:PORT was expected, or several separated by commas")]
    NoBroker,
    /// An entry cannot be a broker's address.
    #[error("{broker}: {reason}")]
    NotBroker {
        /// The entry, quoted and shortened.
        broker: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The value cannot be the name of a client or a group.
    #[error("{found}: at most {most} characters were expected, without control characters")]
    NotClientName {
        /// The name, quoted and shortened.
        found: String,
        /// The maximum number of characters.
        most: usize,
    },
}

fn also_text(also: Option<i64>) -> String {
    also.map_or_else(String::new, |also| format!("{also}, or "))
}

/// Reasons why a key is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no such setting.
    #[error("unknown setting; {}", match nearest {
        Some(nearest) => format!("the nearest known one is {nearest}"),
        None => "docs/CONFIGURATION.md lists all settings".to_owned(),
    })]
    Unknown {
        /// The known key that was probably meant.
        nearest: Option<String>,
    },
    /// A connector's settings contain one of its worker's.
    #[error("is a worker's setting: it belongs in the worker's file, its environment or --set")]
    OfWorker,
    /// A connector's settings contain one of Kafka Connect's workers.
    #[error("is a setting of Kafka Connect's workers, not of connectors")]
    OfConnectWorker,
    /// A worker's settings contain one of a connector's.
    #[error("is a connector's setting")]
    OfConnector,
    /// A setting of Kafka Connect with a value that asks for something kvs-connect does not do.
    #[error(transparent)]
    OfConnect(#[from] ConnectKeyError),
}
