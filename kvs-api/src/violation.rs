//! What a check finds.

use std::fmt;

/// A member of a request that the service would refuse, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Path of the member, such as `StartSelector.ContinuationToken`.
    pub member: String,
    /// What is wrong with the member and, if its value is, what was expected.
    pub reason: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.member, self.reason)
    }
}
