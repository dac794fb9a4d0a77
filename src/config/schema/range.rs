//! Regular expressions for ranges of decimal numbers: settings are mostly written as text, which a schema can only
//! check by a pattern.

use std::collections::BTreeSet;

/// Returns a pattern for the whole numbers from `least` to `most`, which, as in the loader, may have leading zeros or a
/// sign.
pub(super) fn pattern(least: i64, most: i64) -> String {
    let mut parts = Vec::new();
    if least < 0 {
        let lowest = if most < 0 { most.unsigned_abs() } else { 0 };
        parts.push(format!("-0*(?:{})", alternatives(lowest, least.unsigned_abs())));
    }
    if most >= 0 {
        parts.push(format!("\\+?0*(?:{})", alternatives(least.max(0).unsigned_abs(), most.unsigned_abs())));
    }
    parts.join("|")
}

/// Splits the range so that in each part every digit has a fixed value or a range of its own.
fn alternatives(least: u64, most: u64) -> String {
    let powers = || (1..19).map(|digits| 10_u64.pow(digits));
    let mut ends = BTreeSet::from([most]);
    // 7 to 9, 10 to 99, …: from the least number up to all nines.
    ends.extend(powers().map(|power| least / power * power + (power - 1)).take_while(|&end| end < most));
    // …, 3000 to 3599, 3600: from the last round number up to the largest.
    let round = |power: u64| ((most + 1) / power * power).checked_sub(1);
    ends.extend(powers().map_while(round).take_while(|&end| end > least));
    let mut parts = Vec::new();
    let mut begin = least;
    for end in ends {
        parts.push(digits(begin, end));
        begin = end + 1;
    }
    parts.join("|")
}

/// Returns the pattern for a part of the split range, whose ends have the same number of digits.
fn digits(begin: u64, end: u64) -> String {
    let (begin, end) = (begin.to_string(), end.to_string());
    let (mut made, mut any) = (String::new(), 0);
    for (low, high) in begin.chars().zip(end.chars()) {
        match (low, high) {
            (low, high) if low == high => made.push(low),
            ('0', '9') => any += 1,
            (low, high) => made.push_str(&format!("[{low}-{high}]")),
        }
    }
    match any {
        0 => {}
        1 => made.push_str("[0-9]"),
        _ => made.push_str(&format!("[0-9]{{{any}}}")),
    }
    made
}

#[cfg(test)]
#[path = "range_tests.rs"]
mod tests;
