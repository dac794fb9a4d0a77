//! Fragment numbers in the form that the service gives them.
//!
//! Undocumented, but true of all recordings at hand (docs/GETMEDIA.md):
//! `(2^64 + counter) << 92 | server time in ms << 28 | 28 other bits`.

use kvs_mkv::FragmentNumber;
use num_bigint::BigUint;

/// Composes a number from its parts.
pub(crate) fn compose(counter: u64, server_millis: u64, other: u32) -> BigUint {
    let high = (BigUint::from(1_u8) << 64_u32) + BigUint::from(counter);
    let low = (BigUint::from(server_millis) << 28_u32) + BigUint::from(other & 0x0FFF_FFFF);
    (high << 92_u32) + low
}

/// Returns the difference between two numbers whose counters and server times differ by these amounts.
pub(crate) fn distance(counts: u64, millis: u64) -> BigUint {
    (BigUint::from(counts) << 92_u32) + (BigUint::from(millis) << 28_u32)
}

/// Converts an integer to a fragment number, if it has at most 128 digits.
pub(crate) fn to_number(value: &BigUint) -> Option<FragmentNumber> {
    value.to_string().parse().ok()
}

/// Converts a fragment number to an integer.
pub(crate) fn from_number(number: &FragmentNumber) -> BigUint {
    number.as_str().parse().unwrap_or_default()
}

/// Returns whether a number has the form that [`compose`] gives it.
pub(crate) fn is_of_the_service(number: &FragmentNumber) -> bool {
    let value = from_number(number);
    value.bits() == 157 && value.to_string() == number.as_str()
}

/// Returns a hash that is the same in every run (FNV-1a), for the 28 other bits and the gaps between counters.
pub(crate) fn mix(name: &str, index: u64) -> u64 {
    name.bytes()
        .chain(index.to_le_bytes())
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// The step of the counter from one session of a producer to the next, or from one play of a file to the next.
pub(crate) const SESSION_COUNTER_STEP: u64 = 1_000;

/// Returns the number whose counter exceeds that of `before` by `step`. Without `before`, the number is the first of a
/// stream, or the first after a restart, and its counter is the current time, so that it exceeds all earlier ones.
/// Returns `None` if there is no higher number.
pub(crate) fn following(
    before: Option<&BigUint>,
    step: u64,
    server_millis: i64,
    now_millis: i64,
    stream: &str,
) -> Option<(FragmentNumber, BigUint)> {
    let counter = match before {
        // A recording may have any number, even the highest.
        Some(before) => counter_of(before).checked_add(step)?,
        None => now_millis.unsigned_abs(),
    };
    let other = (mix(stream, counter) & 0x0FFF_FFFF) as u32;
    let value = compose(counter, server_millis.unsigned_abs(), other);
    Some((to_number(&value)?, value))
}

fn counter_of(value: &BigUint) -> u64 {
    let base = BigUint::from(1_u8) << 64_u32;
    let shifted: BigUint = value >> 92_u32;
    if shifted < base {
        return 0;
    }
    (shifted - base).iter_u64_digits().next().unwrap_or(0)
}

#[cfg(test)]
#[path = "number_tests.rs"]
mod tests;
