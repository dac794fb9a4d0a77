//! Responses that are not what the service's API promises.

use std::time::Duration;

use super::EndpointError;
use crate::shown::shown;

/// What is wrong with a response. Quoted parts of it are shortened and safe to show.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The body is not JSON.
    #[error("{}", shown(&source.to_string()))]
    NotJson {
        /// Where and why.
        source: serde_json::Error,
    },
    /// The body exceeds the limit on responses.
    #[error("it is larger than {} MiB", size_max_bytes >> 20)]
    TooLarge {
        /// The limit.
        size_max_bytes: usize,
    },
    /// A member is not a list.
    #[error("{member} is not a list")]
    NotAList {
        /// The member.
        member: &'static str,
    },
    /// A member, or a row of it, does not describe a stream.
    #[error("{member}: this is not a stream, {}: {row}", shown(&source.to_string()))]
    NotAStream {
        /// The member.
        member: &'static str,
        /// What was found.
        row: String,
        /// Why it is not a stream.
        source: serde_json::Error,
    },
    /// A stream's description has a text that is longer than the API allows, or contains control characters.
    #[error("{member}: this is not a stream, by its {part}: {row}")]
    BadStreamText {
        /// The member.
        member: &'static str,
        /// Which of its texts.
        part: &'static str,
        /// What was found.
        row: String,
    },
    /// A tag is longer than the API allows.
    #[error("this is not a tag, by its length: {key}")]
    BadTag {
        /// The tag's key.
        key: String,
    },
    /// A row does not describe a fragment.
    #[error("this is not a fragment: {row}")]
    NotAFragment {
        /// What was found.
        row: String,
    },
    /// A list has more rows than any real one.
    #[error("it has more than {rows_max} rows")]
    TooManyRows {
        /// The limit.
        rows_max: usize,
    },
    /// A list's pages repeat.
    #[error("its pages repeat: the NextToken of page {page} occurred before")]
    RepeatedPage {
        /// The page whose token occurred before; the first is 1.
        page: usize,
    },
    /// A list's pages did not end in time.
    #[error("its last page was not reached within {} s", timeout.as_secs())]
    EndlessPages {
        /// How long all pages together may take.
        timeout: Duration,
    },
    /// The data endpoint cannot be used.
    #[error("DataEndpoint: {0}")]
    Endpoint(#[source] EndpointError),
}
