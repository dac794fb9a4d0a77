//! Times as text.

use std::time::{Duration, UNIX_EPOCH};

/// Returns milliseconds since 1970 in RFC 3339, or as a number where that ends; a producer that counts from zero is shown
/// in 1970.
pub(super) fn time_text(millis: i64) -> String {
    match u64::try_from(millis) {
        // Up to the year 9999, which is as far as the format goes.
        Ok(millis) if millis < 253_402_300_800_000 => {
            humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(millis)).to_string()
        }
        _ => format!("{millis} ms"),
    }
}
