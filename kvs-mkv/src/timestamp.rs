//! Timestamps in the service's tags.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A time in a tag of the service, in milliseconds. Usually since 1970; some producers count from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Converts a clock's time, truncated to milliseconds. A time before 1970 becomes 1970.
    pub fn from_system_time(time: SystemTime) -> Self {
        let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }

    /// Creates a timestamp from milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Returns the milliseconds.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Reads seconds with an optional fraction, such as `1511852109.126`; digits after the third are dropped.
    /// Returns `None` if the text is not such a number: an unreadable value counts as missing, not as 1970.
    pub(crate) fn from_seconds_text(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (seconds, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if seconds.is_empty() || !all_digits(seconds) || !all_digits(fraction) {
            return None;
        }
        let seconds_millis = seconds.parse::<i64>().ok()?.checked_mul(1000)?;
        let fraction_millis = fraction
            .bytes()
            .chain([b'0', b'0', b'0'])
            .take(3)
            .fold(0_i64, |millis, digit| millis * 10 + i64::from(digit - b'0'));
        let millis = seconds_millis.checked_add(fraction_millis)?;
        Some(Self(if negative { -millis } else { millis }))
    }
}

/// Writes seconds with three decimals, as the service does.
impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let millis = self.0.unsigned_abs();
        write!(formatter, "{sign}{}.{:03}", millis / 1000, millis % 1000)
    }
}

#[cfg(test)]
#[path = "timestamp_tests.rs"]
mod tests;
