//! The definition of a setting: its name, its values and its purpose.

/// Groups of settings; user interfaces and the documentation show them together.
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
    /// Where the media of fragments are.
    Payload,
    /// The schema registry.
    SchemaRegistry,
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
    /// Returns the group's title.
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
            Self::Payload => "Payloads",
            Self::SchemaRegistry => "Schema Registry",
            Self::TopicCreation => "Topic Creation",
            Self::Cluster => "Cluster",
            Self::Publishing => "Publishing",
            Self::Rest => "REST API",
            Self::Secrets => "Secrets",
        }
    }
}

/// The unit of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// No unit.
    None,
    /// Milliseconds.
    Millis,
    /// Bytes.
    Bytes,
}

/// One of a setting's possible values.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    /// The value.
    pub name: &'static str,
    /// What the value does, as a predicate without its subject: `fails the stream`.
    pub doc: &'static str,
    /// A class of Kafka Connect that means the same, without its package.
    pub class: Option<&'static str>,
}

/// Creates one of a setting's possible values.
pub(super) const fn value(name: &'static str, doc: &'static str) -> Choice {
    Choice { name, doc, class: None }
}

impl Choice {
    /// Adds a class of Kafka Connect that means the same.
    pub const fn or_class(mut self, class: &'static str) -> Self {
        self.class = Some(class);
        self
    }
}

/// The type of a setting's value.
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
        /// The minimum.
        least: i64,
        /// The maximum.
        most: i64,
        /// A number outside the range that has its own meaning.
        also: Option<i64>,
        /// The number's unit.
        unit: Unit,
    },
    /// One of these values.
    Choice(&'static [Choice]),
    /// Items separated by commas.
    List,
    /// The name of a topic.
    Topic,
    /// The name of a topic that may contain variables.
    TopicTemplate,
    /// A regular expression that has to match the whole of a text.
    Regex,
    /// A point in time: RFC 3339, seconds since 1970, or milliseconds since 1970 as 13 digits.
    Time,
    /// The path of a file.
    File,
}

/// The value of a setting that is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// None: leaving the setting out is an error.
    Required,
    /// A text.
    Text(&'static str),
    /// A number.
    Int(i64),
    /// A flag.
    Flag(bool),
    /// A value from elsewhere, described in words: `AWS_REGION, then the AWS profile`.
    From(&'static str),
    /// None.
    Unset,
}

/// The importance of a setting, as Kafka Connect grades it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Importance {
    /// Almost everyone sets it.
    High,
    /// Many set it.
    Medium,
    /// The default is right for most.
    Low,
}

/// The definition of a setting, except for the Rust type of its value.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// The key.
    pub name: &'static str,
    /// A label of a few words.
    pub display_name: &'static str,
    /// The type of its value.
    pub kind: Kind,
    /// The value if it is not set.
    pub default: Default,
    /// The settings that it is shown with.
    pub group: Group,
    /// The importance.
    pub importance: Importance,
    /// The purpose, in one to three sentences.
    pub doc: &'static str,
    /// Settings whose meaning depends on the value of this one.
    pub dependents: &'static [&'static str],
    /// Whether an empty value means unset.
    pub empty_is_unset: bool,
    /// Whether the value must be the same on all workers, and so cannot contain references to secrets.
    pub same_everywhere: bool,
    /// Whether `${` must begin a complete reference, because any other text would be sent as a credential.
    pub strict_reference: bool,
}

impl Definition {
    /// Returns the possible values, if there are only a few.
    pub const fn choices(&self) -> &'static [Choice] {
        match self.kind {
            Kind::Choice(choices) => choices,
            _ => &[],
        }
    }

    /// Returns the default as it would be written, if it is a value.
    pub fn default_text(&self) -> Option<String> {
        match self.default {
            Default::Text(text) => Some(text.to_owned()),
            Default::Int(number) => Some(number.to_string()),
            Default::Flag(flag) => Some(flag.to_string()),
            Default::Required | Default::From(_) | Default::Unset => None,
        }
    }

    /// Returns the purpose of the setting and of each of its values.
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
