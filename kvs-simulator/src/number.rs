//! Fragment numbers as the service makes them.
//!
//! Undocumented, but true of all recordings at hand (docs/GETMEDIA.md):
//! `(2^64 + counter) << 92 | server time in ms << 28 | 28 other bits`.

use kvs_mkv::FragmentNumber;
use num_bigint::BigUint;

/// Makes a number from its parts.
pub(crate) fn compose(counter: u64, server_millis: u64, other: u32) -> BigUint {
    let high = (BigUint::from(1_u8) << 64_u32) + BigUint::from(counter);
    let low = (BigUint::from(server_millis) << 28_u32) + BigUint::from(other & 0x0FFF_FFFF);
    (high << 92_u32) + low
}

/// The distance between numbers that lie so many counts and milliseconds apart.
pub(crate) fn distance(counts: u64, millis: u64) -> BigUint {
    (BigUint::from(counts) << 92_u32) + (BigUint::from(millis) << 28_u32)
}

pub(crate) fn to_number(value: &BigUint) -> Option<FragmentNumber> {
    value.to_string().parse().ok()
}

pub(crate) fn from_number(number: &FragmentNumber) -> BigUint {
    number.as_str().parse().unwrap_or_default()
}

/// Whether a number is one that [`compose`] makes.
pub(crate) fn is_of_the_service(number: &FragmentNumber) -> bool {
    let value = from_number(number);
    value.bits() == 157 && value.to_string() == number.as_str()
}

/// A hash that is the same in every run (FNV-1a), for the other bits and the holes between counters.
pub(crate) fn mix(name: &str, index: u64) -> u64 {
    name.bytes()
        .chain(index.to_le_bytes())
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// By how much the counter grows from one session of a producer to the next, or one play of a file.
pub(crate) const SESSION_COUNTER_STEP: u64 = 1_000;

/// The number that follows `before` by `step` counts; `None` before: the first of a stream, or of its time after a
/// restart, whose counter is the time it is now, so that it lies above what came before.
pub(crate) fn following(
    before: Option<&BigUint>,
    step: u64,
    server_millis: i64,
    now_millis: i64,
    stream: &str,
) -> Option<(FragmentNumber, BigUint)> {
    let counter = match before {
        // A recording's number may be any; behind the highest there is none.
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
