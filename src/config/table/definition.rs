//! What is known of a setting: what it is called, what it may be, and what it is for.

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

/// What a setting's number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nothing but itself.
    None,
    /// Milliseconds.
    Millis,
    /// Bytes.
    Bytes,
}

/// One of the values that a setting can have.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    /// The value.
    pub name: &'static str,
    /// What the value does, as a sentence without its subject: `fails the stream`.
    pub doc: &'static str,
    /// A class of Kafka Connect's that means the same, without its package.
    pub class: Option<&'static str>,
}

/// Describes one of the values that a setting can have.
pub(super) const fn value(name: &'static str, doc: &'static str) -> Choice {
    Choice { name, doc, class: None }
}

impl Choice {
    /// Adds a class of Kafka Connect's that means the same.
    pub const fn or_class(mut self, class: &'static str) -> Self {
        self.class = Some(class);
        self
    }
}

/// What a setting's value is.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Any text.
    Text,
    /// Text that is never shown.
    Password,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Int {
        /// The smallest number.
        least: i64,
        /// The largest number.
        most: i64,
        /// A number outside of the range that has a meaning of its own.
        also: Option<i64>,
        /// What the number counts.
        unit: Unit,
    },
    /// One of these.
    Choice(&'static [Choice]),
    /// Items with commas between.
    List,
    /// The name of a topic.
    Topic,
    /// A regular expression that has to match the whole of what it is held against.
    Regex,
    /// A point in time: RFC 3339, seconds since 1970, or milliseconds since 1970 as 13 digits.
    Time,
    /// The path of a file.
    File,
}

/// What a setting is when it is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// An error.
    Required,
    /// This text.
    Text(&'static str),
    /// This number.
    Int(i64),
    /// This flag.
    Flag(bool),
    /// Something that only a sentence can tell: `AWS_REGION, then the AWS profile`.
    From(&'static str),
    /// Not set.
    Unset,
}

/// How much depends on a setting, as Kafka Connect grades it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Importance {
    /// Almost everybody sets it.
    High,
    /// Many set it.
    Medium,
    /// Its default is right for most.
    Low,
}

/// All that is known of a setting but the type that it is read as.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// The key.
    pub name: &'static str,
    /// A label of a few words.
    pub display_name: &'static str,
    /// What the value is.
    pub kind: Kind,
    /// What it is when it is not given.
    pub default: Default,
    /// With which other settings it is shown.
    pub group: Group,
    /// How much depends on it.
    pub importance: Importance,
    /// What it is for, in one to three sentences.
    pub doc: &'static str,
    /// Settings that only mean something, or mean something else, by the value of this one.
    pub dependents: &'static [&'static str],
    /// Whether an empty value is the same as none.
    pub empty_is_unset: bool,
    /// Whether no reference to a secret can stand here, for all workers have to have the same value.
    pub same_everywhere: bool,
    /// Whether nothing but a whole reference may begin with `${`, for anything else would be sent as a credential.
    pub strict_reference: bool,
}

impl Definition {
    /// Returns the values that the setting can have, where it has a few.
    pub const fn choices(&self) -> &'static [Choice] {
        match self.kind {
            Kind::Choice(choices) => choices,
            _ => &[],
        }
    }

    /// Returns the default as it would be written, if the default is a value.
    pub fn default_text(&self) -> Option<String> {
        match self.default {
            Default::Text(text) => Some(text.to_owned()),
            Default::Int(number) => Some(number.to_string()),
            Default::Flag(flag) => Some(flag.to_string()),
            Default::Required | Default::From(_) | Default::Unset => None,
        }
    }

    /// Returns what the setting is for, with what each of its values does.
    pub fn documentation(&self) -> String {
        let values: Vec<String> =
            self.choices().iter().map(|choice| format!("{} {}", choice.name, choice.doc)).collect();
        if values.is_empty() { self.doc.to_owned() } else { format!("{} {}.", self.doc, values.join("; ")) }
    }

    /// Returns whether the value is never shown.
    pub const fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Password)
    }
}
