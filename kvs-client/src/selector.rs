//! Where a session of GetMedia starts.

use std::fmt;

use kvs_api::Violation;
use kvs_mkv::{FragmentNumber, Timestamp};
use serde_json::{Value, json};

/// Where a session of GetMedia starts: the API's StartSelector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartSelector {
    /// The latest chunk.
    Now,
    /// The earliest chunk that the stream's retention has kept.
    Earliest,
    /// After this fragment.
    FragmentNumber(FragmentNumber),
    /// The chunk that contains this producer time, or the first after it.
    ProducerTimestamp(Timestamp),
    /// The chunk that contains this server time, or the first after it.
    ServerTimestamp(Timestamp),
    /// After the fragment with this token.
    ContinuationToken(String),
}

impl StartSelector {
    /// Returns the type's name in the API, such as `NOW`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Now => "NOW",
            Self::Earliest => "EARLIEST",
            Self::FragmentNumber(_) => "FRAGMENT_NUMBER",
            Self::ProducerTimestamp(_) => "PRODUCER_TIMESTAMP",
            Self::ServerTimestamp(_) => "SERVER_TIMESTAMP",
            Self::ContinuationToken(_) => "CONTINUATION_TOKEN",
        }
    }

    /// Returns whether the selector is a stream's position, which another kind of selector can also express.
    pub(crate) fn is_position(&self) -> bool {
        matches!(self, Self::ContinuationToken(_) | Self::FragmentNumber(_) | Self::ServerTimestamp(_))
    }

    /// Returns the selector in the form of a request.
    pub(crate) fn to_json(&self) -> Value {
        let mut selector = json!({ "StartSelectorType": self.kind() });
        match self {
            Self::Now | Self::Earliest => {}
            Self::FragmentNumber(number) => selector["AfterFragmentNumber"] = number.as_str().into(),
            Self::ProducerTimestamp(timestamp) | Self::ServerTimestamp(timestamp) => {
                // Seconds with a fraction; exact for milliseconds up to the year 285,000.
                selector["StartTimestamp"] = (timestamp.millis() as f64 / 1000.0).into();
            }
            Self::ContinuationToken(token) => selector["ContinuationToken"] = token.as_str().into(),
        }
        selector
    }
}

impl fmt::Display for StartSelector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.kind())?;
        match self {
            // A token is opaque.
            Self::Now | Self::Earliest | Self::ContinuationToken(_) => Ok(()),
            Self::FragmentNumber(number) => write!(formatter, " {number}"),
            Self::ProducerTimestamp(timestamp) | Self::ServerTimestamp(timestamp) => write!(formatter, " {timestamp}"),
        }
    }
}

/// Returns whether the continuation token is the only thing wrong with a request; the service would also refuse it.
pub(crate) fn is_about_the_token(violations: &[Violation]) -> bool {
    violations.iter().all(|violation| violation.member == "StartSelector.ContinuationToken")
}
