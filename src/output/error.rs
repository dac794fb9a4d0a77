//! Reasons why a fragment is not published.

use std::sync::Arc;

use super::framing::EncodeError;
use crate::kafka::TopicUnusable;
use crate::payload_store::StoreError;

/// Why a topic cannot be opened at the moment.
pub type OpenError = Box<dyn std::error::Error + Send + Sync>;

/// Why a fragment cannot be published at the moment, or at all.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The fragment itself is the reason: it would be the same again, and `errors.tolerance` decides.
    #[error(transparent)]
    Fragment(#[from] FragmentError),
    /// A partition accepts no records at the moment.
    #[error(transparent)]
    Unusable(#[from] TopicUnusable),
    /// The payload cannot be written to its store at the moment.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A topic that the fragment needs cannot be prepared at the moment.
    #[error("{setting}: {source}")]
    Topic {
        /// The setting that names the topic.
        setting: &'static str,
        /// Why not.
        source: OpenError,
    },
}

/// What is wrong with a fragment.
#[derive(Debug, thiserror::Error)]
pub enum FragmentError {
    /// It does not fit a schema, or a frame of it cannot be converted.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// No topic can be named for it.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// Tracks cannot be taken out of it.
    #[error("the tracks that tracks and tracks.exclude choose cannot be taken out of the fragment: {0}")]
    Tracks(Box<dyn std::error::Error + Send + Sync>),
    /// Its topic has refused a record of this size.
    #[error(
        "its record of {size_bytes} bytes is too large for topic {topic}, which has refused one of {refused_bytes} bytes; raise \
         max.message.bytes of the topic"
    )]
    TooLarge {
        /// The topic.
        topic: Arc<str>,
        /// The size of the record's value, in bytes.
        size_bytes: usize,
        /// The size that was refused.
        refused_bytes: usize,
    },
}

impl FragmentError {
    /// Returns what was being done, as a label and in the headers of dead letters.
    pub fn stage(&self) -> &'static str {
        match self {
            Self::Encode(_) => "encode",
            Self::Route(_) => "route",
            Self::Tracks(_) => "tracks",
            Self::TooLarge { .. } => "size",
        }
    }
}

impl From<EncodeError> for ProjectError {
    fn from(error: EncodeError) -> Self {
        Self::Fragment(error.into())
    }
}

impl From<RouteError> for ProjectError {
    fn from(error: RouteError) -> Self {
        Self::Fragment(error.into())
    }
}

/// Reasons why a template names no topic for a fragment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// A variable has no value.
    #[error("{setting}={template}: {}", match variable.as_str() {
        "${track}" => "the fragment has no tracks".to_owned(),
        other => format!("the fragment has no value for {other}; {has}"),
    })]
    Missing {
        /// The setting.
        setting: &'static str,
        /// The template.
        template: String,
        /// The variable.
        variable: String,
        /// The tags that it has.
        has: String,
    },
    /// The result is not the name of a topic.
    #[error(
        "{setting}={template}: {found} is not a topic name: a name of 1 to 249 characters of [a-zA-Z0-9._-] was expected"
    )]
    NotTopic {
        /// The setting.
        setting: &'static str,
        /// The template.
        template: String,
        /// The result, quoted and shortened.
        found: String,
    },
    /// The topic is for something else.
    #[error("{setting}={template}: {topic} is {role}: a fragment must not be written there")]
    Taken {
        /// The setting.
        setting: &'static str,
        /// The template.
        template: String,
        /// The topic.
        topic: String,
        /// What the topic is for.
        role: String,
    },
    /// Kafka accepts no topic of this name.
    #[error("{setting}={template}: {reason}")]
    Refused {
        /// The setting.
        setting: &'static str,
        /// The template.
        template: String,
        /// The topic, and why not.
        reason: String,
    },
    /// The connector already writes to as many topics as it may.
    #[error("{setting}={template}: {topic} would be one topic more than topics.max allows, which is {most}")]
    TooMany {
        /// The setting.
        setting: &'static str,
        /// The template.
        template: String,
        /// The topic.
        topic: String,
        /// The limit.
        most: usize,
    },
}
