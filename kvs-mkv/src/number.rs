//! Fragment numbers.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// A fragment number: 1 to 128 decimal digits, in practice 47, which is more than 128 bits hold.
///
/// Numbers compare numerically, so `9 < 10` and `007 == 7`; the digits are kept as the service sent them. The range is
/// that of the member `AfterFragmentNumber` in the API reference of GetMedia.
#[derive(Clone)]
pub struct FragmentNumber(Box<str>);

/// The error for text that is not a fragment number: 1 to 128 decimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fragment number is 1 to 128 decimal digits")]
pub struct BadFragmentNumber;

impl FragmentNumber {
    /// Returns the digits as the service sent them.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn from_bytes(digits: &[u8]) -> Result<Self, BadFragmentNumber> {
        let valid = (1..=128).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
        let text = std::str::from_utf8(digits).map_err(|_| BadFragmentNumber)?;
        if valid { Ok(Self(text.into())) } else { Err(BadFragmentNumber) }
    }

    fn significant(&self) -> &str {
        self.0.trim_start_matches('0')
    }
}

impl FromStr for FragmentNumber {
    type Err = BadFragmentNumber;

    fn from_str(text: &str) -> Result<Self, BadFragmentNumber> {
        Self::from_bytes(text.as_bytes())
    }
}

impl Ord for FragmentNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        let (ours, theirs) = (self.significant(), other.significant());
        ours.len().cmp(&theirs.len()).then_with(|| ours.cmp(theirs))
    }
}

impl PartialOrd for FragmentNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for FragmentNumber {
    fn eq(&self, other: &Self) -> bool {
        self.significant() == other.significant()
    }
}

impl Eq for FragmentNumber {}

impl Hash for FragmentNumber {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.significant().hash(state);
    }
}

impl fmt::Display for FragmentNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Debug for FragmentNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "FragmentNumber({})", self.0)
    }
}

#[cfg(test)]
#[path = "number_tests.rs"]
mod tests;
