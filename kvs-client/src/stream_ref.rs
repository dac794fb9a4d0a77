//! A stream's name or ARN.

use std::fmt;
use std::str::FromStr;

use kvs_api::{Operation, is_stream_name};

/// A stream, identified by its name or its ARN, which match the patterns of the service's API.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamRef {
    text: String,
    /// Where the name begins in `text`.
    name_start: usize,
    /// Where the name ends in `text`.
    name_end: usize,
}

/// The text is neither a stream's name nor its ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} does not identify a stream: a name is 1 to 256 characters of [a-zA-Z0-9_.-], an ARN is \
     arn:PARTITION:kinesisvideo:REGION:ACCOUNT:stream/NAME/CREATION"
)]
pub struct BadStream {
    /// The text, cut to 300 characters.
    pub text: String,
}

impl StreamRef {
    /// Returns the name or the ARN.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the stream's name, which is a part of its ARN.
    pub fn name(&self) -> &str {
        &self.text[self.name_start..self.name_end]
    }

    /// Returns the ARN, if the stream is identified by it.
    pub fn arn(&self) -> Option<&str> {
        (self.name_start > 0).then_some(self.text.as_str())
    }

    /// Returns partition and region of the ARN.
    pub(crate) fn arn_region(&self) -> Option<(&str, &str)> {
        let mut parts = self.arn()?.split(':').skip(1);
        let partition = parts.next()?;
        Some((partition, parts.nth(1)?))
    }

    /// Returns the member that names the stream in a request, with its value: the ARN, if it is known and the operation
    /// accepts it, otherwise the name.
    pub(crate) fn member(&self, operation: Operation) -> (&'static str, &str) {
        match self.arn().filter(|arn| operation.takes_arn(arn)) {
            Some(arn) => ("StreamARN", arn),
            None => ("StreamName", self.name()),
        }
    }
}

/// Returns where the name lies in a valid ARN.
fn name_in_arn(text: &str) -> Option<std::ops::Range<usize>> {
    let lower_or_digit = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let &["arn", partition, "kinesisvideo", region, account, resource] = &parts[..] else { return None };
    let &[kind, name, created] = &resource.split('/').collect::<Vec<_>>()[..] else { return None };
    let valid = lower_or_digit(partition)
        && lower_or_digit(region)
        && digits(account)
        && !kind.is_empty()
        && kind.bytes().all(|byte| byte.is_ascii_lowercase())
        && is_stream_name(name)
        && digits(created)
        && text.len() <= 1024;
    let start = text.len() - created.len() - 1 - name.len();
    valid.then_some(start..start + name.len())
}

impl FromStr for StreamRef {
    type Err = BadStream;

    fn from_str(text: &str) -> Result<Self, BadStream> {
        let name = if is_stream_name(text) { Some(0..text.len()) } else { name_in_arn(text) };
        match name {
            Some(name) => Ok(Self { text: text.to_owned(), name_start: name.start, name_end: name.end }),
            None => Err(BadStream { text: text.chars().take(300).collect() }),
        }
    }
}

impl fmt::Display for StreamRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}

#[cfg(test)]
#[path = "stream_ref_tests.rs"]
mod tests;
